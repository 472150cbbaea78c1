//! How a node comes to life, and ends.
//!
//! # How long an end takes
//!
//! Beside the patience with running executions there are bounds for what should take no time:
//! [`IDLE_WAIT_MAX`], [`CANCEL_GRACE`](limits::CANCEL_GRACE) and [`REPORTS_WAIT_MAX`] if executions
//! outlast that patience, [`PROPOSALS_WAIT_MAX`], [`KEEP_WAIT_MAX`], the wait of `gate` for calls
//! under way, [`RUNTIME_WAIT_MAX`] and [`CLOSE_WAIT_MAX`]: 20 seconds in all, should every one of
//! them be used up.

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};

use super::Config;
use super::config::DataLocation;
use super::node::Node;
use super::office::{Office, OfficeState};
use super::owned::{EngineThread, Fatal, NodeRuntime, NodeStorage};
use crate::adapters::clock::SystemClock;
use crate::adapters::consensus::{Applied, Consensus, ConsensusConfig};
use crate::adapters::entropy::SystemEntropy;
use crate::adapters::executor::{ExecutorSet, HandlerRegistry, HttpExecutor, ShellExecutor};
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::driver::{
    Courier, CourierParts, Driver, DriverParts, NEWS_MAX, News, NewsSender, Runs, Watch,
};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::node::{Engine, EngineConfig};
use crate::kernel::time::Zone;
use crate::limits;
use crate::ports::{Clock, Entropy};

/// How long a start waits for a leader.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Records kept in the log though a snapshot covers them.
const LOG_RECORDS_KEPT: u64 = 1_000;

/// How long an end waits for what blocks on the runtime's threads.
const RUNTIME_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long an end waits for the threads of the storage.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a shutdown waits for decisions that are under way, and for claims to start.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a shutdown waits for the reports of runs that it has ended.
const REPORTS_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a shutdown waits for proposals that are under way; the log's own end takes two seconds
/// more at the most.
const PROPOSALS_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a shutdown waits until results that are not acknowledged are in the outbox.
const KEEP_WAIT_MAX: Duration = Duration::from_secs(4);

/// Entries that are applied and wait for the engine to hear of them.
const APPLIED_MAX: usize = 64;

impl Node {
    /// Starts a node with a checked configuration; returns once it can commit a write. Blocks.
    pub(super) fn start(config: Config) -> Result<Self, Error> {
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::InvalidArgument, error.to_string())
        };
        let name = NodeName::parse(&config.node_name).map_err(|error| invalid(&error))?;
        let zone =
            Zone::parse(&config.server_timezone, Zone::UTC).map_err(|error| invalid(&error))?;
        let storage = NodeStorage::new(open_storage(&config, &name)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::open()?);
        let instance = entropy.random_u64();
        let runtime = NodeRuntime::start(config.worker_threads)?;

        let (applied_sender, applied) = mpsc::channel(APPLIED_MAX);
        let cluster_id = entropy.request_id().0;
        let log = open_log(&config, &name, &storage, &clock, cluster_id, applied_sender, &runtime);
        let consensus = match log {
            Ok(consensus) => consensus,
            Err(error) => {
                runtime.end(RUNTIME_WAIT_MAX);
                storage.close(CLOSE_WAIT_MAX);
                return Err(error);
            }
        };
        let handlers = Arc::new(HandlerRegistry::new(config.handler_threads));
        let executors = executors(&handlers);
        let (runs, courier) = start_courier(&consensus, &storage, executors, &clock, &runtime);

        let watch = Arc::new(Watch::new());
        let (news, incoming) = sync_channel(NEWS_MAX);
        let driver = Driver::new(DriverParts {
            engine: Engine::new(EngineConfig { region: config.region.clone(), server_zone: zone }),
            store: Arc::clone(&storage.state),
            log: Arc::clone(&consensus) as Arc<_>,
            clock: Arc::clone(&clock),
            runs: Arc::clone(&runs),
            watch: Arc::clone(&watch),
            runtime: runtime.handle().clone(),
            sender: news.clone(),
        });
        let fatal = Arc::new(Fatal::default());
        let told = Arc::clone(&watch);
        let engine = EngineThread::start(
            news.clone(),
            Arc::clone(&fatal),
            move || driver.run(&incoming),
            move || told.close(),
        )?;
        let node = Self {
            name,
            zone,
            config,
            instance,
            clock,
            entropy,
            engine,
            storage,
            consensus,
            runs,
            courier,
            watch,
            handlers,
            news,
            fatal,
            runtime,
        };
        if let Err(error) = node.take_up(applied) {
            node.give_up();
            return Err(error);
        }
        let starts = node.storage.data_dir.as_ref().map_or(1, |dir| dir.generation());
        tracing::info!(node = %node.name, starts, "the node is at work");
        Ok(node)
    }

    /// Connects the log to the engine, and waits until somebody leads.
    fn take_up(&self, applied: mpsc::Receiver<Applied>) -> Result<(), Error> {
        let _ = self.news.send(News::Nodes(self.nodes()));
        let (told, state) = watch::channel(OfficeState::default());
        let office = Office {
            name: self.name.clone(),
            instance: self.instance,
            state: Arc::clone(&self.storage.state),
            entropy: Arc::clone(&self.entropy),
            courier: Arc::clone(&self.courier),
            news: self.news.clone(),
            told,
        };
        let (consensus, fatal) = (Arc::clone(&self.consensus), Arc::clone(&self.fatal));
        self.runtime.spawn(end_together(consensus, fatal, self.news.clone()));
        self.runtime.spawn(bring_events(applied, self.news.clone()));
        self.runtime.spawn(office.follow(self.consensus.leadership()));
        let mut ready = state.clone();
        let led = wait(self.runtime.handle(), async move {
            let ready = ready.wait_for(|state| state.is_ready);
            matches!(tokio::time::timeout(LEADER_WAIT_MAX, ready).await, Ok(Ok(_)))
        })?;
        if led {
            return Ok(());
        }
        // A vote is a write: if the disk has no space for it, that is the reason.
        self.storage.health.check_writable()?;
        let mut text = format!("no leader within {} s", LEADER_WAIT_MAX.as_secs());
        let obstacle = state.borrow().obstacle.clone();
        for reason in [self.fatal.get(), obstacle.as_deref()].into_iter().flatten() {
            text = format!("{text}: {reason}");
        }
        Err(Error::new(ErrorKind::Unavailable, text))
    }

    /// Takes a node apart that did not come to life.
    fn give_up(self) {
        if let Err(error) = self.stop().and_then(|()| self.end()) {
            tracing::warn!(error = error.report(), "a node that failed to start did not end well");
        }
    }

    /// Claims nothing more, and waits for running executions: `patience`, then ends them.
    pub(super) fn drain(&self, patience: Duration) -> Result<(), Error> {
        let (sender, idle) = tokio::sync::oneshot::channel();
        // Fails only if the engine has stopped; then nothing is under way.
        let _ = self.news.send(News::Drain(sender));
        let runs = Arc::clone(&self.runs);
        wait(self.runtime.handle(), async move {
            let _ = tokio::time::timeout(IDLE_WAIT_MAX, idle).await;
            if tokio::time::timeout(patience, runs.drained()).await.is_ok() {
                return;
            }
            tracing::warn!(runs = runs.count(), "runs outlast the shutdown: ending them");
            runs.cancel_all();
            let grace = limits::CANCEL_GRACE + REPORTS_WAIT_MAX;
            if tokio::time::timeout(grace, runs.drained()).await.is_err() {
                let left = runs.count();
                tracing::error!(runs = left, "runs do not end, or cannot be reported: left behind");
            }
        })
    }

    /// Stops the log and the engine: proposals that are under way are answered, if only with an
    /// error; results that are not acknowledged are in the outbox; and whoever waits is told.
    pub(super) fn stop(&self) -> Result<(), Error> {
        let (consensus, courier) = (Arc::clone(&self.consensus), Arc::clone(&self.courier));
        let kept = wait(self.runtime.handle(), async move {
            consensus.shutdown(PROPOSALS_WAIT_MAX).await;
            tokio::time::timeout(KEEP_WAIT_MAX, courier.close()).await.unwrap_or_else(|_| {
                let text = "results that are not handed in could not be kept in time";
                Err(Error::new(ErrorKind::Storage, text))
            })
        });
        self.engine.stop();
        kept?
    }

    /// Ends the threads and closes the data directory.
    pub(super) fn end(self) -> Result<(), Error> {
        let Self { runtime, storage, consensus, engine, .. } = self;
        let ended = engine.join();
        runtime.end(RUNTIME_WAIT_MAX);
        // Holds a part of the storage; the other parts went with the engine and the runtime.
        drop(consensus);
        if storage.close(CLOSE_WAIT_MAX) {
            return ended;
        }
        let text = "the data directory stays locked: something of the node still uses it";
        ended.and(Err(Error::new(ErrorKind::DeadlineExceeded, text)))
    }
}

/// Ends the log with the engine, and the engine with the log: alone, neither is of use.
///
/// *Owner*: the node's runtime. *Ends* with the node.
async fn end_together(consensus: Arc<Consensus>, fatal: Arc<Fatal>, news: NewsSender) {
    tokio::select! {
        // In whatever way it ends.
        error = consensus.failed() => {
            if error.kind() != ErrorKind::Stopped {
                tracing::error!(error = error.report(), "the node has stopped itself");
            }
            fatal.set(error.report());
            // Blocks only while the engine is behind; fails only after it has stopped.
            let _ = tokio::task::spawn_blocking(move || news.send(News::Stop)).await;
        }
        () = fatal.told() => consensus.shutdown(PROPOSALS_WAIT_MAX).await,
    }
}

/// Brings what is applied to the engine, in its order.
///
/// *Owner*: the node's runtime. *Bound*: one batch at a time. *Ends* with the log.
async fn bring_events(mut applied: mpsc::Receiver<Applied>, news: NewsSender) {
    while let Some(applied) = applied.recv().await {
        tracing::trace!(index = applied.index, at = %applied.at, "applied");
        if let Err(std::sync::mpsc::TrySendError::Full(waiting)) =
            news.try_send(News::Applied(applied.events))
        {
            let news = news.clone();
            let _ = tokio::task::spawn_blocking(move || news.send(waiting)).await;
        }
    }
}

fn open_storage(config: &Config, node: &NodeName) -> Result<Storage, Error> {
    match &config.data {
        DataLocation::Memory => Ok(Storage::in_memory()),
        DataLocation::Dir(path) => Storage::open(&DataDirConfig {
            path: path.clone(),
            node: node.clone(),
            allow_network_file_system: config.allow_network_storage,
        }),
    }
}

/// Opens the log, and forms a cluster of this node if it belongs to none.
fn open_log(
    config: &Config,
    node: &NodeName,
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    cluster_id: u128,
    applied: mpsc::Sender<Applied>,
    runtime: &Runtime,
) -> Result<Arc<Consensus>, Error> {
    let config = ConsensusConfig {
        node: node.clone(),
        raft_multiplier: config.raft_multiplier,
        log_bytes_max: storage.log_bytes_max(),
        log_records_kept: LOG_RECORDS_KEPT,
        clock: Arc::clone(clock),
    };
    let (log, snapshots) = (Arc::clone(&storage.log), Arc::clone(&storage.snapshots));
    let state = Arc::clone(&storage.state);
    wait(runtime.handle(), async move {
        let consensus = Consensus::open(config, log, snapshots, state, applied).await?;
        consensus.bootstrap(cluster_id).await?;
        Ok(Arc::new(consensus))
    })?
}

/// Makes what starts claims on this node, and what delivers their results.
fn start_courier(
    consensus: &Arc<Consensus>,
    storage: &Storage,
    executors: ExecutorSet,
    clock: &Arc<dyn Clock>,
    runtime: &Runtime,
) -> (Arc<Runs>, Arc<Courier>) {
    let (sender, incoming) = mpsc::unbounded_channel();
    let (clock, handle) = (Arc::clone(clock), runtime.handle().clone());
    let runs = Arc::new(Runs::new(Arc::new(executors), clock, handle, sender));
    let parts = CourierParts {
        log: Arc::clone(consensus) as Arc<_>,
        outbox: Arc::clone(&storage.outbox),
        runs: Arc::clone(&runs),
        incoming,
    };
    let courier = Courier::start(runtime.handle(), parts);
    (runs, Arc::new(courier))
}

/// Returns what this node can run.
fn executors(handlers: &Arc<HandlerRegistry>) -> ExecutorSet {
    ExecutorSet::new()
        .with("shell", Arc::new(ShellExecutor::new()))
        .with("http", Arc::new(HttpExecutor::new()))
        .with("handler", Arc::clone(handlers) as Arc<_>)
}

/// Waits on a plain thread for work on the node's runtime; right inside another runtime as well.
fn wait<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = sync_channel(1);
    runtime.spawn(async move {
        // Fails only if the waiting thread is gone.
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(|_| {
        Error::new(ErrorKind::Internal, "a task of the node panicked; please report it")
    })
}

#[cfg(test)]
#[path = "life_test.rs"]
mod tests;
