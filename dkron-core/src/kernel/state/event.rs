//! What a change makes known to those who watch: the engine, the API's followers, the metrics.

use std::sync::Arc;

use crate::kernel::model::{Cause, Execution, Job, JobName, Skip};
use crate::kernel::time::Timestamp;

/// A fact that has just become part of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A job was written, toggled or deleted.
    JobChanged {
        /// Its name.
        job: JobName,
        /// What happened.
        change: JobChange,
    },
    /// A fire was claimed for one node.
    Claimed(Claim),
    /// Fires were skipped, or a further attempt of one.
    Skipped {
        /// Which, and why.
        skip: Skip,
        /// Why they were due.
        cause: Cause,
        /// Whether the fire before was skipped for the same reason: then one record holds both.
        is_continued: bool,
        /// Whether this completed the fire: no attempt of it runs or is due any more.
        is_fire_complete: bool,
    },
    /// A claim was taken back before its start; the skip says why.
    Withdrawn {
        /// The execution, which is no longer kept.
        execution: Execution,
        /// What it became.
        skip: Skip,
        /// Whether this completed its fire: no attempt of it runs or is due any more.
        is_fire_complete: bool,
    },
    /// The end of a running execution was asked for.
    CancelRequested(Execution),
    /// An execution ended.
    Finished {
        /// It, with its final state.
        execution: Execution,
        /// Whether this completed its fire: no attempt of it runs or is due any more.
        is_fire_complete: bool,
        /// When the next attempt is due, if there is one.
        retry_at: Option<Timestamp>,
    },
    /// New jobs are refused, or accepted again.
    Paused(bool),
}

/// What happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobChange {
    /// It is new.
    Created,
    /// Its definition changed, or its history was deleted.
    Updated,
    /// It was disabled or enabled, and nothing else of it changed.
    Toggled {
        /// What it is now.
        disabled: bool,
    },
    /// It is gone.
    Deleted,
}

/// A claim that its node shall start at its instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The execution.
    pub execution: Execution,
    /// The job as it was when the fire was decided; shared by the claims of one fire.
    pub job: Arc<Job>,
    /// The job's revision then.
    pub revision: u64,
    /// When to start it.
    pub start_at: Timestamp,
}

#[cfg(test)]
impl Claim {
    /// Returns the claim of a scheduled fire that is due when it starts.
    pub fn sample(job: Job, token: u64, start_at: Timestamp) -> Self {
        use crate::kernel::model::{ExecutionId, ExecutionState, NodeName};
        let node = NodeName::parse("n1").expect("invariant: a name");
        let execution = Execution {
            job: job.name.clone(),
            id: ExecutionId { due_ns: token, node },
            fire_time: start_at,
            cause: Cause::Schedule,
            attempt: 1,
            token,
            instance: 1,
            started_at: start_at,
            finished_at: None,
            state: ExecutionState::Running,
            is_cancel_requested: false,
            output_bytes_total: 0,
        };
        Self { execution, job: Arc::new(job), revision: 1, start_at }
    }
}
