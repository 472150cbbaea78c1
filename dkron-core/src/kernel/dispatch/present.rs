//! Which rows of the due table are due, by a clock that may have been put back.
//!
//! Schedules and retries are due when the clock shows their instants. None that a job has behind it
//! is ever due again: its row is always the one after. A dependent run waits for nothing: its
//! instant is the time of the entry that made it due, which never goes back, and only tells it from
//! others.

use std::time::Duration;

use crate::kernel::state::{DueKind, DueRow};
use crate::kernel::time::Timestamp;
use crate::limits::EXECUTIONS_PER_JOB_MAX;

/// How far beyond what has passed the instant of a dependent run may lie: it is that of an entry,
/// or the first one after it, a nanosecond each, that no execution of the job is named after. Twice
/// as many as a job may keep, for those that run or are due as well.
const DEPENDENT_AHEAD_MAX: Duration = Duration::from_nanos(2 * EXECUTIONS_PER_JOB_MAX as u64);

/// The present, as far as clocks can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// What the clock shows.
    pub now: Timestamp,
    /// The greatest instant that a clock in charge has shown, or that is the time of an entry: not
    /// before `now`.
    pub passed: Timestamp,
}

impl Present {
    /// Returns whether a row is due at `horizon`, an instant that the clock shows now or soon.
    pub(crate) fn is_due(&self, row: &DueRow, horizon: Timestamp) -> bool {
        let end = match row.kind {
            DueKind::Schedule | DueKind::Retry { .. } => horizon,
            DueKind::Dependent { .. } => self.scan_end(horizon),
        };
        row.at <= end
    }

    /// Returns the last instant at which a row may be due at `horizon`.
    pub(crate) fn scan_end(&self, horizon: Timestamp) -> Timestamp {
        if self.passed > self.now {
            horizon.max(self.passed.saturating_add(DEPENDENT_AHEAD_MAX))
        } else {
            horizon
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{Cause, JobName, NodeName};

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::from_unix_s(unix_s).unwrap()
    }

    /// Which of a schedule, a retry and a dependent run are due if their rows are so many
    /// nanoseconds after `row_s`.
    #[track_caller]
    fn check(now_s: i64, passed_s: i64, (row_s, row_ns): (i64, u64), want: [bool; 3]) {
        let job = JobName::parse("a").unwrap();
        let row_at = at(row_s).saturating_add(Duration::from_nanos(row_ns));
        let present = Present { now: at(now_s), passed: at(passed_s) };
        let kinds = [
            DueKind::Schedule,
            DueKind::Retry {
                fire_time: at(0),
                cause: Cause::Schedule,
                attempt: 2,
                node: NodeName::parse("n").unwrap(),
            },
            DueKind::Dependent { parent: job.clone(), parent_fire_time: at(0) },
        ];
        let is_due = kinds.map(|kind| {
            let row = DueRow { at: row_at, job: job.clone(), kind };
            present.is_due(&row, present.now)
        });
        assert_eq!(is_due, want, "now {now_s}, passed {passed_s}, row at {row_at}");
    }

    #[test]
    fn a_clock_that_was_put_back_holds_up_no_dependent_run() {
        check(100, 100, (100, 0), [true, true, true]);
        check(100, 100, (101, 0), [false, false, false]);
        check(100, 200, (100, 0), [true, true, true]);
        check(100, 200, (150, 0), [false, false, true]);
        check(100, 200, (200, 1_000_000), [false, false, true]);
        check(100, 200, (201, 0), [false, false, false]);
    }
}
