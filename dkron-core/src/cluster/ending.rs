//! How a node ends: drained, stopped, taken apart.
//!
//! # How long an end takes
//!
//! Beside the patience with running executions there are bounds for what should take no time:
//! [`IDLE_WAIT_MAX`], [`CANCEL_GRACE`](limits::CANCEL_GRACE) and [`REPORTS_WAIT_MAX`] if executions
//! outlast that patience, [`PROPOSALS_WAIT_MAX`], [`SHUTDOWN_RAFT_MAX`], [`KEEP_WAIT_MAX`], the
//! wait of `gate` for calls under way, [`ENGINE_WAIT_MAX`], [`RUNTIME_WAIT_MAX`] twice,
//! [`CLOSE_WAIT_MAX`], and [`STALL_WAIT_MAX`] twice: [`END_MAX`] in all, should every one of them
//! be used up. They hold on a disk that hangs, too: no thread that may wait for it is waited for
//! without a bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::CALLS_WAIT_MAX;
use super::node::Node;
use super::owned::{NodeRuntime, STALL_WAIT_MAX, tell};
use crate::adapters::consensus::SHUTDOWN_RAFT_MAX;
use crate::adapters::executor::kill_runs;
use crate::driver::EngineNews;
use crate::error::{Error, ErrorKind};
use crate::limits;

/// How long an end takes at most, beside the patience with running executions.
const END_MAX: Duration = Duration::from_secs(23);

/// How long an end waits for the engine.
const ENGINE_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long an end waits for what blocks on the threads of the runs, and then of the node.
pub(super) const RUNTIME_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long an end waits for the threads of the storage.
pub(super) const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a shutdown waits for decisions that are under way, and for claims to start.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a shutdown waits for the reports of runs that it has ended.
const REPORTS_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a shutdown waits for proposals that are under way; the log's own end takes
/// [`SHUTDOWN_RAFT_MAX`] more at the most.
pub(super) const PROPOSALS_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a shutdown waits until results that are not acknowledged are in the outbox.
const KEEP_WAIT_MAX: Duration = Duration::from_secs(4);

// What the documentation says is what they add up to.
const _: () = {
    let waits = [
        IDLE_WAIT_MAX,
        limits::CANCEL_GRACE,
        REPORTS_WAIT_MAX,
        STALL_WAIT_MAX,
        PROPOSALS_WAIT_MAX,
        SHUTDOWN_RAFT_MAX,
        KEEP_WAIT_MAX,
        STALL_WAIT_MAX,
        CALLS_WAIT_MAX,
        ENGINE_WAIT_MAX,
        RUNTIME_WAIT_MAX,
        RUNTIME_WAIT_MAX,
        CLOSE_WAIT_MAX,
    ];
    let (mut sum_ms, mut rest) = (0, waits.as_slice());
    while let Some((wait, others)) = rest.split_first() {
        sum_ms += wait.as_millis();
        rest = others;
    }
    assert!(sum_ms == END_MAX.as_millis());
};

impl Node {
    /// Claims nothing more, and waits for running executions: `patience`, then ends them.
    pub(super) fn drain(&self, patience: Duration) -> Result<(), Error> {
        let (sender, idle) = tokio::sync::oneshot::channel();
        tell(&self.news, EngineNews::Drain(sender));
        let runs = Arc::clone(&self.runs);
        let limit = IDLE_WAIT_MAX + limits::CANCEL_GRACE + REPORTS_WAIT_MAX;
        self.runtime.wait_within(patience.saturating_add(limit), async move {
            // Fails only if the engine has stopped; then nothing is under way.
            let _ = tokio::time::timeout(IDLE_WAIT_MAX, idle).await;
            if tokio::time::timeout(patience, runs.drained()).await.is_ok() {
                return;
            }
            tracing::warn!(runs = runs.count(), "runs outlast the shutdown: ending them");
            runs.end_all();
            let grace = limits::CANCEL_GRACE + REPORTS_WAIT_MAX;
            if tokio::time::timeout(grace, runs.drained()).await.is_err() {
                let left = runs.count();
                tracing::error!(runs = left, "runs do not end, or cannot be reported: left behind");
            }
        })
    }

    /// Ends all runs, within [`limits::RUSH_WAIT_MAX`]: asks them, and kills the processes of those
    /// that do not heed it within [`limits::RUSH_GRACE`]. Returns how many have not ended.
    #[expect(clippy::disallowed_methods, reason = "waits for the kernel, on a thread of its own")]
    pub(super) fn end_runs_at_once(&self) -> usize {
        let deadline = Instant::now() + limits::RUSH_WAIT_MAX;
        self.runs.end_all();
        let runs = Arc::clone(&self.runs);
        // If the threads of the runs hang, the processes are ended all the same.
        let _ = self.runtime.wait_within(limits::RUSH_GRACE, async move {
            let _ = tokio::time::timeout(limits::RUSH_GRACE, runs.drained()).await;
        });
        loop {
            // Those that have begun meanwhile are asked as well.
            self.runs.end_all();
            let running = self.runs.running();
            let tokens = running.iter().map(|run| run.execution.token).collect();
            let killed = kill_runs(self.instance, &tokens);
            if (killed == 0 && running.is_empty()) || Instant::now() >= deadline {
                return running.len();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops the log and the engine: proposals that are under way are answered, if only with an
    /// error; results that are not acknowledged are in the outbox; and whoever waits is told.
    pub(super) fn stop(&self) -> Result<(), Error> {
        let (consensus, courier) = (Arc::clone(&self.consensus), Arc::clone(&self.courier));
        let limit = PROPOSALS_WAIT_MAX + SHUTDOWN_RAFT_MAX + KEEP_WAIT_MAX;
        let kept = self.runtime.wait_within(limit, async move {
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
        let Self { runtime, workers, starters, storage, consensus, engine, .. } = self;
        let ended = engine.join(ENGINE_WAIT_MAX);
        NodeRuntime::end_all([starters, workers], RUNTIME_WAIT_MAX);
        NodeRuntime::end_all([runtime], RUNTIME_WAIT_MAX);
        // Holds a part of the storage; the other parts went with the engine and the runtime.
        drop(consensus);
        if storage.close(CLOSE_WAIT_MAX) {
            return ended;
        }
        let text = "the data directory stays locked: something of the node still uses it";
        ended.and(Err(Error::new(ErrorKind::DeadlineExceeded, text)))
    }
}
