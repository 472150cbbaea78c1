//! The runs of this node: each claim is started once, followed, and its end reported.
//!
//! How runs begin, and when, is in `starts`.
//!
//! # Concurrency
//!
//! A run that does not end in its first step has a task. *Owner*: the runtime of the runs.
//! *Inputs*: the claim and its cancel token. *Bound*: as many as there are claims for this node.
//! *Ends* with its report handed to `courier`.
//! A run stays in `live` until its report is acknowledged, so that a claim sent twice starts once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::packing;
use super::places::Places;
use super::run_meters::{RunFigures, RunMeters};
use super::starts::{Start, Starts};
use super::watch::Watch;
use crate::kernel::model::{Execution, ExecutionId, ExecutionState, JobName};
use crate::kernel::state::{Claim, Report};
use crate::kernel::time::Timestamp;
use crate::ports::{
    Clock, Executors, OutputCapture, OutputFollower, RunContext, RunEnd, RunOutcome,
};

/// A run that has started and whose report is not acknowledged yet.
#[derive(Clone)]
pub struct LiveRun {
    /// What was claimed, with the instant at which it started.
    pub execution: Execution,
    /// What it wrote so far.
    pub output: Arc<OutputCapture>,
}

/// An execution that begins on this node, or has begun.
///
/// Holds nothing of its output: whoever follows that does.
#[derive(Clone, Debug)]
pub struct StartedRun {
    execution: Execution,
    output: Weak<OutputCapture>,
}

impl StartedRun {
    pub(super) fn new(execution: Execution, output: &Arc<OutputCapture>) -> Self {
        Self { execution, output: Arc::downgrade(output) }
    }

    /// Returns the execution, with the instant at which it began.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Follows what it writes, beginning with what is kept of what it has written; `None` once its
    /// end is part of the state, and its output with it.
    pub fn follow_output(&self) -> Option<OutputFollower> {
        self.output.upgrade().map(|output| output.follow(0))
    }

    /// Follows what it writes from now on; `None` as in [`StartedRun::follow_output`].
    pub fn follow_new_output(&self) -> Option<OutputFollower> {
        let output = self.output.upgrade()?;
        let written = output.tail(0).bytes_total;
        Some(output.follow(written))
    }
}

impl From<&LiveRun> for StartedRun {
    fn from(run: &LiveRun) -> Self {
        Self::new(run.execution.clone(), &run.output)
    }
}

/// What is held of a run while it is live.
struct Known {
    execution: Execution,
    /// Made when the run begins, or when somebody asks for it before.
    ends: Option<Ends>,
    /// Whether its report is in the outbox: the end of the process does not lose it.
    is_kept: bool,
    /// Whether somebody asked for its end; a shutdown does not.
    is_cancel_asked: bool,
}

/// What reaches into a run from outside.
#[derive(Clone)]
struct Ends {
    output: Arc<OutputCapture>,
    cancel: CancellationToken,
}

/// What the report of a run says, whatever its end is.
pub(super) struct Run {
    job: JobName,
    id: ExecutionId,
    token: u64,
    pub(super) started_at: Timestamp,
    output: Arc<OutputCapture>,
}

impl Run {
    /// Returns how late it began, after the instant at which its attempt was due.
    pub(super) fn lateness(&self) -> Duration {
        self.started_at.since(self.id.due_at())
    }
}

impl Known {
    fn ends(&mut self) -> &Ends {
        self.ends.get_or_insert_with(|| Ends {
            output: OutputCapture::new(),
            cancel: CancellationToken::new(),
        })
    }

    /// Returns whether it has ended and only its report is under way.
    fn has_ended(&self) -> bool {
        self.ends.as_ref().is_some_and(|ends| ends.output.is_over())
    }

    fn live(&mut self) -> LiveRun {
        let output = Arc::clone(&self.ends().output);
        LiveRun { execution: self.execution.clone(), output }
    }
}

/// By fencing token.
type ByToken<V> = HashMap<u64, V, BuildHasherDefault<TokenHasher>>;

/// Tokens mostly grow by one, and the map takes the place from the low bits: runs that were claimed
/// together lie side by side. The high bits, by which it tells neighbours apart, are spread.
#[derive(Default)]
struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, token: u64) {
        // 2⁶⁴ divided by the golden ratio, made odd.
        let spread = token.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = token ^ (spread & (0xff << 56));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Starts claims on this node and keeps track of them.
pub struct Runs {
    pub(super) executors: Arc<dyn Executors>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runtime: Handle,
    pub(super) starts: Starts,
    reports: mpsc::UnboundedSender<Report>,
    /// By fencing token: unique for every claim of the cluster.
    live: Mutex<ByToken<Known>>,
    /// Of executors whose runs are bounded on this node. Not looked at while `live` is locked.
    pub(super) places: Vec<Places<Start>>,
    ended: Notify,
    pub(super) meters: RunMeters,
    /// Who is told what begins.
    watch: Option<Arc<Watch>>,
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
        let starts = Starts::new(runtime.metrics().num_workers(), runtime.clone());
        let live = Mutex::default();
        let (places, ended, meters) = (Vec::new(), Notify::new(), RunMeters::new());
        let watch = None;
        Self { executors, clock, runtime, starts, reports, live, places, ended, meters, watch }
    }

    /// Tells `watch` what begins.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Starts claims, each at its instant, but for those that have been started before. Returns at
    /// once.
    ///
    /// `is_woken` says that nothing but the clock made the caller hand them in: then it is this
    /// node's doing if they are late.
    pub fn start(self: &Arc<Self>, claims: impl IntoIterator<Item = Claim>, is_woken: bool) {
        let now = self.clock.now();
        let mut starts = Vec::new();
        let mut live = self.lock();
        for Claim { mut execution, job, start_at, .. } in claims {
            let token = execution.token;
            if let Entry::Vacant(slot) = live.entry(token) {
                execution.started_at = now.max(start_at);
                let known = Known { execution, ends: None, is_kept: false, is_cancel_asked: false };
                slot.insert(known);
                let teaches = is_woken || start_at > now;
                starts.push(Start { token, job, at: start_at, teaches });
            }
        }
        drop(live);
        self.admit(&mut starts);
        self.begin(starts);
    }

    /// Makes everything that a run needs that begins now; `None` if it is not live.
    pub(super) fn prepare(&self, start: &Start) -> Option<(RunContext, Run)> {
        // A clock that is put back makes no run begin before its instant.
        let started_at = self.clock.now().max(start.at);
        let (token, job) = (start.token, Arc::clone(&start.job));
        let mut live = self.lock();
        let known = live.get_mut(&token)?;
        let Ends { output, cancel } = known.ends().clone();
        known.execution.started_at = started_at;
        if let Some(watch) = &self.watch {
            watch.tell_start(|| StartedRun::new(known.execution.clone(), &output));
        }
        let execution = &known.execution;
        let (name, id) = (execution.job.clone(), execution.id.clone());
        let context = RunContext {
            job: name.clone(),
            execution: id.clone(),
            fire_time: execution.fire_time,
            attempt: execution.attempt,
            token,
            instance: execution.instance,
            timeout: job.timeout,
            config: job.into(),
            output: output.writer(),
            cancel,
        };
        Some((context, Run { job: name, id, token, started_at, output }))
    }

    /// Returns how long before their instants claims are best handed in.
    pub fn start_ahead(&self) -> Duration {
        self.starts.ahead()
    }

    /// Asks a run for its end; nothing happens if it is not here.
    pub fn cancel(&self, token: u64) {
        let ends = self.lock().get_mut(&token).map(|run| {
            run.is_cancel_asked = true;
            run.ends().clone()
        });
        if let Some(ends) = ends {
            ends.cancel.cancel();
        }
        self.end_waiting(token);
    }

    /// Returns whether a run was asked for its end.
    pub(super) fn is_ending(&self, token: u64) -> bool {
        self.lock().get_mut(&token).is_some_and(|run| run.ends().cancel.is_cancelled())
    }

    /// Ends every run, for the node stops: what does not come to an end of its own is lost, as it
    /// would be if the process were killed, and the policy of its job on lost runs decides.
    pub fn end_all(&self) {
        for run in self.lock().values_mut() {
            run.ends().cancel.cancel();
        }
        for token in self.waiting() {
            self.end_waiting(token);
        }
    }

    /// Forgets runs whose reports have been acknowledged.
    pub fn acknowledge(&self, tokens: impl IntoIterator<Item = u64>) {
        let mut live = self.lock();
        let mut known = 0;
        for token in tokens {
            known += u64::from(live.remove(&token).is_some());
        }
        drop(live);
        self.meters.acknowledged(known);
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

    /// Returns the runs that have begun, or are about to, and not ended, ordered by their claims.
    pub fn running(&self) -> Vec<LiveRun> {
        let waiting: BTreeSet<u64> = self.waiting().collect();
        let mut live = self.lock();
        let is_running =
            |run: &&mut Known| !run.has_ended() && !waiting.contains(&run.execution.token);
        let running = live.values_mut().filter(is_running);
        let mut running: Vec<LiveRun> = running.map(Known::live).collect();
        drop(live);
        running.sort_unstable_by_key(|run| run.execution.token);
        running
    }

    /// Returns how many runs have begun, or are about to, and not ended.
    pub fn running_count(&self) -> usize {
        let waiting = self.waiting_count();
        self.lock().values().filter(|run| !run.has_ended()).count().saturating_sub(waiting)
    }

    /// Returns what was counted of the runs since the node started. Takes no lock.
    pub fn figures(&self) -> RunFigures {
        self.meters.read()
    }

    /// Returns the run with this fencing token, if its report is still to be acknowledged.
    pub fn get(&self, token: u64) -> Option<LiveRun> {
        self.lock().get_mut(&token).map(Known::live)
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
    pub(super) fn finish(&self, run: Run, end: RunEnd) {
        let finished_at = self.clock.now();
        let kept = run.output.finish(end.error.as_deref());
        let report = Report {
            job: run.job,
            execution: run.id,
            token: run.token,
            started_at: Some(run.started_at),
            // A clock that was set back during the run must not end it before it began.
            finished_at: finished_at.max(run.started_at),
            state: match end.outcome {
                RunOutcome::Succeeded => ExecutionState::Succeeded,
                RunOutcome::Failed => ExecutionState::Failed,
                RunOutcome::Cancelled if self.is_cancel_asked(run.token) => {
                    ExecutionState::Cancelled
                }
                RunOutcome::Cancelled => ExecutionState::Lost,
            },
            output: packing::pack(kept.bytes, kept.bytes_total),
        };
        self.meters.reported();
        // The receiver outlives every run but those that a shutdown leaves behind.
        let _ = self.reports.send(report);
    }

    fn is_cancel_asked(&self, token: u64) -> bool {
        self.lock().get(&token).is_some_and(|run| run.is_cancel_asked)
    }

    fn lock(&self) -> MutexGuard<'_, ByToken<Known>> {
        // A panic while the lock was held leaves a map that is still whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "runs_test.rs"]
mod tests;
