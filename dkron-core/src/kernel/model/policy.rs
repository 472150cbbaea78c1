//! What a job wants done in the cases that schedulers differ on.
//!
//! Each default keeps Dkron's behaviour for jobs created over its API; jobs declared in a program
//! start from other defaults, which the cluster's job builder sets.

use std::time::Duration;

use crate::limits::EXECUTIONS_PER_JOB_DEFAULT;

/// Whether executions of one job may overlap. `concurrency` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConcurrencyPolicy {
    /// They may.
    #[default]
    Allow,
    /// A fire is skipped while an execution of the job is running or claimed.
    Forbid,
    /// They may: nobody said anything. Dkron keeps the empty text it was given, and so do we.
    Unsaid,
}

/// What a change of the civil clock does to a schedule. `dst` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DstPolicy {
    /// A fixed local time runs once: at its first occurrence, or right after the gap that skips it.
    #[default]
    Once,
    /// Every real second whose wall clock matches: never in a gap, twice in an overlap (Dkron).
    Wall,
}

/// What becomes of fires that fell due while nobody scheduled. `catch_up` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CatchUpPolicy {
    /// They are skipped; but the newest one starts if it is no more than
    /// [`limits::LATE_START_MAX`](crate::limits::LATE_START_MAX) late (a restart, a new leader), or
    /// within the grace period of `@after`.
    #[default]
    None,
    /// The newest one starts, however late; those before it are skipped as caught up.
    Latest,
    /// The newest `fires_max` of them start, oldest first; those before are skipped as caught up.
    All {
        /// How many at most: 1 to
        /// [`limits::CATCH_UP_FIRES_MAX`](crate::limits::CATCH_UP_FIRES_MAX).
        fires_max: u32,
    },
}

/// What becomes of an attempt that is [`Lost`](super::ExecutionState::Lost): whose process was
/// killed, or was shut down in good order and had to end it. `lost_run` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LostRunPolicy {
    /// It counts as a failed attempt: the job's retries apply.
    #[default]
    Fail,
    /// It is attempted again even without retries left: at least once. A job that outlasts
    /// `shutdown_timeout` so runs anew after each restart.
    Rerun,
    /// It is never attempted again: at most once.
    Never,
}

/// How long to wait before the next attempt. `retry_backoff` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetryBackoff {
    /// Dkron's: with r the run time of the failed attempt and n the number of the next one, nothing
    /// if r < 0.5 s, else 0.5 s × (⌊log₂⌊r / 0.5 s⌋⌋ + n).
    #[default]
    Dkron,
    /// The same wait before each attempt.
    Fixed {
        /// The wait.
        delay: Duration,
    },
    /// `initial`, doubled at each further attempt, at most `max`.
    Exponential {
        /// Before the second attempt.
        initial: Duration,
        /// The longest wait.
        max: Duration,
    },
}

impl RetryBackoff {
    /// Returns how long to wait before attempt number `attempt`, when the one before it ran for
    /// `run_time`. Integer arithmetic, so that every server computes the same; saturates.
    ///
    /// `attempt` is at least 2; a smaller one counts as 2.
    pub fn wait_before(self, attempt: u32, run_time: Duration) -> Duration {
        /// Dkron's unit of waiting.
        const STEP: Duration = Duration::from_millis(500);
        match self {
            Self::Dkron => {
                let units = run_time.as_millis() / STEP.as_millis();
                let doublings = units.checked_ilog2();
                doublings.map_or(Duration::ZERO, |n| STEP.saturating_mul(n.saturating_add(attempt)))
            }
            Self::Fixed { delay } => delay,
            Self::Exponential { initial, max } => {
                let factor = 1_u32.checked_shl(attempt.saturating_sub(2)).unwrap_or(u32::MAX);
                initial.saturating_mul(factor).min(max)
            }
        }
    }
}

/// On how many of the nodes that match a fire starts. `placement` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PlacementPolicy {
    /// On all of them, up to the count in the job's tags (Dkron: no tags = every node).
    #[default]
    Every,
    /// On one of them.
    One,
}

/// How much of a job's history is kept. `retention` on the wire.
///
/// Concerns executions that have ended, ordered by the instant they were due; enforced whenever
/// one of the job ends. Running ones are kept beside them, however many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// The newest so many executions; at least 1.
    pub executions_max: u32,
    /// Executions younger than this; `None` = of any age.
    pub age_max: Option<Duration>,
    /// The newest ones whose stored outputs sum up to so many bytes; `None` = no limit.
    pub output_bytes_max: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { executions_max: EXECUTIONS_PER_JOB_DEFAULT, age_max: None, output_bytes_max: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds to wait before an attempt, after a run of so many milliseconds.
    #[track_caller]
    fn check(backoff: RetryBackoff, run_ms: u64, attempt: u32, want_ms: u64) {
        let wait = backoff.wait_before(attempt, Duration::from_millis(run_ms));
        assert_eq!(wait, Duration::from_millis(want_ms), "run {run_ms} ms, attempt {attempt}");
    }

    /// The figures measured on, and computed for, Dkron.
    #[test]
    fn dkrons_wait_grows_with_the_run_time_and_hardly_with_the_attempts() {
        for (run_ms, waits) in [
            (0, [(2, 0), (3, 0), (5, 0)]),
            (499, [(2, 0), (3, 0), (5, 0)]),
            (500, [(2, 1_000), (3, 1_500), (5, 2_500)]),
            (600, [(2, 1_000), (3, 1_500), (5, 2_500)]),
            (1_200, [(2, 1_500), (3, 2_000), (5, 3_000)]),
            (10_000, [(2, 3_000), (3, 3_500), (5, 4_500)]),
            (3_600_000, [(2, 7_000), (3, 7_500), (5, 8_500)]),
        ] {
            for (attempt, want_ms) in waits {
                check(RetryBackoff::Dkron, run_ms, attempt, want_ms);
            }
        }
    }

    #[test]
    fn a_fixed_wait_is_the_same_before_each_attempt() {
        let fixed = RetryBackoff::Fixed { delay: Duration::from_secs(7) };
        check(fixed, 0, 2, 7_000);
        check(fixed, 3_600_000, 99, 7_000);
    }

    #[test]
    fn an_exponential_wait_doubles_up_to_its_maximum() {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(60));
        let doubling = RetryBackoff::Exponential { initial, max };
        for (attempt, want_ms) in [(2, 1_000), (3, 2_000), (7, 32_000), (8, 60_000), (200, 60_000)]
        {
            check(doubling, 0, attempt, want_ms);
        }
    }

    #[test]
    fn no_wait_overflows() {
        let longest = RetryBackoff::Exponential { initial: Duration::MAX, max: Duration::MAX };
        assert_eq!(longest.wait_before(u32::MAX, Duration::MAX), Duration::MAX);
        assert!(RetryBackoff::Dkron.wait_before(u32::MAX, Duration::MAX) > Duration::ZERO);
    }
}
