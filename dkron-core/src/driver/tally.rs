//! Counts what becomes part of the state, and what the engine observes.
//!
//! An execution is counted by the node that it ran on, a skip and what the engine observes by the
//! node that leads: the sum over all nodes counts each of them once. What was counted is gone with
//! the process, and what is applied while a node opens is not counted again.
//!
//! # Concurrency
//!
//! The engine's thread counts, by a [`Counter`] of its own; others read the [`Tally`]. The lock of
//! the jobs is taken when one is counted for the first time, or is deleted, and by readers; it is
//! held for as long as it takes to copy a list of at most
//! [`METRIC_JOBS_MAX`] pointers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::model::{Execution, ExecutionState, JobName, NodeName, Skip, SkipReason};
use crate::kernel::node::Observation;
use crate::kernel::state::{Event, JobChange};
use crate::limits::METRIC_JOBS_MAX;

/// What is counted of a node since it started.
#[derive(Default)]
pub struct Tally {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    lost: AtomicU64,
    /// In the order of [`SkipReason::LABELS`].
    fires_skipped: [AtomicU64; SkipReason::LABELS.len()],
    attempts_skipped: AtomicU64,
    terms_led: AtomicU64,
    clock_jumps: AtomicU64,
    overloads: AtomicU64,
    rounds_failed: AtomicU64,
    jobs: Mutex<BTreeMap<JobName, Arc<JobTally>>>,
    /// Executions that were counted for no job, though jobs are counted.
    of_no_job: AtomicU64,
}

/// What is counted of one job.
#[derive(Default)]
struct JobTally {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// Executions that have ended, by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedExecutions {
    /// Those that ended well.
    pub succeeded: u64,
    /// Those that ended badly, or could not be started.
    pub failed: u64,
    /// Those that were ended on request.
    pub cancelled: u64,
    /// Those whose process was killed, or was shut down and ended them.
    pub lost: u64,
}

/// Fires that were skipped for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedFires {
    /// Its word: [`SkipReason::label`].
    pub reason: &'static str,
    /// How many.
    pub fires: u64,
}

/// Executions of one job that have ended on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobMetrics {
    /// The job.
    pub job: JobName,
    /// Executions that ended well: as the job's `success_count` counts them.
    pub succeeded: u64,
    /// Executions that ended otherwise, cancelled and lost ones included: as the job's
    /// `error_count` counts them.
    pub failed: u64,
}

impl Tally {
    /// Returns the executions of this node that have ended.
    pub fn ended(&self) -> EndedExecutions {
        EndedExecutions {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// Returns the fires that were skipped while this node led, by every reason there is.
    pub fn fires_skipped(&self) -> Vec<SkippedFires> {
        let counts = SkipReason::LABELS.iter().zip(&self.fires_skipped);
        let read = |(reason, count): (&&'static str, &AtomicU64)| SkippedFires {
            reason,
            fires: count.load(Ordering::Relaxed),
        };
        counts.map(read).collect()
    }

    /// Returns how many further attempts of fires were skipped while this node led.
    pub fn attempts_skipped(&self) -> u64 {
        self.attempts_skipped.load(Ordering::Relaxed)
    }

    /// Returns how often this node has begun to lead.
    pub fn terms_led(&self) -> u64 {
        self.terms_led.load(Ordering::Relaxed)
    }

    /// Returns how often the clock was found put forward or back, or the machine had stood still.
    pub fn clock_jumps(&self) -> u64 {
        self.clock_jumps.load(Ordering::Relaxed)
    }

    /// Returns how often what was due began to wait because too much ran.
    pub fn overloads(&self) -> u64 {
        self.overloads.load(Ordering::Relaxed)
    }

    /// Returns how many rounds of decisions could not be committed.
    pub fn rounds_failed(&self) -> u64 {
        self.rounds_failed.load(Ordering::Relaxed)
    }

    /// Returns how many executions were counted for no job, though jobs are counted.
    pub fn of_no_job(&self) -> u64 {
        self.of_no_job.load(Ordering::Relaxed)
    }

    /// Returns what was counted of each job, ordered by name.
    pub fn jobs(&self) -> Vec<JobMetrics> {
        let jobs: Vec<(JobName, Arc<JobTally>)> =
            self.lock().iter().map(|(job, tally)| (job.clone(), Arc::clone(tally))).collect();
        let read = |(job, tally): (JobName, Arc<JobTally>)| JobMetrics {
            job,
            succeeded: tally.succeeded.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
        };
        jobs.into_iter().map(read).collect()
    }

    /// Counts what the engine observed.
    pub(super) fn observe(&self, observation: &Observation) {
        let counter = match observation {
            Observation::TookOffice { .. } => &self.terms_led,
            Observation::TimeSkipped { .. } | Observation::ClockWentBack { .. } => {
                &self.clock_jumps
            }
            Observation::Overloaded { .. } => &self.overloads,
            Observation::RoundFailed { .. } => &self.rounds_failed,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobName, Arc<JobTally>>> {
        // A panic while the lock was held leaves a map that is still whole.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts for one node; the engine's thread owns it.
pub struct Counter {
    tally: Arc<Tally>,
    node: NodeName,
    /// The same tallies as in `tally`, without a lock; `None` if jobs are not counted.
    jobs: Option<HashMap<JobName, Arc<JobTally>>>,
    is_leading: bool,
}

impl Counter {
    /// Begins to count for `node` in `tally`, which nobody else counts in; each job by itself if
    /// `counts_jobs`.
    pub fn new(tally: &Arc<Tally>, node: &NodeName, counts_jobs: bool) -> Self {
        let (tally, node, jobs) = (Arc::clone(tally), node.clone(), counts_jobs.then(HashMap::new));
        Self { tally, node, jobs, is_leading: false }
    }

    /// Returns where the counts are read.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Notes whether this node leads.
    pub(super) fn set_leading(&mut self, is_leading: bool) {
        self.is_leading = is_leading;
    }

    /// Counts an event; `exists` tells whether there still is such a job.
    pub(super) fn count(&mut self, event: &Event, exists: impl FnOnce(&JobName) -> bool) {
        match event {
            Event::Finished { execution, .. } if execution.id.node == self.node => {
                self.count_end(execution, exists);
            }
            Event::Skipped { skip, .. } | Event::Withdrawn { skip, .. } if self.is_leading => {
                self.count_skip(skip);
            }
            Event::JobChanged { job, change: JobChange::Deleted } => {
                let was_counted = self.jobs.as_mut().and_then(|jobs| jobs.remove(job));
                if was_counted.is_some() {
                    self.tally.lock().remove(job);
                }
            }
            _ => {}
        }
    }

    fn count_end(&mut self, execution: &Execution, exists: impl FnOnce(&JobName) -> bool) {
        let (tally, is_success) = match execution.state {
            ExecutionState::Succeeded => (&self.tally.succeeded, true),
            ExecutionState::Failed => (&self.tally.failed, false),
            ExecutionState::Cancelled => (&self.tally.cancelled, false),
            ExecutionState::Lost => (&self.tally.lost, false),
            ExecutionState::Running => return,
        };
        tally.fetch_add(1, Ordering::Relaxed);
        let Some(jobs) = &mut self.jobs else { return };
        let job = &execution.job;
        if !jobs.contains_key(job) && jobs.len() < METRIC_JOBS_MAX && exists(job) {
            let counted = Arc::clone(self.tally.lock().entry(job.clone()).or_default());
            jobs.insert(job.clone(), counted);
        }
        // What ends after its job was deleted does not bring the job back.
        let Some(counted) = jobs.get(job) else {
            self.tally.of_no_job.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let counter = if is_success { &counted.succeeded } else { &counted.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn count_skip(&self, skip: &Skip) {
        if skip.attempt > 1 {
            self.tally.attempts_skipped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let at = SkipReason::LABELS.iter().position(|label| *label == skip.reason.label());
        if let Some(count) = at.and_then(|at| self.tally.fires_skipped.get(at)) {
            count.fetch_add(skip.fires.into(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[path = "tally_test.rs"]
mod tests;
