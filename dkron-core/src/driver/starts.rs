//! How runs begin: each at its instant, and none in the way of the others.
//!
//! Claims are handed in shortly before their instant, so that everything is made and a thread is
//! awake when it comes; how long before is learned from when that thread was there. A run takes its
//! first step right where it begins, and gets a task only if it does not end in that step: fifty
//! functions of one instant begin microseconds apart. Why: docs/adr/0012.
//!
//! # Concurrency
//!
//! *Starters* work through one queue, as many as the runtime of the runs has threads at the most,
//! on threads that nobody else uses: a first step that keeps its thread holds up nobody while there
//! is another starter, and no task of the runtime ever; and what hangs on the runtime's own threads
//! for what blocks, such as the look-up of a name, holds up no start. *Owner*: the runtime given by
//! `with_starters`. *Inputs*: the queue. *Bound*: the queue holds claims that are on record and
//! have not begun. A starter *ends* when the queue is empty.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::task::noop_waker_ref;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Runs;
use super::runs::Run;
use crate::kernel::model::Job;
use crate::kernel::time::Timestamp;
use crate::limits::START_AHEAD_MAX;
use crate::ports::{RunEnd, RunFuture, RunOutcome};

/// How long ahead claims are handed in before anything is learned.
const AHEAD_FIRST: Duration = Duration::from_micros(200);

/// A claim about to begin.
pub(super) struct Start {
    /// Its fencing token.
    pub(super) token: u64,
    pub(super) job: Arc<Job>,
    /// Its instant.
    pub(super) at: Timestamp,
    /// Whether how late it begins tells how long it takes to wake a thread.
    pub(super) teaches: bool,
}

/// The queue of starts, and what was learned about waiting for them.
pub(super) struct Starts {
    queue: Mutex<Queue>,
    /// Has the threads of the starters.
    pool: Handle,
    starters_max: usize,
    ahead_ns: AtomicU64,
}

struct Queue {
    starts: VecDeque<Start>,
    /// Starters that are at work.
    starters: usize,
}

impl Starts {
    /// Begins with an empty queue, for so many starters on the threads for what blocks of `pool`.
    pub(super) fn new(starters_max: usize, pool: Handle) -> Self {
        let ahead_ns = AtomicU64::new(nanoseconds(AHEAD_FIRST));
        let queue = Mutex::new(Queue { starts: VecDeque::new(), starters: 0 });
        Self { queue, pool, starters_max: starters_max.max(1), ahead_ns }
    }

    /// Returns how long before their instants claims are best handed in.
    pub(super) fn ahead(&self) -> Duration {
        Duration::from_nanos(self.ahead_ns.load(Ordering::Relaxed))
    }

    /// Adds starts; returns how many starters are to be added.
    fn add(&self, starts: Vec<Start>) -> usize {
        let mut queue = self.lock();
        queue.starts.extend(starts);
        // Those at work are not counted on: each may be held up by the run that it has begun.
        let added = queue.starts.len().min(self.starters_max - queue.starters);
        queue.starters += added;
        added
    }

    /// Takes the next start; without one, the starter that asks is counted no more.
    fn next(&self) -> Option<Start> {
        let mut queue = self.lock();
        let start = queue.starts.pop_front();
        if start.is_none() {
            queue.starters -= 1;
            // A burst leaves no more behind than a few pages.
            queue.starts.shrink_to(64);
        }
        start
    }

    /// Learns from a starter that was there at `now` for a start at `at`.
    ///
    /// Late counts in full, early for little: a thread that is early waits for some microseconds,
    /// one that is late is late for all of its instant. What is later than any wait for a thread
    /// tells nothing.
    fn observe(&self, at: Timestamp, now: Timestamp) {
        let (late, early) = (now.since(at), at.since(now));
        if late > START_AHEAD_MAX {
            return;
        }
        let ahead = (self.ahead() + late).saturating_sub(early / 64);
        self.ahead_ns.store(nanoseconds(ahead.min(START_AHEAD_MAX)), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock was held leaves a queue that is still whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who works through the queue, for as long as it is counted.
struct Starter<'a> {
    runs: &'a Arc<Runs>,
    is_counted: bool,
}

impl Starter<'_> {
    fn next(&mut self) -> Option<Start> {
        let start = self.runs.starts.next();
        self.is_counted = start.is_some();
        start
    }
}

impl Drop for Starter<'_> {
    /// Whatever ends a starter before its time, another takes its place.
    fn drop(&mut self) {
        if self.is_counted {
            self.runs.starts.lock().starters -= 1;
            self.runs.begin(Vec::new());
        }
    }
}

impl Runs {
    /// Takes first steps on the threads for what blocks of `pool` rather than those of the runtime
    /// of the runs, which belong to what blocks in a run.
    #[must_use]
    pub fn with_starters(mut self, pool: Handle) -> Self {
        self.starts.pool = pool;
        self
    }

    /// Puts starts into the queue and sees to it that they begin.
    pub(super) fn begin(self: &Arc<Self>, starts: Vec<Start>) {
        for _ in 0..self.starts.add(starts) {
            let runs = Arc::clone(self);
            self.starts.pool.spawn_blocking(move || runs.work_through());
        }
    }

    /// Begins what is in the queue.
    fn work_through(self: &Arc<Self>) {
        // What a first step spawns goes on there, with its timers and sockets.
        let _within = self.runtime.enter();
        let mut starter = Starter { runs: self, is_counted: true };
        let mut last = None;
        while let Some(start) = starter.next() {
            // One start of each instant tells when this thread was there.
            if last.replace(start.at) != Some(start.at) {
                if start.teaches {
                    self.starts.observe(start.at, self.clock.now());
                }
                self.wait_for(start.at);
            }
            self.take_first_step(start);
        }
    }

    /// Waits for an instant that is about to come; others may use the processor meanwhile.
    fn wait_for(&self, at: Timestamp) {
        let begun = Instant::now();
        // The bound is for a clock that is put back.
        while self.clock.now() < at && begun.elapsed() < START_AHEAD_MAX {
            std::thread::yield_now();
        }
    }

    /// Begins a run; one that does not end at once goes on in a task of its own.
    fn take_first_step(self: &Arc<Self>, start: Start) {
        let prepared = self.prepare(&start);
        let Start { job, .. } = start;
        let Some((context, run)) = prepared else { return self.leave(&job.executor) };
        self.meters.began(run.lateness());
        let begun = catch_unwind(AssertUnwindSafe(|| self.executors.run(&job.executor, context)));
        let Ok(mut work) = begun else {
            self.end(run, panicked());
            return self.leave(&job.executor);
        };
        // Nobody has to be woken: a task polls it again, whatever has come meanwhile.
        let mut context = Context::from_waker(noop_waker_ref());
        let step = AssertUnwindSafe(&mut work).catch_unwind().poll_unpin(&mut context);
        if let Poll::Ready(end) = step {
            return self.ended(&job, run, work, end.unwrap_or_else(|_| panicked()));
        }
        let runs = Arc::clone(self);
        self.runtime.spawn(async move {
            let end = AssertUnwindSafe(&mut work).catch_unwind().await;
            runs.ended(&job, run, work, end.unwrap_or_else(|_| panicked()));
        });
    }

    /// Lets go of a run that is over, reports it, and gives its place to the next.
    fn ended(self: &Arc<Self>, job: &Job, run: Run, work: RunFuture, end: RunEnd) {
        // Should it object, it is over all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
        self.end(run, end);
        self.leave(&job.executor);
    }

    /// Reports a run that had begun.
    fn end(&self, run: Run, end: RunEnd) {
        self.meters.ended(self.clock.now().since(run.started_at));
        self.finish(run, end);
    }
}

fn panicked() -> RunEnd {
    let error = Some("the executor panicked; please report it".to_owned());
    RunEnd { outcome: RunOutcome::Failed, error }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "starts_test.rs"]
mod tests;
