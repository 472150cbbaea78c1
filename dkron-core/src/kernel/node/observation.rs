//! What the engine observed that shows nowhere in the state, and a sentence for each.

use std::fmt;
use std::time::Duration;

use crate::kernel::model::{ExecutionId, JobName, NodeName};
use crate::kernel::schedule::ScheduleError;
use crate::kernel::state::Rejection;
use crate::kernel::time::Timestamp;

/// Something that happened inside the engine and shows nowhere in the state.
///
/// Skips and their reasons, starts and ends are events of the state; they are not repeated here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// This node began to lead.
    TookOffice {
        /// Claims of living processes that are handed out again.
        resumed: usize,
        /// Executions whose process is gone.
        lost: usize,
        /// The first instant due, if one is due already: since then nobody scheduled.
        due_since: Option<Timestamp>,
    },
    /// Nobody watched for a while: the clock was put forward, or the process or machine stood
    /// still. What fell due meanwhile follows the catch-up policy of its job.
    TimeSkipped {
        /// For how long.
        span: Duration,
    },
    /// The clock shows an instant before one that has passed: it was put back, or that of the
    /// leader before was ahead. No job has an instant decided again: its schedule goes on when the
    /// clock reaches the instant after the last one decided.
    ClockWentBack {
        /// How far it is behind.
        span: Duration,
    },
    /// A round of decisions was made.
    Planned {
        /// Fires claimed.
        starts: usize,
        /// Fires, or rows of fires, skipped.
        skips: usize,
        /// How late the earliest of them was when decided; zero if it was ahead of its instant.
        late: Duration,
    },
    /// As many executions run as may
    /// ([`limits::RUNS_MAX`](crate::limits::RUNS_MAX)): what is due waits until some have ended.
    Overloaded {
        /// How many run.
        running: u64,
    },
    /// For a minute nothing due has had to wait for others to end. Until then one
    /// [`Observation::Overloaded`] stands for all of it.
    OverloadOver {
        /// How long things had to wait, from the first to the last.
        span: Duration,
    },
    /// Executions are being closed: lost ones, and claims that must not start.
    Closing {
        /// How many.
        executions: usize,
    },
    /// A claim was not started: its job changed, or its end was asked for, before its instant.
    WithdrewClaim {
        /// The job.
        job: JobName,
        /// The claim.
        execution: ExecutionId,
    },
    /// The leader does not understand a stored schedule: another version wrote it, or the zone is
    /// not known here. The job stays due, and is looked at again after
    /// [`limits::SCHEDULE_RETRY_PERIOD`](crate::limits::SCHEDULE_RETRY_PERIOD).
    ScheduleUnreadable {
        /// The job.
        job: JobName,
        /// What is wrong with it.
        error: ScheduleError,
    },
    /// The state refused decisions; what they were about is decided anew.
    Refused {
        /// How many.
        commands: usize,
        /// The first reason.
        first: Rejection,
    },
    /// A round of proposals failed; it is decided anew after a pause.
    RoundFailed {
        /// The pause.
        pause: Duration,
    },
    /// A node that runs executions has left the list of living nodes.
    NodeGone {
        /// The node.
        node: NodeName,
        /// The process.
        instance: u64,
    },
}

impl fmt::Display for Observation {
    /// Writes a line for an operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TookOffice { resumed, lost, due_since } => {
                write!(f, "this node leads: {resumed} claims handed out again, {lost} runs lost")?;
                match due_since {
                    Some(instant) => write!(f, ", nothing scheduled since {instant}"),
                    None => Ok(()),
                }
            }
            Self::TimeSkipped { span } => write!(
                f,
                "{span:.1?} passed unwatched: the clock was put forward, or the machine stood \
                 still; what fell due follows the catch-up policy of its job"
            ),
            Self::ClockWentBack { span } => write!(
                f,
                "the clock is {span:.1?} behind what it has shown: no instant is decided again, \
                 schedules go on once it has caught up"
            ),
            Self::Planned { starts, skips, late } => {
                write!(f, "decided {starts} starts and {skips} skips, {late:.1?} late")
            }
            Self::Overloaded { running } => write!(
                f,
                "overloaded: {running} executions run, no more may; what is due waits for some \
                 to end"
            ),
            Self::OverloadOver { span } => {
                write!(f, "no longer overloaded: what was due had to wait for {span:.1?}")
            }
            Self::Closing { executions } => {
                write!(f, "{executions} executions are closed that were lost or must not start")
            }
            Self::WithdrewClaim { job, execution } => write!(
                f,
                "execution {execution} of job {job} does not start: the job was changed, or its \
                 end asked for, before its instant"
            ),
            Self::ScheduleUnreadable { job, error } => {
                write!(f, "the schedule of job {job} cannot be read here, it stays due: {error}")
            }
            Self::Refused { commands, first } => write!(
                f,
                "{commands} decisions were refused and are made anew, the first because: {first}"
            ),
            Self::RoundFailed { pause } => {
                write!(f, "decisions could not be committed; they are made anew in {pause:.1?}")
            }
            Self::NodeGone { node, instance } => {
                write!(f, "node {node} is gone while it runs executions (process {instance:016x})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_reads_as_a_sentence() {
        let check = |observation: Observation, want: &str| {
            assert_eq!(observation.to_string(), want, "{observation:?}");
        };
        let due_since = Some(Timestamp::from_unix_ns(1_763_707_258_000_000_000));
        check(
            Observation::TookOffice { resumed: 2, lost: 1, due_since },
            "this node leads: 2 claims handed out again, 1 runs lost, nothing scheduled since \
             2025-11-21T06:40:58Z",
        );
        check(
            Observation::TookOffice { resumed: 0, lost: 0, due_since: None },
            "this node leads: 0 claims handed out again, 0 runs lost",
        );
        check(
            Observation::ClockWentBack { span: Duration::from_millis(90_250) },
            "the clock is 90.2s behind what it has shown: no instant is decided again, schedules \
             go on once it has caught up",
        );
        let node = NodeName::parse("n1").unwrap();
        check(
            Observation::NodeGone { node, instance: 255 },
            "node n1 is gone while it runs executions (process 00000000000000ff)",
        );
    }
}
