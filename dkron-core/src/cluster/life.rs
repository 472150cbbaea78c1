//! How a node comes to life: its parts made, in their order, and connected.
//!
//! `assembly` says what the parts are, `ending` how they end.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Config;
use super::assembly::{RunPlaces, engine, open_log, open_storage, start_courier, start_runtimes};
use super::ending::{CLOSE_WAIT_MAX, PROPOSALS_WAIT_MAX, RUNTIME_WAIT_MAX};
use super::node::Node;
use super::office::{Office, OfficeState};
use super::owned::{EngineThread, Fatal, NodeRuntime, NodeStorage};
use crate::adapters::clock::SystemClock;
use crate::adapters::consensus::{Consensus, EntryEvents};
use crate::adapters::entropy::SystemEntropy;
use crate::adapters::executor::HandlerRegistry;
use crate::adapters::storage::{Milestones, StorageHealth, let_go_at_times};
use crate::driver::{Counter, Driver, DriverParts, EngineNews, NEWS_MAX, NewsSender, Watch};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::time::Zone;
use crate::ports::{Clock, Entropy};

/// How long a start waits for a leader, beside the time that the check of a long history takes:
/// what was left to apply waits for that, and to begin anew would begin the check anew.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Entries that are applied and wait for the engine to hear of them.
const APPLIED_MAX: usize = 64;

impl Node {
    /// Starts a node with a checked configuration; returns once it can commit a write. Blocks.
    pub(super) fn start(config: Config) -> Result<Self, Error> {
        let (name, zone) = name_and_zone(&config)?;
        let storage = NodeStorage::new(open_storage(&config, &name)?);
        Self::start_on(storage, config, name, zone)
    }

    /// Starts a node on a storage that is open.
    fn start_on(
        storage: NodeStorage,
        config: Config,
        name: NodeName,
        zone: Zone,
    ) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::open()?);
        let instance = entropy.random_u64();
        let places = RunPlaces::of(&config);
        let [runtime, workers, starters] = start_runtimes(&config, &places)?;

        let (applied_sender, applied) = mpsc::channel(APPLIED_MAX);
        let cluster_id = entropy.request_id().0;
        let log = open_log(&config, &name, &storage, &clock, cluster_id, applied_sender, &runtime);
        let (consensus, has_formed) = match log {
            Ok(opened) => opened,
            Err(error) => {
                NodeRuntime::end_all([runtime], RUNTIME_WAIT_MAX);
                storage.close(CLOSE_WAIT_MAX);
                return Err(error);
            }
        };
        let handlers = Arc::new(HandlerRegistry::new(config.handler_threads));
        let (watch, tally) = (Arc::new(Watch::new()), Arc::default());
        let (runtimes, told) = ((&*runtime, &*workers, &*starters), (&clock, &watch));
        let (runs, courier) =
            start_courier(&config, &consensus, &storage, &handlers, told, runtimes, &places);

        let (news, incoming) = sync_channel(NEWS_MAX);
        let driver = Driver::new(DriverParts {
            engine: engine(&config, zone),
            store: Arc::clone(&storage.state),
            log: Arc::clone(&consensus) as Arc<_>,
            clock: Arc::clone(&clock),
            runs: Arc::clone(&runs),
            watch: Arc::clone(&watch),
            counter: Counter::new(&tally, &name, config.job_metrics),
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
            has_rejoined: !has_formed,
            instance,
            clock,
            entropy,
            engine,
            storage,
            consensus,
            runs,
            courier,
            watch,
            tally,
            handlers,
            news,
            fatal,
            runtime,
            workers,
            starters,
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
    fn take_up(&self, applied: mpsc::Receiver<EntryEvents>) -> Result<(), Error> {
        let _ = self.news.send(EngineNews::Nodes(self.nodes()));
        let (told, state) = watch::channel(OfficeState::default());
        let office = Office {
            name: self.name.clone(),
            instance: self.instance,
            state: Arc::clone(&self.storage.state),
            entropy: Arc::clone(&self.entropy),
            progress: self.consensus.progress(),
            courier: Arc::clone(&self.courier),
            news: self.news.clone(),
            told,
        };
        let (consensus, fatal) = (Arc::clone(&self.consensus), Arc::clone(&self.fatal));
        let health = Arc::clone(&self.storage.health);
        self.runtime.spawn(end_together(consensus, health, fatal, self.news.clone()));
        self.runtime.spawn(bring_events(applied, self.news.clone()));
        let log = Arc::clone(&self.consensus);
        let reached = move || {
            let metrics = log.metrics();
            let (snapshot_index, applied_index) = (metrics.snapshot_index, metrics.applied_index);
            Milestones { snapshot_index, applied_index }
        };
        self.runtime.spawn(let_go_at_times(self.storage.pages.clone(), reached));
        self.runtime.spawn(office.follow(self.consensus.leadership()));
        let (store, fatal) = (Arc::clone(&self.storage.state), Arc::clone(&self.fatal));
        let is_excused = move || store.is_checking_history() && fatal.get().is_none();
        let led = self.runtime.wait(is_led(state.clone(), is_excused))?;
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
}

/// Waits until somebody leads; false if nobody does within [`LEADER_WAIT_MAX`], or the node ends. A
/// wait that began while something excused it is not counted: there is another one behind it.
async fn is_led(
    mut state: watch::Receiver<OfficeState>,
    is_excused: impl Fn() -> bool + Send,
) -> bool {
    loop {
        let is_counted = !is_excused();
        let ready = state.wait_for(|state| state.is_ready);
        match tokio::time::timeout(LEADER_WAIT_MAX, ready).await {
            Ok(led) => return led.is_ok(),
            Err(_) if is_counted => return false,
            Err(_) => tracing::info!("nobody leads yet: a long history is still being checked"),
        }
    }
}

fn name_and_zone(config: &Config) -> Result<(NodeName, Zone), Error> {
    let invalid = |error: &dyn Display| Error::new(ErrorKind::InvalidArgument, error.to_string());
    let name = NodeName::parse(&config.node_name).map_err(|error| invalid(&error))?;
    let zone = Zone::parse(&config.server_timezone, Zone::UTC).map_err(|error| invalid(&error))?;
    Ok((name, zone))
}

/// Ends the log with the engine, and the engine with the log: alone, neither is of use. Ends both
/// with the store, which may be found damaged while nobody uses it.
///
/// *Owner*: the node's runtime. *Ends* with the node.
async fn end_together(
    consensus: Arc<Consensus>,
    health: Arc<StorageHealth>,
    fatal: Arc<Fatal>,
    news: NewsSender,
) {
    tokio::select! {
        biased;
        // It says more than the log, which fails with it.
        reason = health.failed() => {
            fatal.set(reason);
            let _ = tokio::task::spawn_blocking(move || news.send(EngineNews::Stop)).await;
            consensus.shutdown(PROPOSALS_WAIT_MAX).await;
        }
        // In whatever way it ends.
        error = consensus.failed() => {
            if error.kind() != ErrorKind::Stopped {
                tracing::error!(error = error.report(), "the node has stopped itself");
            }
            fatal.set(error.report());
            // Blocks only while the engine is behind; fails only after it has stopped.
            let _ = tokio::task::spawn_blocking(move || news.send(EngineNews::Stop)).await;
        }
        _ = fatal.told() => consensus.shutdown(PROPOSALS_WAIT_MAX).await,
    }
}

/// Brings what is applied to the engine, in its order.
///
/// *Owner*: the node's runtime. *Bound*: one batch at a time. *Ends* with the log.
async fn bring_events(mut applied: mpsc::Receiver<EntryEvents>, news: NewsSender) {
    while let Some(EntryEvents { index, at, events }) = applied.recv().await {
        tracing::trace!(index, %at, "applied");
        if let Err(std::sync::mpsc::TrySendError::Full(waiting)) =
            news.try_send(EngineNews::Applied { at, events })
        {
            let news = news.clone();
            let _ = tokio::task::spawn_blocking(move || news.send(waiting)).await;
        }
    }
}

#[cfg(test)]
#[path = "life_test.rs"]
mod tests;
