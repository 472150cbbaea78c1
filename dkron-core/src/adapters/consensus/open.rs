//! How a node begins to take part in the log: opens it, sees that log, state and snapshot belong
//! together, and stands for election if it is alone.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::apply_thread::ApplyThread;
use super::config::{ConsensusConfig, raft_config};
use super::handle::{Consensus, EntryEvents};
use super::leadership::{Leadership, follow, is_only_voter, rest_if_alone};
use super::log_budget::{LogGrowth, keep_within_budget};
use super::log_storage::LogStorage;
use super::machine::{Machine, MachineOver};
use super::network::Network;
use super::proposer::Proposer;
use super::queue::ProposalQueue;
use super::raft_types::{PeerId, Raft};
use super::state_machine::StateMachine;
use crate::error::{Error, ErrorKind};
use crate::kernel::time::Timestamp;
use crate::ports::{LogStore, Replica, SnapshotStore};

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
        applied: mpsc::Sender<EntryEvents>,
    ) -> Result<Self, Error> {
        let raft_config = raft_config(&config)?;
        let machine: Arc<dyn Machine> = Arc::new(MachineOver { state });
        check_that_they_meet(&*log, &*snapshots, &*machine)?;
        let storage = LogStorage::open(Arc::clone(&log))?;
        let apply = ApplyThread::start(Arc::clone(&machine), Arc::clone(storage.tail()), applied)?;
        let progress = apply.progress();
        let live = apply.live();
        let stop = CancellationToken::new();
        let snapshot_bytes = snapshots.current()?.map_or(0, |stored| stored.bytes);
        let growth = LogGrowth::new(config.log_budget, log.bytes()?, snapshot_bytes, stop.clone());
        let growth = Arc::new(growth);
        let state_machine = StateMachine::new(apply, machine, snapshots, Arc::clone(&growth));

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
            progress: progress.clone(),
            last_at: Timestamp::MIN,
        };
        let tasks = vec![
            tokio::spawn(follow(raft.server_metrics(), progress.clone(), leadership_sender)),
            tokio::spawn(proposer.run(proposals)),
            tokio::spawn(rest_if_alone(raft.clone(), node.clone())),
            tokio::spawn(keep_within_budget(raft.clone(), Arc::clone(&log), growth)),
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

    /// Stands for election at once if nobody else could: the wait is there to let others speak.
    async fn elect_if_alone(&self) -> Result<(), Error> {
        let stopped =
            |error| Error::new(ErrorKind::Stopped, "elect the only member").with_source(error);
        let node = self.node.clone();
        // Asked of openraft itself: what it shows may not be there yet.
        let is_alone = self
            .raft
            .with_raft_state(move |state| is_only_voter(state.membership_state.effective(), &node));
        if is_alone.await.map_err(stopped)? {
            self.raft.trigger().elect(false).await.map_err(stopped)?;
        }
        Ok(())
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
