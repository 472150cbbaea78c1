//! The cluster as a whole: pause, statistics, events.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::Cluster;
use crate::error::Error;
use crate::kernel::state::query::{self, DayStats};
use crate::kernel::state::{Command, Event};

/// What a follower of [`Cluster::events`] is told.
#[derive(Clone, Debug)]
pub enum News {
    /// Something became part of the state.
    Event(Arc<Event>),
    /// The follower was too slow: so many events are lost to it. Read what you need anew.
    Missed(u64),
}

/// Follows what becomes part of the state, in its order; see [`Cluster::events`].
pub struct Events {
    receiver: broadcast::Receiver<Arc<Event>>,
}

impl Events {
    /// Waits for what is next; `None` after the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<News> {
        match self.receiver.recv().await {
            Ok(event) => Some(News::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(News::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Cluster {
    /// Follows every change that this node applies from now on: jobs, claims, skips, ends.
    ///
    /// What others wrote follows within moments. Never blocks; nobody waits for a follower: one
    /// that lags [`limits::EVENTS_BEHIND_MAX`](crate::limits::EVENTS_BEHIND_MAX) events behind
    /// loses the oldest, and is told how many.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after a shutdown.
    pub fn events(&self) -> Result<Events, Error> {
        Ok(Events { receiver: self.node()?.watch.follow() })
    }

    /// Sets the flag by which every HTTP API of the cluster refuses new and changed jobs.
    ///
    /// What is scheduled goes on, and so do this program's own writes. The flag is part of the
    /// replicated state: it outlives restarts. No fire is skipped for it. Safe to retry.
    ///
    /// # Errors
    ///
    /// Those of [every write](Cluster#writes).
    pub async fn set_paused(&self, paused: bool) -> Result<(), Error> {
        self.node()?.propose_one(Command::SetPaused { paused }).await.map(drop)
    }

    /// Returns the flag that [`Cluster::set_paused`] sets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the state cannot be read.
    pub fn is_paused(&self) -> Result<bool, Error> {
        self.node()?.query(|view| query::is_paused(view))
    }

    /// Returns the finished executions of the last `days` days, oldest first, today (UTC) last.
    ///
    /// 1 to 366 days; other numbers are cut to that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the state cannot be read.
    pub fn stats(&self, days: u32) -> Result<Vec<DayStats>, Error> {
        let node = self.node()?;
        let now = node.now();
        node.query(|view| query::stats(view, now, days.clamp(1, 366)))
    }
}
