//! Everything that can change the state.

use crate::kernel::model::{
    Cause, ExecutionId, ExecutionState, Few, Job, JobName, JobStatus, NodeName, SkipReason,
};
use crate::kernel::time::Timestamp;

/// What one log entry carries: commands that are applied in order, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The proposer's clock.
    pub at: Timestamp,
    /// The commands, at most [`COMMANDS_PER_ENTRY_MAX`](crate::limits::COMMANDS_PER_ENTRY_MAX).
    pub commands: Vec<Envelope>,
}

/// A command, with the means to recognise it when it comes twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Given by the client; a command whose id was seen is answered as the first time, and not
    /// applied again. `None` for commands that are harmless when repeated.
    pub request: Option<RequestId>,
    /// What to do.
    pub command: Command,
}

impl Envelope {
    /// Hands in a result; handing it in again is harmless.
    pub fn finish(report: &Report) -> Self {
        Self { request: None, command: Command::Finish(report.clone()) }
    }
}

/// Identifies a request of a client; drawn at random by its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u128);

/// One change.
///
/// Nearly all are fires and ends, and go from thread to thread: these are held in place, for memory
/// of their own would be taken by one thread and given back by another.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Creates a job or replaces it by name.
    SetJob(Box<JobWrite>),
    /// Deletes a job with its history. Refused while it has children.
    ///
    /// A long history is out of sight at once, and goes with [`Command::Sweep`].
    DeleteJob {
        /// The job.
        job: JobName,
    },
    /// Deletes a job as [`Command::DeleteJob`] does.
    ///
    /// Refused as [`Rejection::Moved`](super::Rejection::Moved) when the job's revision is not
    /// `revision`.
    DeleteJobIfRevision {
        /// The job.
        job: JobName,
        /// The revision the proposer saw.
        revision: u64,
    },
    /// Sets whether a job is disabled.
    ///
    /// Refused as [`Rejection::Moved`](super::Rejection::Moved) when the job's revision is not
    /// `revision`: the proposer reads again and decides anew.
    SetDisabled {
        /// The job.
        job: JobName,
        /// The revision the proposer saw.
        revision: u64,
        /// The new value.
        disabled: bool,
        /// When it is due next if this enables it; by the proposer's time-zone data.
        first: Option<Timestamp>,
        /// As in a [`JobWrite`].
        overdue: Option<Overdue>,
    },
    /// Deletes a job's history and zeroes its counters. Running executions stay.
    ///
    /// Removes at most [`HISTORY_REMOVALS_MAX`](crate::limits::HISTORY_REMOVALS_MAX) executions and
    /// skips, the oldest first; the answer is then
    /// [`Outcome::Unfinished`](super::Outcome::Unfinished).
    DeleteExecutions {
        /// The job.
        job: JobName,
    },
    /// Creates, updates and prunes the jobs that one program declares: all or nothing.
    ApplyJobs(Box<ApplyJobs>),
    /// Stops or resumes the acceptance of new jobs in the whole cluster.
    SetPaused {
        /// The new value.
        paused: bool,
    },
    /// Decides one fire: claims it for nodes, or skips it.
    Fire(Fire),
    /// Takes back a claim whose start was never handed to its node.
    Withdraw {
        /// The job.
        job: JobName,
        /// The claim.
        execution: ExecutionId,
        /// Its fencing token; another one means that the claim has been dealt with.
        token: u64,
        /// Why.
        reason: SkipReason,
    },
    /// Ends an execution with what its node reports, or with its loss.
    Finish(Report),
    /// Asks for the end of a running execution.
    Cancel {
        /// The job.
        job: JobName,
        /// The execution.
        execution: ExecutionId,
    },
    /// Removes part of what is left of the histories of deleted jobs. Refuses nothing; harmless
    /// when nothing is left.
    Sweep {
        /// Executions, with their outputs, and skips to remove at most; never more than
        /// [`HISTORY_REMOVALS_MAX`](crate::limits::HISTORY_REMOVALS_MAX).
        removals_max: u32,
    },
}

/// A job as it shall be, with what `apply` must not compute.
#[derive(Clone, Debug, PartialEq)]
pub struct JobWrite {
    /// The definition.
    pub job: Job,
    /// When it is due first, were it new now: by the proposer's clock and time-zone data.
    ///
    /// Taken when the job is new, its schedule changed, or the write enables it; otherwise the
    /// stored instant stands.
    pub first: Option<Timestamp>,
    /// What the stored job has due already, if it has anything due: skipped if the write takes its
    /// first instant away. Without it, that is skipped if the time of the entry has come to it.
    pub overdue: Option<Overdue>,
    /// Only if the stored job has this revision: 0 = only if there is none, `None` = whatever.
    pub if_revision: Option<u64>,
    /// Counters a client restores: the greater of stored and sent wins; `status` counts
    /// only if none is stored. `next` and what concerns kept executions is ignored.
    pub restored: Option<JobStatus>,
}

#[cfg(any(test, feature = "testing"))]
impl JobWrite {
    /// A write whatever the stored revision, of a job that has nothing due already.
    pub const fn new(job: Job, first: Option<Timestamp>) -> Self {
        Self { job, first, overdue: None, if_revision: None, restored: None }
    }
}

/// Instants of a stored job that have come and are not decided; or, with no `fires`, one that has
/// passed for the log but not by the proposer's clock, which is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The first of them: the row of the due table that the proposer saw.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many there are; a lower bound as in a [`Skip`](crate::Skip).
    pub fires: u32,
}

impl Overdue {
    /// Says that the clock of the proposer has yet to show this instant, though entries of the log
    /// have a later time.
    pub const fn yet_to_come(first: Timestamp) -> Self {
        Self { first, last: first, fires: 0 }
    }
}

/// What one program declares.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyJobs {
    /// The tag of the program; it owns the jobs that carry it, and only those.
    pub declared_by: String,
    /// Its jobs, parents before children. A write equal to what is stored changes nothing.
    pub jobs: Vec<JobWrite>,
    /// Whether its jobs that are not among `jobs` are deleted.
    pub prune: bool,
}

/// A row of the due table: the one place that knows what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    /// When.
    pub at: Timestamp,
    /// The job.
    pub job: JobName,
    /// What.
    pub kind: DueKind,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// A fire of the job's schedule.
    Schedule,
    /// The next attempt of an execution that failed.
    Retry {
        /// The fire it belongs to.
        fire_time: Timestamp,
        /// Why that came about.
        cause: Cause,
        /// The number of the attempt to come.
        attempt: u32,
        /// Where the last one failed; the next runs there if that node lives.
        node: NodeName,
    },
    /// The run of a child after its parent's success.
    Dependent {
        /// The parent.
        parent: JobName,
        /// The parent's fire that succeeded.
        parent_fire_time: Timestamp,
    },
}

/// The decision on one fire.
///
/// `apply` checks it against the state it meets: the due row must still be there, the job's
/// revision the one the decision was made for, and a `forbid` job must have no running execution.
/// Otherwise nothing changes and the answer says why; the leader decides anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fire {
    /// The job.
    pub job: JobName,
    /// The revision the decision was made for.
    pub revision: u64,
    /// The row that this decision consumes; `None` for a run that somebody asked for.
    pub due: Option<DueRow>,
    /// The instant of the fire: of the row; or when the run was asked for, made unique by `apply`.
    pub at: Timestamp,
    /// When the schedule fires next; counts only if a row of the schedule is consumed.
    pub next: Option<Timestamp>,
    /// Ignores `forbid`: a run by hand, as in Dkron.
    pub is_forced: bool,
    /// What to do.
    pub verdict: Verdict,
}

/// What to do with a fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Claim it for these nodes: at least one.
    Start {
        /// Where.
        targets: Few<Target>,
    },
    /// Do not start it, nor those after it up to `last`.
    Skip {
        /// The last fire that this skips; the instant of the fire itself if it is the only one.
        last: Timestamp,
        /// How many fires that is.
        fires: u32,
        /// Why.
        reason: SkipReason,
    },
}

/// A node chosen for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub node: NodeName,
    /// The process it is chosen in.
    pub instance: u64,
}

/// What became of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The job.
    pub job: JobName,
    /// The execution.
    pub execution: ExecutionId,
    /// The fencing token it was claimed with; a report with another one is refused.
    pub token: u64,
    /// When it started, by its node's clock; `None` if that is not known.
    pub started_at: Option<Timestamp>,
    /// When it ended, by its node's clock, or the leader's for a loss.
    pub finished_at: Timestamp,
    /// How: any state but `Running`.
    pub state: ExecutionState,
    /// What it wrote, as far as it is kept.
    pub output: StoredOutput,
}

#[cfg(test)]
impl Report {
    /// Returns the silent success of what [`Claim::sample`](super::Claim::sample) claims.
    pub fn sample(job: &str, token: u64) -> Self {
        let node = NodeName::parse("n1").expect("invariant: a name");
        Self {
            job: JobName::parse(job).expect("invariant: a name"),
            execution: ExecutionId { due_ns: token, node },
            token,
            started_at: None,
            finished_at: Timestamp::UNIX_EPOCH,
            state: ExecutionState::Succeeded,
            output: StoredOutput::default(),
        }
    }
}

/// The output of an execution as it is kept: opaque to the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredOutput {
    /// Bytes the run wrote in all, before anything was cut.
    pub bytes_total: u64,
    /// How `bytes` are packed; the edge knows. 0 = plain.
    pub packing: u8,
    /// What is kept; empty if the run was silent.
    pub bytes: Vec<u8>,
}
