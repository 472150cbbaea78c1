//! What the engine wants done.

use std::time::Duration;

use crate::kernel::model::{ExecutionId, JobName, NodeName};
use crate::kernel::schedule::ScheduleError;
use crate::kernel::state::{Claim, Command, Rejection};
use crate::kernel::time::Timestamp;

/// One thing for the driver to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Propose these commands to the log, in this order, and answer with
    /// [`Input::Answered`](super::Input::Answered) once they are applied or have failed.
    ///
    /// One round is open at a time. It may hold more commands than one entry takes
    /// ([`limits::COMMANDS_PER_ENTRY_MAX`](crate::limits::COMMANDS_PER_ENTRY_MAX)): the driver cuts
    /// it. None of the commands needs a request id.
    Propose {
        /// Names the round in the answer; grows.
        round: u64,
        /// What to propose; at least one.
        commands: Vec<Command>,
    },
    /// Hand this claim to its node, now: its instant has come, or is ahead by no more than the
    /// engine was told ([`Engine::start_ahead`](super::Engine::start_ahead)), and the node waits
    /// for it. It was not handed out before.
    Start(Claim),
    /// Hand this claim to its node, as with [`Effect::Start`], though an earlier leader may have
    /// done so.
    ///
    /// The node starts it unless it knows its token, and that holds although a node forgets an
    /// execution once its end is acknowledged: first it looks whether it knows the token, and only
    /// then whether the state has the execution running still. An end is acknowledged after it was
    /// applied, so one of the two tells.
    StartAgain(Claim),
    /// Tell the node of a running execution to end it. Never comes before the start.
    CancelRun {
        /// The job.
        job: JobName,
        /// The execution, which names the node.
        execution: ExecutionId,
        /// Its fencing token.
        token: u64,
    },
    /// Nothing to do: something worth a line in the log or a metric.
    Note(Observation),
}

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
