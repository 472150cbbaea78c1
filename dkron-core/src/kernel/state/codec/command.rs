//! Commands as records of the log.

use serde::{Deserialize, Serialize};

use super::Malformed;
use super::fire::FireRecord;
use super::job_write::{JobWriteRecord, OverdueRecord};
use super::report::ReportRecord;
use super::scalar::{Id, Time, id, time, to_id, to_job_name, to_optional_time};
use super::skip::ReasonRecord;
use crate::kernel::state::{ApplyJobs, Command, Envelope, RequestId};

#[derive(Serialize, Deserialize)]
pub(super) struct EnvelopeRecord<'a> {
    request: Option<u128>,
    #[serde(borrow)]
    command: CommandRecord<'a>,
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum CommandRecord<'a> {
    #[serde(borrow)]
    SetJob(Box<JobWriteRecord<'a>>),
    DeleteJob(&'a str),
    SetDisabled {
        job: &'a str,
        revision: u64,
        disabled: bool,
        first: Option<Time>,
        overdue: Option<OverdueRecord>,
    },
    DeleteExecutions(&'a str),
    ApplyJobs {
        declared_by: &'a str,
        jobs: Vec<JobWriteRecord<'a>>,
        prune: bool,
    },
    SetPaused(bool),
    Fire(FireRecord<'a>),
    Withdraw {
        job: &'a str,
        execution: Id<'a>,
        token: u64,
        reason: ReasonRecord<'a>,
    },
    Finish(ReportRecord<'a>),
    Cancel(&'a str, Id<'a>),
    Sweep(u32),
    DeleteJobIfRevision(&'a str, u64),
}

impl<'a> EnvelopeRecord<'a> {
    pub(super) fn new(envelope: &'a Envelope) -> Self {
        let request = envelope.request.map(|RequestId(id)| id);
        Self { request, command: CommandRecord::new(&envelope.command) }
    }

    pub(super) fn to_envelope(&self) -> Result<Envelope, Malformed> {
        let command = self.command.to_command()?;
        Ok(Envelope { request: self.request.map(RequestId), command })
    }
}

impl<'a> CommandRecord<'a> {
    fn new(command: &'a Command) -> Self {
        match command {
            Command::SetJob(write) => Self::SetJob(Box::new(JobWriteRecord::new(write))),
            Command::DeleteJob { job } => Self::DeleteJob(job.as_str()),
            Command::DeleteJobIfRevision { job, revision } => {
                Self::DeleteJobIfRevision(job.as_str(), *revision)
            }
            Command::SetDisabled { job, revision, disabled, first, overdue } => Self::SetDisabled {
                job: job.as_str(),
                revision: *revision,
                disabled: *disabled,
                first: first.map(time),
                overdue: overdue.map(OverdueRecord::new),
            },
            Command::DeleteExecutions { job } => Self::DeleteExecutions(job.as_str()),
            Command::ApplyJobs(apply) => Self::ApplyJobs {
                declared_by: &apply.declared_by,
                jobs: apply.jobs.iter().map(JobWriteRecord::new).collect(),
                prune: apply.prune,
            },
            Command::SetPaused { paused } => Self::SetPaused(*paused),
            Command::Fire(fire) => Self::Fire(FireRecord::new(fire)),
            Command::Withdraw { job, execution, token, reason } => Self::Withdraw {
                job: job.as_str(),
                execution: id(execution),
                token: *token,
                reason: ReasonRecord::new(reason),
            },
            Command::Finish(report) => Self::Finish(ReportRecord::new(report)),
            Command::Cancel { job, execution } => Self::Cancel(job.as_str(), id(execution)),
            Command::Sweep { removals_max } => Self::Sweep(*removals_max),
        }
    }

    fn to_command(&self) -> Result<Command, Malformed> {
        Ok(match self {
            Self::SetJob(write) => Command::SetJob(Box::new(write.to_write()?)),
            Self::DeleteJob(job) => Command::DeleteJob { job: to_job_name(job)? },
            Self::SetDisabled { job, revision, disabled, first, overdue } => Command::SetDisabled {
                job: to_job_name(job)?,
                revision: *revision,
                disabled: *disabled,
                first: to_optional_time(*first)?,
                overdue: overdue.map(OverdueRecord::to_overdue).transpose()?,
            },
            Self::DeleteExecutions(job) => Command::DeleteExecutions { job: to_job_name(job)? },
            Self::ApplyJobs { declared_by, jobs, prune } => {
                let jobs = jobs.iter().map(JobWriteRecord::to_write).collect::<Result<_, _>>()?;
                let declared_by = (*declared_by).to_owned();
                Command::ApplyJobs(Box::new(ApplyJobs { declared_by, jobs, prune: *prune }))
            }
            Self::SetPaused(paused) => Command::SetPaused { paused: *paused },
            Self::Fire(fire) => Command::Fire(fire.to_fire()?),
            Self::Withdraw { job, execution, token, reason } => Command::Withdraw {
                job: to_job_name(job)?,
                execution: to_id(*execution)?,
                token: *token,
                reason: reason.to_reason()?,
            },
            Self::Finish(report) => Command::Finish(report.to_report()?),
            Self::Cancel(job, execution) => {
                Command::Cancel { job: to_job_name(job)?, execution: to_id(*execution)? }
            }
            Self::Sweep(removals_max) => Command::Sweep { removals_max: *removals_max },
            Self::DeleteJobIfRevision(job, revision) => {
                Command::DeleteJobIfRevision { job: to_job_name(job)?, revision: *revision }
            }
        })
    }
}
