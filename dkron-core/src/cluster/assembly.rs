//! What a node is made of: its storage, its log, its engine, its executors, and what delivers their
//! results.
//!
//! Here stands which adapter is behind which port. When the parts begin and end is for `life` and
//! `ending` to say.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::Config;
use super::config::DataLocation;
use super::owned::NodeRuntime;
use crate::adapters::consensus::{Consensus, ConsensusConfig, EntryEvents, LogBudget};
use crate::adapters::executor::{
    ExecutorSet, FileShares, HandlerRegistry, HttpExecutor, ShellExecutor,
};
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::driver::{Courier, CourierParts, Runs, Watch};
use crate::error::Error;
use crate::kernel::model::NodeName;
use crate::kernel::node::{Engine, EngineConfig};
use crate::kernel::time::Zone;
use crate::limits::{HTTP_RUNS_MAX, RUNS_MAX, SHELL_RUNS_DEFAULT};
use crate::ports::Clock;

/// Records kept in the log though a snapshot covers them; fewer if they are large.
const LOG_RECORDS_KEPT: u64 = 1_000;

/// Threads of the node's own tasks: the log, the courier, whoever waits. Runs have threads of their
/// own, so that a function which blocks them holds up neither the log nor a shutdown.
const NODE_THREADS: usize = 1;

/// Threads for what blocks of the node's own, at most: results kept, snapshots, calls of
/// [`Cluster::apply`](crate::Cluster::apply). Nothing of it hangs while the disk does not.
const NODE_BLOCKING_THREADS_MAX: usize = 512;

/// Threads for what blocks on the runtime of the runs, beside one for each place of its executors:
/// for `spawn_blocking` in async handlers, who have as many in a runtime of their own as a rule,
/// and for what goes on, such as the look-up of a name, after its run has been given up.
const BLOCKING_THREADS_BESIDE: usize = 512;

/// Opens the storage that the configuration names.
pub(super) fn open_storage(config: &Config, node: &NodeName) -> Result<Storage, Error> {
    match &config.data {
        DataLocation::Memory => Ok(Storage::in_memory()),
        DataLocation::Dir(path) => Storage::open(&DataDirConfig {
            path: path.clone(),
            node: node.clone(),
            allow_network_file_system: config.allow_network_storage,
        }),
    }
}

/// Opens the log, and forms a cluster of this node if it belongs to none; returns whether it did.
pub(super) fn open_log(
    config: &Config,
    node: &NodeName,
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    cluster_id: u128,
    applied: mpsc::Sender<EntryEvents>,
    runtime: &NodeRuntime,
) -> Result<(Arc<Consensus>, bool), Error> {
    let config = ConsensusConfig {
        node: node.clone(),
        raft_multiplier: config.raft_multiplier,
        log_budget: LogBudget {
            bytes_max: storage.log_bytes_max(),
            bytes_ceiling: storage.log_bytes_ceiling(),
            records_kept: LOG_RECORDS_KEPT,
        },
        clock: Arc::clone(clock),
    };
    let (log, snapshots) = (Arc::clone(&storage.log), Arc::clone(&storage.snapshots));
    let state = Arc::clone(&storage.state);
    runtime.wait(async move {
        let consensus = Consensus::open(config, log, snapshots, state, applied).await?;
        let has_formed = consensus.bootstrap(cluster_id).await?;
        Ok((Arc::new(consensus), has_formed))
    })?
}

/// Starts the runtimes of the node's own tasks, of the runs, and of what begins them.
pub(super) fn start_runtimes(
    config: &Config,
    places: &RunPlaces,
) -> Result<[NodeRuntime; 3], Error> {
    let (threads, blocking) = (config.worker_threads, places.blocking_threads_max());
    Ok([
        NodeRuntime::start(NODE_THREADS, NODE_BLOCKING_THREADS_MAX, "dkron-node")?,
        NodeRuntime::start(threads, blocking, "dkron-worker")?,
        NodeRuntime::start_blocking(threads, "dkron-starter")?,
    ])
}

/// Makes what decides, in the zone of the server.
pub(super) fn engine(config: &Config, server_zone: Zone) -> Engine {
    let region = config.region.clone();
    Engine::new(EngineConfig { region, server_zone, runs_max: RUNS_MAX })
}

/// Makes what starts claims on this node, on runtimes of their own, and what delivers their
/// results.
pub(super) fn start_courier(
    config: &Config,
    consensus: &Arc<Consensus>,
    storage: &Storage,
    handlers: &Arc<HandlerRegistry>,
    (clock, watch): (&Arc<dyn Clock>, &Arc<Watch>),
    (runtime, workers, starters): (&Runtime, &Runtime, &Runtime),
    places: &RunPlaces,
) -> (Arc<Runs>, Arc<Courier>) {
    let (sender, incoming) = mpsc::unbounded_channel();
    let (clock, handle) = (Arc::clone(clock), workers.handle().clone());
    let runs = Runs::new(Arc::new(executors(config, handlers)), clock, handle, sender)
        .with_starters(starters.handle().clone())
        .with_watch(Arc::clone(watch))
        .with_places("shell", places.shell)
        .with_places("http", places.http);
    let runs = Arc::new(runs);
    let parts = CourierParts {
        log: Arc::clone(consensus) as Arc<_>,
        outbox: Arc::clone(&storage.outbox),
        runs: Arc::clone(&runs),
        incoming,
    };
    let courier = Courier::start(runtime.handle(), parts);
    (runs, Arc::new(courier))
}

/// How many runs go on at once of those that use what the whole machine shares: processes,
/// connections.
pub(super) struct RunPlaces {
    shell: usize,
    http: usize,
}

impl RunPlaces {
    /// Returns what the configuration and the files of the process permit.
    pub(super) fn of(config: &Config) -> Self {
        let shares = FileShares::of_this_process();
        let commands = config.shell_runs.unwrap_or(SHELL_RUNS_DEFAULT.min(shares.commands));
        if commands > shares.commands {
            tracing::warn!(
                shell_runs = commands,
                files_suffice_for = shares.commands,
                "more commands may run at once than this process may open files for; raise its \
                 limit of open files"
            );
        }
        Self { shell: commands, http: HTTP_RUNS_MAX.min(shares.requests) }
    }

    /// Returns how many threads for what blocks the runtime of the runs needs.
    ///
    /// A command, and a request, uses one at a time: to look up a user or a name, to enter a
    /// directory, to read a certificate, to look at its processes. Any of these may hang, with a
    /// mounted disk or a name service, so each place has a thread, and no run waits for one that
    /// another keeps. [`BLOCKING_THREADS_BESIDE`] are for everything else. Runs *begin* on threads
    /// that are not among these.
    pub(super) fn blocking_threads_max(&self) -> usize {
        self.shell + self.http + BLOCKING_THREADS_BESIDE
    }
}

/// Returns what this node can run.
fn executors(config: &Config, handlers: &Arc<HandlerRegistry>) -> ExecutorSet {
    let shell = ShellExecutor::new().with_open_files(config.shell_open_files);
    ExecutorSet::new()
        .with("shell", Arc::new(shell))
        .with("http", Arc::new(HttpExecutor::new()))
        .with("handler", Arc::clone(handlers) as Arc<_>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_run_has_a_thread_for_what_blocks() {
        let places = RunPlaces::of(&Config::new("n").shell_runs(7));
        assert_eq!(places.shell, 7);
        assert!(places.blocking_threads_max() > places.shell + places.http);
    }
}
