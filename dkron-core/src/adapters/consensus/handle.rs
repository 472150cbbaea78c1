//! The handle of a node's part in the replicated log: proposes, tells who leads, stops.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::apply_thread::ApplyProgress;
use super::leadership::Leadership;
use super::queue::ProposalQueue;
use super::raft_types::{Peer, PeerId, Raft};
use super::ticket::Pending;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Envelope, Event, Outcome};
use crate::kernel::time::Timestamp;
use crate::limits::PROPOSAL_WAIT_MAX;
use crate::ports::{Histogram, Log, LogFuture, LogStore};

/// An entry that has taken effect on this node.
#[derive(Debug)]
pub struct EntryEvents {
    /// Its index in the log.
    pub index: u64,
    /// Its time: the proposer's clock, and never before that of an earlier entry of the same
    /// leader.
    pub at: Timestamp,
    /// What it made known.
    pub events: Vec<Event>,
}

/// Where the log of this node stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsensusMetrics {
    /// The last record of the log.
    pub last_log_index: Option<u64>,
    /// The last one applied.
    pub applied_index: Option<u64>,
    /// The last one that the newest snapshot covers.
    pub snapshot_index: Option<u64>,
    /// The last one that was purged.
    pub purged_index: Option<u64>,
    /// Bytes of commands that wait or are under way, about.
    pub proposed_bytes: usize,
}

/// A node's part in the replicated log.
pub struct Consensus {
    pub(super) raft: Raft,
    pub(super) node: PeerId,
    pub(super) queue: ProposalQueue,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) progress: watch::Receiver<ApplyProgress>,
    pub(super) log: Arc<dyn LogStore>,
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Consensus {
    /// Forms a cluster of this node alone, with an id that no other cluster has. Does nothing if
    /// the node belongs to a cluster already; returns whether it formed one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if the node has stopped, [`ErrorKind::DiskFull`] if the disk is full.
    pub async fn bootstrap(&self, cluster_id: u128) -> Result<bool, Error> {
        if self.cluster_id().is_some() {
            return Ok(false);
        }
        self.log.check_writable()?;
        let members = BTreeMap::from([(self.node.clone(), Peer { cluster_id })]);
        match self.raft.initialize(members).await {
            Ok(()) => Ok(true),
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(false),
            Err(error) => Err(Error::new(ErrorKind::Stopped, "form a cluster").with_source(error)),
        }
    }

    /// Returns the id of the cluster that this node belongs to; `None` before it is in one.
    pub fn cluster_id(&self) -> Option<u128> {
        let metrics = self.raft.server_metrics();
        let server = metrics.borrow_watched();
        let mut nodes = server.membership_config.membership().nodes();
        nodes.next().map(|(_, peer)| peer.cluster_id)
    }

    /// Proposes commands; resolves when they are durable on a majority and applied on this node.
    ///
    /// Outcomes come in the order of the commands. Commands of one call travel in as few entries
    /// as hold them; each entry takes effect as a whole or not at all. Dropping the future does not
    /// take back what was handed to the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLeader`] if another node leads, [`ErrorKind::LimitExceeded`] if too much
    /// waits already, [`ErrorKind::DiskFull`] while the disk is full,
    /// [`ErrorKind::DeadlineExceeded`] after [`PROPOSAL_WAIT_MAX`], [`ErrorKind::Stopped`] if the
    /// node has stopped. The write may have happened all the same exactly if
    /// [`Error::may_have_happened`] says so.
    pub fn propose(&self, commands: Vec<Envelope>) -> LogFuture {
        // At once, for the queue does not move while the disk is full; and not at all in a child of
        // a fork.
        if let Err(error) = self.log.check_accepting() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let pending = match self.queue.push(commands) {
            Ok(pending) => pending,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        // The timer belongs to this runtime, whoever polls the future.
        let _context = self.runtime.enter();
        let deadline = tokio::time::sleep(PROPOSAL_WAIT_MAX);
        Box::pin(answer(pending, deadline))
    }

    /// Follows who leads.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Follows how far the state is applied, and to what time.
    pub fn progress(&self) -> watch::Receiver<ApplyProgress> {
        self.progress.clone()
    }

    /// Tells where the log stands.
    pub fn metrics(&self) -> ConsensusMetrics {
        let metrics = self.raft.metrics();
        let raft = metrics.borrow_watched();
        ConsensusMetrics {
            last_log_index: raft.last_log_index,
            applied_index: self.progress.borrow().position.map(|position| position.index),
            snapshot_index: raft.snapshot.as_ref().map(|log_id| log_id.index()),
            purged_index: raft.purged.as_ref().map(|log_id| log_id.index()),
            proposed_bytes: self.queue.bytes(),
        }
    }

    /// Returns how long proposals took that have taken effect, from the queue to the state.
    pub fn commit_time(&self) -> Histogram {
        self.queue.commit_time()
    }

    /// Returns about how much the log takes on the disk, in bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it cannot be read, [`ErrorKind::Stopped`] in a forked child.
    pub fn log_bytes(&self) -> Result<u64, Error> {
        self.log.bytes()
    }

    /// Resolves when the node cannot go on, with the reason: its storage failed, or a fault of
    /// ours.
    pub async fn failed(&self) -> Error {
        let mut metrics = self.raft.metrics();
        loop {
            let fatal = metrics.borrow_watched().running_state.clone().err();
            match fatal {
                Some(openraft::errors::Fatal::Stopped) => {
                    return Error::new(ErrorKind::Stopped, "the node has stopped");
                }
                Some(error @ openraft::errors::Fatal::StorageError(_)) => {
                    let message = "the storage of the node has failed";
                    return Error::new(ErrorKind::Storage, message).with_source(error);
                }
                Some(error @ openraft::errors::Fatal::Panicked) => {
                    let message = "the log of the node has panicked";
                    return Error::new(ErrorKind::Internal, message).with_source(error);
                }
                None => {}
            }
            if metrics.changed().await.is_err() {
                return Error::new(ErrorKind::Stopped, "the node has stopped");
            }
        }
    }

    /// Stops taking part. What is proposed from now on is refused; what was handed to the log has
    /// until `limit` to be answered. Resolves after `limit` and a moment at the latest.
    pub async fn shutdown(&self, limit: Duration) {
        self.queue.close();
        let answered = async {
            while self.queue.bytes() > 0 {
                tokio::time::sleep(SHUTDOWN_LOOK_PERIOD).await;
            }
        };
        if tokio::time::timeout(limit, answered).await.is_err() {
            tracing::warn!("stopped while proposals were under way");
        }
        self.stop.cancel();
        if tokio::time::timeout(SHUTDOWN_RAFT_MAX, self.raft.shutdown()).await.is_err() {
            tracing::warn!("stopped without waiting for the log any longer");
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // Cancelled, which is no error here.
            let _ = task.await;
        }
    }
}

/// How often a node that stops looks whether its proposals are answered.
const SHUTDOWN_LOOK_PERIOD: Duration = Duration::from_millis(2);
/// How long a node that stops waits for openraft, after its proposals.
pub(crate) const SHUTDOWN_RAFT_MAX: Duration = Duration::from_secs(2);

impl Log for Consensus {
    fn propose(&self, commands: Vec<Envelope>) -> LogFuture {
        Consensus::propose(self, commands)
    }
}

/// Waits for the answer of a proposal.
async fn answer(mut pending: Pending, deadline: tokio::time::Sleep) -> Result<Vec<Outcome>, Error> {
    let error = tokio::select! {
        // An answer that is there counts, however late it is looked at.
        biased;
        answered = &mut pending.answer => match answered {
            Ok(answer) => return answer,
            Err(_) => Error::new(ErrorKind::Stopped, "propose: the node has stopped"),
        },
        () = deadline => {
            let seconds = PROPOSAL_WAIT_MAX.as_secs();
            let message = format!("propose: no answer within {seconds} s");
            Error::new(ErrorKind::DeadlineExceeded, message)
        }
    };
    Err(if pending.give_up() { error.maybe_happened() } else { error })
}

#[cfg(test)]
#[path = "handle_test.rs"]
pub mod tests;
