//! What the engine wants done.

use super::observation::Observation;
use crate::kernel::model::{ExecutionId, JobName};
use crate::kernel::state::{Claim, Command};

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
