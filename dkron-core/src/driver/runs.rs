//! The runs of this node: each claim is started once, followed, and its end reported.
//!
//! How runs begin, and when, is in `starts`.
//!
//! # Concurrency
//!
//! A run that does not end in its first step has a task. *Owner*: the node's runtime. *Inputs*: the
//! claim and its cancel token. *Bound*: as many as there are claims for this node. *Ends* with its
//! report handed to `courier`.
//! A run stays in `live` until its report is acknowledged, so that a claim sent twice starts once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::packing;
use super::starts::{Start, Starts};
use crate::kernel::model::{Execution, ExecutionState};
use crate::kernel::state::{Claim, Report};
use crate::kernel::time::Timestamp;
use crate::ports::{Clock, Executors, OutputCapture, RunContext, RunEnd, RunOutcome};

/// A run that has started and whose report is not acknowledged yet.
#[derive(Clone)]
pub struct LiveRun {
    /// What was claimed, with the instant at which it started.
    pub execution: Execution,
    /// What it wrote so far.
    pub output: Arc<OutputCapture>,
    /// Ends it.
    cancel: CancellationToken,
    /// Whether it has ended and only its report is under way.
    has_ended: bool,
    /// Whether its report is in the outbox: the end of the process does not lose it.
    is_kept: bool,
}

/// Starts claims on this node and keeps track of them.
pub struct Runs {
    pub(super) executors: Arc<dyn Executors>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runtime: Handle,
    pub(super) starts: Starts,
    reports: mpsc::UnboundedSender<Report>,
    /// By fencing token: unique for every claim of the cluster.
    live: Mutex<HashMap<u64, LiveRun>>,
    ended: Notify,
}

impl Runs {
    /// Runs claims with `executors` on `runtime` and hands their ends to `reports`.
    ///
    /// `reports` has no bound of its own: it never holds more than one report per live run.
    pub fn new(
        executors: Arc<dyn Executors>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let starts = Starts::new(runtime.metrics().num_workers());
        let live = Mutex::new(HashMap::new());
        Self { executors, clock, runtime, starts, reports, live, ended: Notify::new() }
    }

    /// Starts claims, each at its instant, but for those that have been started before. Returns at
    /// once.
    pub fn start(self: &Arc<Self>, claims: impl IntoIterator<Item = Claim>) {
        let now = self.clock.now();
        let (mut starts, mut runs): (Vec<_>, Vec<_>) =
            claims.into_iter().map(|claim| prepare(claim, now)).unzip();
        let mut live = self.lock();
        let mut runs = runs.drain(..);
        starts.retain(|start: &Start| match (live.entry(start.context.token), runs.next()) {
            (Entry::Vacant(slot), Some(run)) => {
                slot.insert(run);
                true
            }
            _ => false,
        });
        drop(live);
        self.begin(starts);
    }

    /// Returns how long before their instants claims are best handed in.
    pub fn start_ahead(&self) -> Duration {
        self.starts.ahead()
    }

    /// Asks a run for its end; nothing happens if it is not here.
    pub fn cancel(&self, token: u64) {
        if let Some(run) = self.lock().get(&token) {
            run.cancel.cancel();
        }
    }

    /// Asks every run for its end.
    pub fn cancel_all(&self) {
        for run in self.lock().values() {
            run.cancel.cancel();
        }
    }

    /// Forgets runs whose reports have been acknowledged.
    pub fn acknowledge(&self, tokens: impl IntoIterator<Item = u64>) {
        let mut live = self.lock();
        for token in tokens {
            live.remove(&token);
        }
        drop(live);
        self.ended.notify_waiters();
    }

    /// Notes that the reports of these runs are in the outbox.
    pub fn keep(&self, tokens: impl IntoIterator<Item = u64>) {
        let mut live = self.lock();
        for token in tokens {
            if let Some(run) = live.get_mut(&token) {
                run.is_kept = true;
            }
        }
        drop(live);
        self.ended.notify_waiters();
    }

    /// Returns the runs that have not ended, ordered by their claims.
    pub fn running(&self) -> Vec<LiveRun> {
        let mut running: Vec<LiveRun> =
            self.lock().values().filter(|run| !run.has_ended).cloned().collect();
        running.sort_unstable_by_key(|run| run.execution.token);
        running
    }

    /// Returns the run with this fencing token, if its report is still to be acknowledged.
    pub fn get(&self, token: u64) -> Option<LiveRun> {
        self.lock().get(&token).cloned()
    }

    /// Returns how many runs have not ended, or have a report that is neither acknowledged nor
    /// in the outbox.
    pub fn count(&self) -> usize {
        self.lock().values().filter(|run| !run.is_kept).count()
    }

    /// Resolves once every run has ended and its report was acknowledged or is in the outbox.
    pub async fn drained(&self) {
        loop {
            let changed = self.ended.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Turns the end of a run into its report.
    pub(super) fn finish(&self, token: u64, end: RunEnd) {
        let finished_at = self.clock.now();
        let mut live = self.lock();
        let Some(run) = live.get_mut(&token) else { return };
        run.has_ended = true;
        let (execution, output) = (run.execution.clone(), Arc::clone(&run.output));
        drop(live);
        let kept = output.finish(end.error.as_deref());
        let report = Report {
            job: execution.job,
            execution: execution.id,
            token,
            started_at: Some(execution.started_at),
            // A clock that was set back during the run must not end it before it began.
            finished_at: finished_at.max(execution.started_at),
            state: match end.outcome {
                RunOutcome::Succeeded => ExecutionState::Succeeded,
                RunOutcome::Failed => ExecutionState::Failed,
                RunOutcome::Cancelled => ExecutionState::Cancelled,
            },
            output: packing::pack(kept.bytes, kept.bytes_total),
        };
        // The receiver outlives every run but those that a shutdown leaves behind.
        let _ = self.reports.send(report);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, LiveRun>> {
        // A panic while the lock was held leaves a map that is still whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes everything that a run needs.
fn prepare(claim: Claim, now: Timestamp) -> (Start, LiveRun) {
    let Claim { mut execution, job, start_at, .. } = claim;
    execution.started_at = now.max(start_at);
    let output = OutputCapture::new();
    let cancel = CancellationToken::new();
    let context = RunContext {
        job: execution.job.to_shared(),
        execution: execution.id.to_string().into(),
        fire_time: execution.fire_time,
        attempt: execution.attempt,
        token: execution.token,
        instance: execution.instance,
        config: Arc::new(job.executor_config.clone()),
        timeout: job.timeout,
        output: output.writer(),
        cancel: cancel.clone(),
    };
    let run = LiveRun { execution, output, cancel, has_ended: false, is_kept: false };
    (Start { job, context, at: start_at }, run)
}
