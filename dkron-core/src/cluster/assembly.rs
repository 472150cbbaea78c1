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
use crate::adapters::consensus::{Consensus, ConsensusConfig, EntryEvents};
use crate::adapters::executor::{
    ExecutorSet, FileShares, HandlerRegistry, HttpExecutor, ShellExecutor,
};
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::driver::{Courier, CourierParts, Runs};
use crate::error::Error;
use crate::kernel::model::NodeName;
use crate::kernel::node::{Engine, EngineConfig};
use crate::kernel::time::Zone;
use crate::limits::{HTTP_RUNS_MAX, RUNS_MAX, SHELL_RUNS_DEFAULT};
use crate::ports::Clock;

/// Records kept in the log though a snapshot covers them.
const LOG_RECORDS_KEPT: u64 = 1_000;

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
        log_bytes_max: storage.log_bytes_max(),
        log_records_kept: LOG_RECORDS_KEPT,
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

/// Makes what decides, in the zone of the server.
pub(super) fn engine(config: &Config, server_zone: Zone) -> Engine {
    let region = config.region.clone();
    Engine::new(EngineConfig { region, server_zone, runs_max: RUNS_MAX })
}

/// Makes what starts claims on this node, on a runtime of their own, and what delivers their
/// results.
pub(super) fn start_courier(
    config: &Config,
    consensus: &Arc<Consensus>,
    storage: &Storage,
    handlers: &Arc<HandlerRegistry>,
    clock: &Arc<dyn Clock>,
    (runtime, workers): (&Runtime, &Runtime),
) -> (Arc<Runs>, Arc<Courier>) {
    let (sender, incoming) = mpsc::unbounded_channel();
    let (clock, handle) = (Arc::clone(clock), workers.handle().clone());
    let runs = Runs::new(Arc::new(executors(config, handlers)), clock, handle, sender);
    let runs = Arc::new(with_places(runs, config.shell_runs));
    let parts = CourierParts {
        log: Arc::clone(consensus) as Arc<_>,
        outbox: Arc::clone(&storage.outbox),
        runs: Arc::clone(&runs),
        incoming,
    };
    let courier = Courier::start(runtime.handle(), parts);
    (runs, Arc::new(courier))
}

/// Bounds the runs that use what the whole machine shares: processes, connections.
fn with_places(runs: Runs, commands_max: Option<usize>) -> Runs {
    let shares = FileShares::of_this_process();
    let commands = commands_max.unwrap_or(SHELL_RUNS_DEFAULT.min(shares.commands));
    if commands > shares.commands {
        tracing::warn!(
            shell_runs = commands,
            files_suffice_for = shares.commands,
            "more commands may run at once than this process may open files for; raise its limit \
             of open files"
        );
    }
    runs.with_places("shell", commands).with_places("http", HTTP_RUNS_MAX.min(shares.requests))
}

/// Returns what this node can run.
fn executors(config: &Config, handlers: &Arc<HandlerRegistry>) -> ExecutorSet {
    let shell = ShellExecutor::new().with_open_files(config.shell_open_files);
    ExecutorSet::new()
        .with("shell", Arc::new(shell))
        .with("http", Arc::new(HttpExecutor::new()))
        .with("handler", Arc::clone(handlers) as Arc<_>)
}
