//! The cluster as a whole: pause, statistics, events.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::Cluster;
use crate::driver::{AsksForStarts, StartedRun, Told, Watch};
use crate::error::Error;
use crate::kernel::state::query::{self, DayStats};
use crate::kernel::state::{Command, Event};

/// What a follower of [`Cluster::events`] is told.
#[derive(Clone, Debug)]
pub enum News {
    /// Something became part of the state.
    Event(Arc<Event>),
    /// An execution begins on this node; told to those who asked for it, see
    /// [`Events::with_starts`]. Its end follows as an event.
    Started(Arc<StartedRun>),
    /// The follower was too slow: so many events are lost to it. Read what you need anew.
    Missed(u64),
}

/// Follows what becomes part of the state, in its order; see [`Cluster::events`].
pub struct Events {
    receiver: broadcast::Receiver<Told>,
    watch: Arc<Watch>,
    /// Present if starts are asked for.
    starts: Option<AsksForStarts>,
}

impl Events {
    /// Asks to be told of executions as well that begin on this node, from now on: a claim says
    /// that one is about to, and may be taken back or wait for a place.
    #[must_use]
    pub fn with_starts(mut self) -> Self {
        self.starts.get_or_insert_with(|| self.watch.ask_for_starts());
        self
    }

    /// Waits for what is next; `None` after the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            return match self.receiver.recv().await {
                Ok(Told::Event(event)) => Some(News::Event(event)),
                Ok(Told::Started(run)) if self.starts.is_some() => Some(News::Started(run)),
                // Told because of others.
                Ok(Told::Started(_)) => continue,
                Err(broadcast::error::RecvError::Lagged(missed)) => Some(News::Missed(missed)),
                Err(broadcast::error::RecvError::Closed) => None,
            };
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
        let watch = Arc::clone(&self.node()?.watch);
        Ok(Events { receiver: watch.follow(), watch, starts: None })
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
