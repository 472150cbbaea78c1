//! How a node comes to life, takes office, and ends.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, watch};

use super::Config;
use super::config::DataLocation;
use super::node::Node;
use crate::adapters::clock::SystemClock;
use crate::adapters::consensus::{Applied, Consensus, ConsensusConfig, Leadership};
use crate::adapters::entropy::SystemEntropy;
use crate::adapters::executor::{
    ExecutorSet, HandlerRegistry, HttpExecutor, ShellExecutor, end_leftovers,
};
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::driver::{Courier, Driver, DriverParts, NEWS_MAX, News, NewsSender, Runs, Watch};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::node::{Engine, EngineConfig};
use crate::kernel::state::query;
use crate::kernel::time::Zone;
use crate::limits;
use crate::ports::{Clock, Entropy, Store};

/// How long a start waits for a leader.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Records kept in the log though a snapshot covers them.
const LOG_RECORDS_KEPT: u64 = 1_000;

/// How long an end waits for what blocks on the runtime's threads.
const RUNTIME_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long an end waits for the threads of the storage.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a shutdown waits for proposals that are under way.
const PROPOSALS_WAIT_MAX: Duration = Duration::from_secs(2);

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
        let storage = open_storage(&config, &name)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::open()?);
        let instance = entropy.random_u64();
        let runtime = start_runtime(config.worker_threads)?;

        let (applied_sender, applied) = mpsc::channel(APPLIED_MAX);
        let consensus = open_log(
            &config,
            &name,
            &storage,
            &clock,
            entropy.request_id().0,
            applied_sender,
            &runtime,
        )?;
        let handlers = Arc::new(HandlerRegistry::new(config.handler_threads));
        let (report_sender, reports) = mpsc::unbounded_channel();
        let runs = Arc::new(Runs::new(
            Arc::new(executors(&handlers)),
            Arc::clone(&clock),
            runtime.handle().clone(),
            report_sender,
        ));
        let courier = Arc::new(Courier {
            log: Arc::clone(&consensus) as Arc<_>,
            outbox: Arc::clone(&storage.outbox),
            runs: Arc::clone(&runs),
        });
        runtime.spawn(Arc::clone(&courier).run(reports));

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
        let (engine, fatal) = (Some(start_engine(driver, incoming)?), Arc::default());
        let node = Self {
            name,
            zone,
            config,
            instance,
            clock,
            entropy,
            storage,
            consensus,
            runs,
            watch,
            handlers,
            news,
            engine,
            fatal,
            runtime,
        };
        node.take_up(applied, courier)?;
        let starts = node.storage.data_dir.as_ref().map_or(1, |dir| dir.generation());
        tracing::info!(node = %node.name, starts, "the node is at work");
        Ok(node)
    }

    /// Connects the log to the engine, and waits until somebody leads.
    fn take_up(
        &self,
        applied: mpsc::Receiver<Applied>,
        courier: Arc<Courier>,
    ) -> Result<(), Error> {
        let _ = self.news.send(News::Nodes(self.nodes()));
        let (ready_sender, ready) = watch::channel(false);
        let office = Office {
            name: self.name.clone(),
            instance: self.instance,
            state: Arc::clone(&self.storage.state),
            entropy: Arc::clone(&self.entropy),
            courier,
            news: self.news.clone(),
            ready: ready_sender,
        };
        let (consensus, fatal) = (Arc::clone(&self.consensus), Arc::clone(&self.fatal));
        self.runtime.spawn(async move {
            // Ends with the log, in whatever way.
            let error = consensus.failed().await;
            if error.kind() != ErrorKind::Stopped {
                tracing::error!(error = error.report(), "the node has stopped itself");
            }
            let _ = fatal.set(error.report());
        });
        self.runtime.spawn(bring_events(applied, self.news.clone()));
        self.runtime.spawn(office.follow(self.consensus.leadership()));
        let led = wait(self.runtime.handle(), async move {
            let mut ready = ready;
            let led = tokio::time::timeout(LEADER_WAIT_MAX, ready.wait_for(|ready| *ready)).await;
            matches!(led, Ok(Ok(_)))
        })?;
        if led {
            return Ok(());
        }
        // A vote is a write: if the disk has no space for it, that is the reason.
        self.storage.health.check_writable()?;
        let text = format!("no leader within {} s", LEADER_WAIT_MAX.as_secs());
        Err(Error::new(ErrorKind::Unavailable, text))
    }

    /// Claims nothing more, and waits for running executions: `patience`, then ends them.
    pub(super) fn drain(&self, patience: Duration) -> Result<(), Error> {
        let (sender, idle) = tokio::sync::oneshot::channel();
        // Fails only if the engine has stopped; then nothing is under way.
        let _ = self.news.send(News::Drain(sender));
        let runs = Arc::clone(&self.runs);
        wait(self.runtime.handle(), async move {
            let _ = tokio::time::timeout(limits::CANCEL_GRACE, idle).await;
            if tokio::time::timeout(patience, runs.drained()).await.is_ok() {
                return;
            }
            tracing::warn!(runs = runs.count(), "runs outlast the shutdown: ending them");
            runs.cancel_all();
            let grace = limits::CANCEL_GRACE + Duration::from_secs(2);
            if tokio::time::timeout(grace, runs.drained()).await.is_err() {
                let left = runs.count();
                tracing::error!(runs = left, "runs do not end, or cannot be reported: left behind");
            }
        })
    }

    /// Stops the log: proposals that are under way are answered, if only with an error.
    pub(super) fn stop_log(&self) {
        let consensus = Arc::clone(&self.consensus);
        let stopping = wait(self.runtime.handle(), async move {
            consensus.shutdown(PROPOSALS_WAIT_MAX).await;
        });
        if let Err(error) = stopping {
            tracing::warn!(error = error.report(), "the log did not stop well");
        }
        let _ = self.news.send(News::Stop);
    }

    /// Ends the threads and closes the data directory.
    pub(super) fn end(mut self) -> Result<(), Error> {
        let engine = self.engine.take();
        let Self { runtime, storage, consensus, .. } = self;
        let ended = engine.map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "the engine panicked; please report it"))
            })
        });
        runtime.shutdown_timeout(RUNTIME_WAIT_MAX);
        // Holds a part of the storage; the other parts went with the engine and the runtime.
        drop(consensus);
        if storage.close(CLOSE_WAIT_MAX) {
            return ended;
        }
        let text = "the data directory stays locked: something of the node still uses it";
        ended.and(Err(Error::new(ErrorKind::DeadlineExceeded, text)))
    }
}

/// What is done when this node begins or ceases to lead.
struct Office {
    name: NodeName,
    instance: u64,
    state: Arc<crate::adapters::storage::StateStore>,
    entropy: Arc<dyn Entropy>,
    courier: Arc<Courier>,
    news: NewsSender,
    ready: watch::Sender<bool>,
}

impl Office {
    /// Follows the leadership until the node ends.
    ///
    /// *Owner*: the node's runtime. *Ends* when the log does.
    async fn follow(self, mut leadership: watch::Receiver<Leadership>) {
        let mut leading = None;
        loop {
            let now = leadership.borrow_and_update().clone();
            let led = (now.is_leader && now.has_applied_former_terms).then_some(now.term);
            if led != leading {
                leading = led;
                match led {
                    Some(_) => self.take().await,
                    None => self.tell(News::Following).await,
                }
            }
            if now.leader.is_some() && (led.is_some() || !now.is_leader) {
                self.ready.send_replace(true);
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes office: what earlier processes of this node left is settled before anything is judged.
    async fn take(&self) {
        let (state, name, instance) = (Arc::clone(&self.state), self.name.clone(), self.instance);
        let settled = tokio::task::spawn_blocking(move || {
            let view = state.read()?;
            let running = query::running(&view, None, usize::MAX).map_err(|error| {
                Error::new(ErrorKind::Storage, "read running executions").with_source(error)
            })?;
            let dead: BTreeSet<u64> = running
                .into_iter()
                .filter(|execution| execution.id.node == name && execution.instance != instance)
                .map(|execution| execution.instance)
                .collect();
            drop(view);
            Ok::<usize, Error>(end_leftovers(&dead))
        });
        match settled.await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(processes)) => tracing::warn!(processes, "ended processes of an earlier start"),
            Ok(Err(error)) => tracing::error!(error = error.report(), "cannot take office well"),
        }
        match self.courier.deliver_left_over().await {
            Ok(0) => {}
            Ok(results) => tracing::info!(results, "delivered results of an earlier start"),
            Err(error) => {
                tracing::error!(error = error.report(), "results stay in the outbox");
            }
        }
        self.tell(News::Leading { seed: self.entropy.random_u64() }).await;
    }

    async fn tell(&self, news: News) {
        let sender = self.news.clone();
        // Blocks only while the engine is behind; fails only after it has stopped.
        let _ = tokio::task::spawn_blocking(move || sender.send(news)).await;
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

/// Returns what this node can run.
fn executors(handlers: &Arc<HandlerRegistry>) -> ExecutorSet {
    ExecutorSet::new()
        .with("shell", Arc::new(ShellExecutor::new()))
        .with("http", Arc::new(HttpExecutor::new()))
        .with("handler", Arc::clone(handlers) as Arc<_>)
}

fn start_runtime(threads: usize) -> Result<Runtime, Error> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("dkron-worker")
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::LimitExceeded, "start the node's runtime").with_source(error)
        })
}

fn start_engine<S: Store>(
    driver: Driver<S>,
    news: Receiver<News>,
) -> Result<JoinHandle<Result<(), Error>>, Error> {
    let run = move || {
        let ended = driver.run(&news);
        if let Err(error) = &ended {
            tracing::error!(error = error.report(), "the engine stopped: nothing is scheduled");
        }
        ended
    };
    std::thread::Builder::new().name("dkron-engine".to_owned()).spawn(run).map_err(|error| {
        Error::new(ErrorKind::LimitExceeded, "start thread \"dkron-engine\"").with_source(error)
    })
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
