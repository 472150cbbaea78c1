//! Answers as records: what a request that comes twice is told.

use serde::{Deserialize, Serialize};

use super::scalar::{Id, id, to_id, to_job_name};
use super::{Malformed, Scratch, decode};
use crate::kernel::state::{Outcome, Rejection};

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum OutcomeRecord<'a> {
    Done,
    Written(u64),
    #[serde(borrow)]
    Claimed(Vec<Id<'a>>),
    Applied {
        created: u32,
        updated: u32,
        unchanged: u32,
        pruned: u32,
    },
    Rejected(RejectionRecord<'a>),
    Unfinished,
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum RejectionRecord<'a> {
    #[serde(borrow)]
    JobNotFound(&'a str),
    ExecutionNotRunning(&'a str, Id<'a>),
    ParentNotFound(&'a str),
    ParentCycle(&'a str, &'a str),
    ParentTooDeep(&'a str, u64),
    HasChildren(&'a str, &'a str),
    Moved(&'a str, u64),
    NotDeclaredBy(&'a str, &'a str),
    TagRefused(u64),
    FireDecided(&'a str),
    Overlap(&'a str, Id<'a>),
    Fenced(&'a str, Id<'a>),
    JobTooLarge(&'a str, u64, u64),
}

impl Outcome {
    /// Encodes an answer for `Requests`.
    pub(in super::super) fn encode<'s>(&self, scratch: &'s mut Scratch) -> &'s [u8] {
        scratch.encode(&match self {
            Self::Done => OutcomeRecord::Done,
            Self::Written { revision } => OutcomeRecord::Written(*revision),
            Self::Claimed { executions } => {
                OutcomeRecord::Claimed(executions.iter().map(id).collect())
            }
            Self::Applied { created, updated, unchanged, pruned } => OutcomeRecord::Applied {
                created: *created,
                updated: *updated,
                unchanged: *unchanged,
                pruned: *pruned,
            },
            Self::Rejected(why) => OutcomeRecord::Rejected(RejectionRecord::new(why)),
            Self::Unfinished => OutcomeRecord::Unfinished,
        })
    }

    /// Reads what [`Outcome::encode`] wrote.
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match decode(bytes)? {
            OutcomeRecord::Done => Self::Done,
            OutcomeRecord::Written(revision) => Self::Written { revision },
            OutcomeRecord::Claimed(executions) => {
                let executions = executions.into_iter().map(to_id).collect::<Result<_, _>>()?;
                Self::Claimed { executions }
            }
            OutcomeRecord::Applied { created, updated, unchanged, pruned } => {
                Self::Applied { created, updated, unchanged, pruned }
            }
            OutcomeRecord::Rejected(why) => Self::Rejected(why.to_rejection()?),
            OutcomeRecord::Unfinished => Self::Unfinished,
        })
    }
}

impl<'a> RejectionRecord<'a> {
    fn new(why: &'a Rejection) -> Self {
        match why {
            Rejection::JobNotFound { job } => Self::JobNotFound(job.as_str()),
            Rejection::ExecutionNotRunning { job, execution } => {
                Self::ExecutionNotRunning(job.as_str(), id(execution))
            }
            Rejection::ParentNotFound { parent } => Self::ParentNotFound(parent.as_str()),
            Rejection::ParentCycle { job, parent } => {
                Self::ParentCycle(job.as_str(), parent.as_str())
            }
            Rejection::ParentTooDeep { job, depth_max } => {
                Self::ParentTooDeep(job.as_str(), *depth_max as u64)
            }
            Rejection::HasChildren { job, children } => Self::HasChildren(job.as_str(), children),
            Rejection::Moved { job, revision } => Self::Moved(job.as_str(), *revision),
            Rejection::NotDeclaredBy { job, declared_by } => {
                Self::NotDeclaredBy(job.as_str(), declared_by)
            }
            Rejection::TagRefused { bytes_max } => Self::TagRefused(*bytes_max as u64),
            Rejection::FireDecided { job } => Self::FireDecided(job.as_str()),
            Rejection::Overlap { job, running } => Self::Overlap(job.as_str(), id(running)),
            Rejection::Fenced { job, execution } => Self::Fenced(job.as_str(), id(execution)),
            Rejection::JobTooLarge { job, bytes, bytes_max } => {
                Self::JobTooLarge(job.as_str(), *bytes as u64, *bytes_max as u64)
            }
        }
    }

    fn to_rejection(&self) -> Result<Rejection, Malformed> {
        Ok(match *self {
            Self::JobNotFound(job) => Rejection::JobNotFound { job: to_job_name(job)? },
            Self::ExecutionNotRunning(job, execution) => Rejection::ExecutionNotRunning {
                job: to_job_name(job)?,
                execution: to_id(execution)?,
            },
            Self::ParentNotFound(parent) => {
                Rejection::ParentNotFound { parent: to_job_name(parent)? }
            }
            Self::ParentCycle(job, parent) => {
                Rejection::ParentCycle { job: to_job_name(job)?, parent: to_job_name(parent)? }
            }
            Self::ParentTooDeep(job, depth_max) => {
                Rejection::ParentTooDeep { job: to_job_name(job)?, depth_max: to_usize(depth_max)? }
            }
            Self::HasChildren(job, children) => {
                Rejection::HasChildren { job: to_job_name(job)?, children: children.to_owned() }
            }
            Self::Moved(job, revision) => Rejection::Moved { job: to_job_name(job)?, revision },
            Self::NotDeclaredBy(job, declared_by) => Rejection::NotDeclaredBy {
                job: to_job_name(job)?,
                declared_by: declared_by.to_owned(),
            },
            Self::TagRefused(bytes_max) => {
                Rejection::TagRefused { bytes_max: to_usize(bytes_max)? }
            }
            Self::FireDecided(job) => Rejection::FireDecided { job: to_job_name(job)? },
            Self::Overlap(job, running) => {
                Rejection::Overlap { job: to_job_name(job)?, running: to_id(running)? }
            }
            Self::Fenced(job, execution) => {
                Rejection::Fenced { job: to_job_name(job)?, execution: to_id(execution)? }
            }
            Self::JobTooLarge(job, bytes, bytes_max) => Rejection::JobTooLarge {
                job: to_job_name(job)?,
                bytes: to_usize(bytes)?,
                bytes_max: to_usize(bytes_max)?,
            },
        })
    }
}

fn to_usize(number: u64) -> Result<usize, Malformed> {
    usize::try_from(number).map_err(|_| Malformed::new("a size is out of range"))
}
