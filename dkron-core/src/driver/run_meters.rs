//! What is counted of the runs of this node.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ports::{ANSWER_SPANS, Histogram, RUN_SPANS, SpanMeter};

/// Counts the runs of a node, without locks.
pub(super) struct RunMeters {
    lateness: SpanMeter,
    run_time: SpanMeter,
    reported: AtomicU64,
    acknowledged: AtomicU64,
}

/// What was counted of the runs of a node since it started.
pub struct RunFigures {
    /// How late runs began, after the instant at which their attempt was due.
    pub start_lateness: Histogram,
    /// How long runs took, from their begin to their end.
    pub run_time: Histogram,
    /// Runs that have begun and not ended.
    pub running: u64,
    /// Results that no leader has acknowledged yet; without those of an earlier process.
    pub results_waiting: u64,
}

impl RunMeters {
    pub(super) fn new() -> Self {
        Self {
            lateness: SpanMeter::new(ANSWER_SPANS),
            run_time: SpanMeter::new(RUN_SPANS),
            reported: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        }
    }

    /// Counts a run that begins.
    pub(super) fn began(&self, late: Duration) {
        self.lateness.record(late);
    }

    /// Counts the end of a run that had begun.
    pub(super) fn ended(&self, run_time: Duration) {
        self.run_time.record(run_time);
    }

    /// Counts a result that is on its way to the leader.
    pub(super) fn reported(&self) {
        self.reported.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts results that have arrived.
    pub(super) fn acknowledged(&self, results: u64) {
        self.acknowledged.fetch_add(results, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> RunFigures {
        // What comes later in the life of a run is read first: no difference is negative for long.
        let (acknowledged, ended) =
            (self.acknowledged.load(Ordering::Relaxed), self.run_time.read());
        let (reported, began) = (self.reported.load(Ordering::Relaxed), self.lateness.read());
        RunFigures {
            running: began.count().saturating_sub(ended.count()),
            start_lateness: began,
            run_time: ended,
            results_waiting: reported.saturating_sub(acknowledged),
        }
    }
}
