//! The answers of `apply`.

use crate::kernel::model::{ExecutionId, Few, JobName};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done. What exactly changed is in the events.
    Done,
    /// The job was written (or was like that already) and has this revision.
    Written {
        /// The revision after the write.
        revision: u64,
    },
    /// The fire is claimed: these executions exist now.
    Claimed {
        /// One for each target.
        executions: Few<ExecutionId>,
    },
    /// A program's jobs are as declared.
    Applied {
        /// New jobs.
        created: u32,
        /// Changed jobs.
        updated: u32,
        /// Jobs that were like that already.
        unchanged: u32,
        /// Deleted jobs.
        pruned: u32,
    },
    /// Nothing changed.
    Rejected(Rejection),
    /// Part of it is done, as much as one command may do: the same command again goes on.
    Unfinished,
}

/// Why nothing changed. Texts name what was asked for; those that Dkron has are Dkron's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// There is no such job.
    #[error("job \"{job}\" not found")]
    JobNotFound {
        /// Its name.
        job: JobName,
    },
    /// There is no such execution, or it has ended.
    #[error("execution \"{execution}\" of job \"{job}\" is not running")]
    ExecutionNotRunning {
        /// The job.
        job: JobName,
        /// The execution.
        execution: ExecutionId,
    },
    /// The parent does not exist.
    #[error("specified parent job not found")]
    ParentNotFound {
        /// The parent asked for.
        parent: JobName,
    },
    /// The job would be its own ancestor.
    #[error("job \"{job}\" cannot have \"{parent}\" as parent: that is a cycle")]
    ParentCycle {
        /// The job.
        job: JobName,
        /// The parent asked for.
        parent: JobName,
    },
    /// The tree of parents would be deeper than
    /// [`limits::PARENT_DEPTH_MAX`](crate::limits::PARENT_DEPTH_MAX).
    #[error("job \"{job}\" would have more than {depth_max} ancestors")]
    ParentTooDeep {
        /// The job.
        job: JobName,
        /// The limit.
        depth_max: usize,
    },
    /// The job has children, so it cannot be deleted.
    #[error("job \"{job}\" has dependent jobs: {children}; delete them or change their parent")]
    HasChildren {
        /// The job.
        job: JobName,
        /// Some of their names, comma separated.
        children: String,
    },
    /// The job has another revision than the one the command was made for.
    #[error("job \"{job}\" has revision {revision}, not the expected one")]
    Moved {
        /// The job.
        job: JobName,
        /// Its revision; 0 = there is none.
        revision: u64,
    },
    /// The job is declared by another program, or was made over the API.
    #[error("job \"{job}\" is not declared by \"{declared_by}\"")]
    NotDeclaredBy {
        /// The job.
        job: JobName,
        /// The tag of the program that asked.
        declared_by: String,
    },
    /// The tag of the declaring program does not fit a key of the store.
    #[error(
        "the tag of a declaring program must have 1 to {bytes_max} bytes and no control character"
    )]
    TagRefused {
        /// The limit, [`limits::DECLARED_BY_BYTES_MAX`](crate::limits::DECLARED_BY_BYTES_MAX).
        bytes_max: usize,
    },
    /// The due row of the fire is gone: somebody decided it before.
    #[error("fire of job \"{job}\" is decided already")]
    FireDecided {
        /// The job.
        job: JobName,
    },
    /// The job forbids overlap, and an execution is running.
    #[error("job \"{job}\" forbids overlap and \"{running}\" is running")]
    Overlap {
        /// The job.
        job: JobName,
        /// The execution in the way.
        running: ExecutionId,
    },
    /// The fencing token is not the one of the claim.
    #[error("execution \"{execution}\" of job \"{job}\" was claimed with another fencing token")]
    Fenced {
        /// The job.
        job: JobName,
        /// The execution.
        execution: ExecutionId,
    },
    /// The job is larger than [`limits::JOB_BYTES_MAX`](crate::limits::JOB_BYTES_MAX).
    #[error("job \"{job}\" takes {bytes} bytes, at most {bytes_max} are accepted")]
    JobTooLarge {
        /// The job.
        job: JobName,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}
