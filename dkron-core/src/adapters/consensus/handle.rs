//! The handle of a node's part in the replicated log: opens it, proposes, tells who leads, stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use openraft::{Config, SnapshotPolicy as RaftSnapshotPolicy};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::apply_thread::{ApplyThread, Progress};
use super::leadership::{Leadership, follow, is_only_voter, rest_if_alone};
use super::log_storage::LogStorage;
use super::machine::{Machine, MachineOver};
use super::network::Network;
use super::proposer::{Pending, ProposalQueue, Proposer};
use super::raft_types::{Peer, PeerId, Raft};
use super::state_machine::{SnapshotPolicy, StateMachine};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::state::{Envelope, Event, Outcome};
use crate::kernel::time::Timestamp;
use crate::limits::PROPOSAL_WAIT_MAX;
use crate::ports::{Clock, Log, LogFuture, LogStore, Replica, SnapshotStore};

/// Time between two heartbeats of a leader, at a multiplier of 1.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// The shortest silence of a leader after which others stand for election, at a multiplier of 1.
const ELECTION_MIN: Duration = Duration::from_millis(1_000);
/// The longest one, so that they do not all stand at once.
const ELECTION_MAX: Duration = Duration::from_millis(2_000);
/// How long the transfer of a snapshot may take.
const SNAPSHOT_TRANSFER_MAX: Duration = Duration::from_secs(300);
/// Records that are purged at once.
const PURGE_BATCH: u64 = 64;
/// Entries that one message to another node holds at most.
const ENTRIES_PER_MESSAGE_MAX: u64 = 1_024;

/// How a node takes part.
pub struct ConsensusConfig {
    /// The name of this node: its identity in the cluster.
    pub node: NodeName,
    /// Stretches all times of the protocol: 1 to 10. Default in Dkron: 1.
    pub raft_multiplier: u32,
    /// Bytes of log after which a snapshot is due. A larger snapshot allows for a larger log.
    pub log_bytes_max: u64,
    /// Records kept though a snapshot covers them, so that a node that lags a little catches up
    /// from the log. Default: 1,000.
    pub log_records_kept: u64,
    /// The clock that gives entries their time.
    pub clock: Arc<dyn Clock>,
}

/// An entry that has taken effect on this node.
#[derive(Debug)]
pub struct Applied {
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
    raft: Raft,
    node: PeerId,
    queue: ProposalQueue,
    leadership: watch::Receiver<Leadership>,
    progress: watch::Receiver<Progress>,
    log: Arc<dyn LogStore>,
    runtime: Handle,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Consensus {
    /// Opens the log and the state, and takes part from now on.
    ///
    /// A node that is the only voter of its cluster leads within milliseconds of this. Events of
    /// entries applied after this returns go to `applied`; read them all the time, for nothing more
    /// is applied when the channel is full. Call within the node's runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the log, the state or the snapshot cannot be read or do not belong
    /// together, [`ErrorKind::InvalidArgument`] for a multiplier out of range.
    pub async fn open<S: Replica>(
        config: ConsensusConfig,
        log: Arc<dyn LogStore>,
        snapshots: Arc<dyn SnapshotStore>,
        state: Arc<S>,
        applied: mpsc::Sender<Applied>,
    ) -> Result<Self, Error> {
        let raft_config = raft_config(&config)?;
        let machine: Arc<dyn Machine> = Arc::new(MachineOver { state });
        check_that_they_meet(&*log, &*snapshots, &*machine)?;
        let storage = LogStorage::open(Arc::clone(&log))?;
        let apply = ApplyThread::start(Arc::clone(&machine), Arc::clone(storage.tail()), applied)?;
        let progress = apply.progress();
        let live = apply.live();
        let stop = CancellationToken::new();
        let policy = Arc::new(SnapshotPolicy {
            log_bytes_max: config.log_bytes_max,
            log_bytes: AtomicU64::new(log.bytes()?),
            snapshot_bytes: AtomicU64::new(snapshots.current()?.map_or(0, |stored| stored.bytes)),
            is_due: AtomicBool::new(false),
            due: Notify::new(),
            stop: stop.clone(),
        });
        let state_machine = StateMachine::new(apply, machine, snapshots, Arc::clone(&policy));

        let node = PeerId::of(&config.node);
        let raft = Raft::build(node.clone(), raft_config, Network, storage, state_machine)
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Storage, "open the log and the state").with_source(error)
            })?;
        live.store(true, Ordering::Release);
        raft.run();

        let (leadership_sender, leadership) = watch::channel(Leadership::default());
        let (queue, proposals) = ProposalQueue::new();
        let proposer = Proposer {
            raft: raft.clone(),
            log: Arc::clone(&log),
            leadership: leadership.clone(),
            clock: config.clock,
            last_at: progress.borrow().at.unwrap_or(Timestamp::MIN),
        };
        let tasks = vec![
            tokio::spawn(follow(raft.server_metrics(), progress.clone(), leadership_sender)),
            tokio::spawn(proposer.run(proposals)),
            tokio::spawn(rest_if_alone(raft.clone(), node.clone())),
            tokio::spawn(ask_for_snapshots(raft.clone(), policy)),
        ];
        let consensus = Self {
            raft,
            node,
            queue,
            leadership,
            progress,
            log,
            runtime: Handle::current(),
            stop,
            tasks: Mutex::new(tasks),
        };
        consensus.elect_if_alone().await?;
        Ok(consensus)
    }

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

    /// Stands for election at once if nobody else could: the wait is there to let others speak.
    async fn elect_if_alone(&self) -> Result<(), Error> {
        let is_alone = {
            let metrics = self.raft.server_metrics();
            let server = metrics.borrow_watched();
            is_only_voter(&server, &self.node)
        };
        if is_alone {
            self.raft.trigger().elect(false).await.map_err(|error| {
                Error::new(ErrorKind::Stopped, "elect the only member").with_source(error)
            })?;
        }
        Ok(())
    }
}

/// How often a node that stops looks whether its proposals are answered.
const SHUTDOWN_LOOK_PERIOD: Duration = Duration::from_millis(2);
/// How long a node that stops waits for openraft.
const SHUTDOWN_RAFT_MAX: Duration = Duration::from_secs(2);

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

/// Asks openraft for a snapshot when one is due.
///
/// *Owner*: the node's runtime. *Inputs*: one notice. *Ends* when openraft has ended.
async fn ask_for_snapshots(raft: Raft, policy: Arc<SnapshotPolicy>) {
    loop {
        policy.due.notified().await;
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Sees that the state, or a snapshot, reaches up to the log that is left.
fn check_that_they_meet(
    log: &dyn LogStore,
    snapshots: &dyn SnapshotStore,
    machine: &dyn Machine,
) -> Result<(), Error> {
    let purged = log.bounds()?.purged;
    let applied = machine.applied()?.mark.map(|mark| mark.position);
    let snapshot = snapshots.current()?.map(|stored| stored.position);
    if purged <= applied.max(snapshot) {
        return Ok(());
    }
    let message = "neither the state nor a snapshot reaches the log that is left: restore a backup";
    Err(Error::new(ErrorKind::Storage, message))
}

fn raft_config(config: &ConsensusConfig) -> Result<Arc<Config>, Error> {
    let multiplier = config.raft_multiplier;
    if !(1..=10).contains(&multiplier) {
        let message = format!("raft-multiplier must be within 1 to 10, found {multiplier}");
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let ms = |time: Duration| (time * multiplier).as_millis() as u64;
    let raft_config = Config {
        cluster_name: "dkron".to_owned(),
        heartbeat_interval: ms(HEARTBEAT),
        election_timeout_min: ms(ELECTION_MIN),
        election_timeout_max: ms(ELECTION_MAX),
        install_snapshot_timeout: SNAPSHOT_TRANSFER_MAX.as_millis() as u64,
        // Asked for by the size of the log instead, see `SnapshotPolicy`.
        snapshot_policy: RaftSnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: config.log_records_kept,
        purge_batch_size: PURGE_BATCH,
        max_payload_entries: ENTRIES_PER_MESSAGE_MAX,
        enable_pre_vote: Some(true),
        // A new start is a new term: whoever led before it is told apart by that.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    raft_config.validate().map(Arc::new).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "times of the protocol").with_source(error)
    })
}

#[cfg(test)]
#[path = "handle_test.rs"]
pub mod tests;
