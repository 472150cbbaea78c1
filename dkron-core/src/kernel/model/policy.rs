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
    /// [`limits::LATE_START_MAX`](crate::limits::LATE_START_MAX) late (a restart, a new leader).
    #[default]
    None,
    /// The newest one starts, however late; those before it are skipped as collapsed.
    Latest,
    /// The newest `fires_max` of them start, oldest first; those before are skipped as collapsed.
    All {
        /// How many at most: 1 to
        /// [`limits::CATCH_UP_FIRES_MAX`](crate::limits::CATCH_UP_FIRES_MAX).
        fires_max: u32,
    },
}

/// What becomes of an attempt whose node died with it. `lost_run` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LostRunPolicy {
    /// It counts as a failed attempt: the job's retries apply.
    #[default]
    Fail,
    /// It is attempted again even without retries left: at least once.
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
