//! What is done when this node begins or ceases to lead.
//!
//! A node takes office only once everything that its earlier processes left behind is settled:
//! what still runs of them is ended, and their results are part of the state. Decided earlier, a
//! job that forbids overlap would run beside its own past, and a run that has succeeded would be
//! given up as lost. What cannot be settled now is tried again until the term ends, and said.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::adapters::consensus::{ApplyProgress, Leadership};
use crate::adapters::executor::{Leftovers, end_leftovers};
use crate::adapters::storage::StateStore;
use crate::driver::{Backlog, Courier, EngineNews, NewsSender};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::state::query;
use crate::kernel::time::Timestamp;
use crate::ports::{Entropy, Store};

/// The first wait after something could not be settled; doubled up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// How far a node is on the way to its office.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfficeState {
    /// Somebody leads; if it is this node, it is in office.
    pub(super) is_ready: bool,
    /// Why this node, though it leads, is not in office.
    pub(super) obstacle: Option<String>,
}

/// Takes office and leaves it.
pub(super) struct Office {
    pub(super) name: NodeName,
    pub(super) instance: u64,
    pub(super) state: Arc<StateStore>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Tells the time of the last entry.
    pub(super) progress: watch::Receiver<ApplyProgress>,
    pub(super) courier: Arc<Courier>,
    pub(super) news: NewsSender,
    pub(super) told: watch::Sender<OfficeState>,
}

impl Office {
    /// Follows the leadership until the node ends.
    ///
    /// *Owner*: the node's runtime. *Ends* when the log does.
    pub(super) async fn follow(self, mut leadership: watch::Receiver<Leadership>) {
        // The term in which this node holds office.
        let mut held = None;
        loop {
            let now = leadership.borrow_and_update().clone();
            let led = (now.is_leader && now.has_applied_former_terms).then_some(now.term);
            if led != held {
                if held.take().is_some() || led.is_none() {
                    self.tell(EngineNews::Following).await;
                }
                if led.is_some() {
                    tokio::select! {
                        () = self.settle() => {}
                        changed = leadership.changed() => {
                            if changed.is_err() {
                                return;
                            }
                            continue;
                        }
                    }
                    held = led;
                    self.tell(self.leading()).await;
                }
            }
            if now.leader.is_some() && (held.is_some() || !now.is_leader) {
                self.told.send_replace(OfficeState { is_ready: true, obstacle: None });
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says that this node leads, and from when on.
    fn leading(&self) -> EngineNews {
        let last_entry_at = self.progress.borrow().at.unwrap_or(Timestamp::MIN);
        EngineNews::Leading { seed: self.entropy.random_u64(), last_entry_at }
    }

    /// Settles what earlier processes of this node left, however long that takes.
    async fn settle(&self) {
        let mut wait = RETRY_AFTER_MIN;
        while let Err(obstacle) = self.end_leftovers().await {
            self.tell_obstacle(obstacle.report());
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_AFTER_MAX);
        }
        self.courier.hurry();
        let mut backlog = self.courier.backlog();
        loop {
            let now = backlog.borrow_and_update().clone();
            match now {
                Backlog::None => return,
                Backlog::Waiting(None) => {}
                Backlog::Waiting(Some(why)) => {
                    self.tell_obstacle(format!("results in the outbox are not delivered: {why}"));
                }
            }
            if backlog.changed().await.is_err() {
                // The courier ends with the node; until then nothing more is to be done.
                return std::future::pending().await;
            }
        }
    }

    /// Ends processes that runs of earlier processes of this node have left behind.
    async fn end_leftovers(&self) -> Result<(), Error> {
        let (state, name, instance) = (Arc::clone(&self.state), self.name.clone(), self.instance);
        let ended = tokio::task::spawn_blocking(move || {
            let dead = dead_instances(&state, &name, instance)?;
            Ok::<Leftovers, Error>(end_leftovers(&dead))
        });
        let Leftovers { ended, alive, is_unknown } = ended.await.map_err(|_| {
            Error::new(ErrorKind::Internal, "ending old processes panicked; please report it")
        })??;
        if ended > 0 {
            tracing::warn!(processes = ended, "ended processes of an earlier start");
        }
        if is_unknown {
            let text = "cannot see whether processes of an earlier start are left";
            return Err(Error::new(ErrorKind::Unavailable, text));
        }
        if alive.is_empty() {
            return Ok(());
        }
        let text = format!("processes of an earlier start cannot be killed: {alive:?}");
        Err(Error::new(ErrorKind::Unavailable, text))
    }

    /// Says why this node is not in office yet, if that is news.
    fn tell_obstacle(&self, obstacle: String) {
        self.told.send_if_modified(|told| {
            let is_news = told.obstacle.as_ref() != Some(&obstacle);
            if is_news {
                tracing::error!(obstacle, "not in office yet: trying on");
                told.obstacle = Some(obstacle);
            }
            is_news
        });
    }

    async fn tell(&self, news: EngineNews) {
        let sender = self.news.clone();
        // Blocks only while the engine is behind; fails only after it has stopped.
        let _ = tokio::task::spawn_blocking(move || sender.send(news)).await;
    }
}

/// Returns the processes of a node, but for `instance`, that have runs in the state.
fn dead_instances(
    state: &StateStore,
    name: &NodeName,
    instance: u64,
) -> Result<BTreeSet<u64>, Error> {
    let view = state.read()?;
    let running = query::running(&view, None, usize::MAX).map_err(|error| {
        Error::new(ErrorKind::Storage, "read running executions").with_source(error)
    })?;
    let dead = running
        .into_iter()
        .filter(|execution| execution.id.node == *name && execution.instance != instance)
        .map(|execution| execution.instance)
        .collect();
    Ok(dead)
}

#[cfg(test)]
#[path = "office_test.rs"]
mod tests;
