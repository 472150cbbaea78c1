//! Commands as records of the log.

use serde::{Deserialize, Serialize};

use super::job::JobRecord;
use super::scalar::{
    Id, Time, id, time, to_id, to_job_name, to_node_name, to_optional_time, to_time,
};
use super::skip::ReasonRecord;
use super::status::{StatusRecord, StatusRow};
use super::{Code, Malformed, OutputRecord};
use crate::kernel::model::{Cause, ExecutionState};
use crate::kernel::state::{
    ApplyJobs, Command, DueKind, DueRow, Envelope, Fire, JobWrite, Overdue, Report, RequestId,
    Target, Verdict,
};

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
}

#[derive(Serialize, Deserialize)]
struct JobWriteRecord<'a> {
    name: &'a str,
    #[serde(borrow)]
    job: JobRecord<'a>,
    first: Option<Time>,
    overdue: Option<OverdueRecord>,
    if_revision: Option<u64>,
    restored: Option<StatusRecord>,
}

/// First and last instant, and how many.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct OverdueRecord(Time, Time, u32);

impl OverdueRecord {
    fn new(overdue: Overdue) -> Self {
        Self(time(overdue.first), time(overdue.last), overdue.fires)
    }

    fn to_overdue(self) -> Result<Overdue, Malformed> {
        Ok(Overdue { first: to_time(self.0)?, last: to_time(self.1)?, fires: self.2 })
    }
}

#[derive(Serialize, Deserialize)]
struct FireRecord<'a> {
    job: &'a str,
    revision: u64,
    #[serde(borrow)]
    due: Option<DueRowRecord<'a>>,
    at: Time,
    next: Option<Time>,
    is_forced: bool,
    verdict: VerdictRecord<'a>,
}

#[derive(Serialize, Deserialize)]
struct DueRowRecord<'a> {
    at: Time,
    job: &'a str,
    #[serde(borrow)]
    kind: DueKindRecord<'a>,
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum DueKindRecord<'a> {
    Schedule,
    Retry { fire_time: Time, cause: u8, attempt: u32, node: &'a str },
    Dependent { parent: &'a str, parent_fire_time: Time },
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum VerdictRecord<'a> {
    #[serde(borrow)]
    Start(Vec<(&'a str, u64)>),
    Skip(Time, u32, ReasonRecord<'a>),
}

#[derive(Serialize, Deserialize)]
struct ReportRecord<'a> {
    job: &'a str,
    #[serde(borrow)]
    execution: Id<'a>,
    token: u64,
    started_at: Option<Time>,
    finished_at: Time,
    state: u8,
    output: OutputRecord<'a>,
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
            Self::Fire(fire) => Command::Fire(Box::new(fire.to_fire()?)),
            Self::Withdraw { job, execution, token, reason } => Command::Withdraw {
                job: to_job_name(job)?,
                execution: to_id(*execution)?,
                token: *token,
                reason: reason.to_reason()?,
            },
            Self::Finish(report) => Command::Finish(Box::new(report.to_report()?)),
            Self::Cancel(job, execution) => {
                Command::Cancel { job: to_job_name(job)?, execution: to_id(*execution)? }
            }
        })
    }
}

impl<'a> JobWriteRecord<'a> {
    fn new(write: &'a JobWrite) -> Self {
        let restored =
            |status: &_| StatusRecord::new(&StatusRow { status: Clone::clone(status), running: 0 });
        Self {
            name: write.job.name.as_str(),
            job: JobRecord::new(&write.job),
            first: write.first.map(time),
            overdue: write.overdue.map(OverdueRecord::new),
            if_revision: write.if_revision,
            restored: write.restored.as_ref().map(restored),
        }
    }

    fn to_write(&self) -> Result<JobWrite, Malformed> {
        let restored = self.restored.as_ref().map(StatusRecord::to_row).transpose()?;
        Ok(JobWrite {
            job: self.job.to_job(&to_job_name(self.name)?)?,
            first: to_optional_time(self.first)?,
            overdue: self.overdue.map(OverdueRecord::to_overdue).transpose()?,
            if_revision: self.if_revision,
            restored: restored.map(|row| row.status),
        })
    }
}

impl<'a> FireRecord<'a> {
    fn new(fire: &'a Fire) -> Self {
        Self {
            job: fire.job.as_str(),
            revision: fire.revision,
            due: fire.due.as_ref().map(DueRowRecord::new),
            at: time(fire.at),
            next: fire.next.map(time),
            is_forced: fire.is_forced,
            verdict: match &fire.verdict {
                Verdict::Start { targets } => VerdictRecord::Start(
                    targets.iter().map(|t| (t.node.as_str(), t.instance)).collect(),
                ),
                Verdict::Skip { last, fires, reason } => {
                    VerdictRecord::Skip(time(*last), *fires, ReasonRecord::new(reason))
                }
            },
        }
    }

    fn to_fire(&self) -> Result<Fire, Malformed> {
        let target = |(node, instance): &(&str, u64)| {
            Ok(Target { node: to_node_name(node)?, instance: *instance })
        };
        Ok(Fire {
            job: to_job_name(self.job)?,
            revision: self.revision,
            due: self.due.as_ref().map(DueRowRecord::to_row).transpose()?,
            at: to_time(self.at)?,
            next: to_optional_time(self.next)?,
            is_forced: self.is_forced,
            verdict: match &self.verdict {
                VerdictRecord::Start(targets) => Verdict::Start {
                    targets: targets.iter().map(target).collect::<Result<_, _>>()?,
                },
                VerdictRecord::Skip(last, fires, reason) => Verdict::Skip {
                    last: to_time(*last)?,
                    fires: *fires,
                    reason: reason.to_reason()?,
                },
            },
        })
    }
}

impl<'a> DueRowRecord<'a> {
    fn new(row: &'a DueRow) -> Self {
        let kind = match &row.kind {
            DueKind::Schedule => DueKindRecord::Schedule,
            DueKind::Retry { fire_time, cause, attempt, node } => DueKindRecord::Retry {
                fire_time: time(*fire_time),
                cause: cause.to_code(),
                attempt: *attempt,
                node: node.as_str(),
            },
            DueKind::Dependent { parent, parent_fire_time } => DueKindRecord::Dependent {
                parent: parent.as_str(),
                parent_fire_time: time(*parent_fire_time),
            },
        };
        Self { at: time(row.at), job: row.job.as_str(), kind }
    }

    fn to_row(&self) -> Result<DueRow, Malformed> {
        let kind = match self.kind {
            DueKindRecord::Schedule => DueKind::Schedule,
            DueKindRecord::Retry { fire_time, cause, attempt, node } => DueKind::Retry {
                fire_time: to_time(fire_time)?,
                cause: Cause::from_code(cause)?,
                attempt,
                node: to_node_name(node)?,
            },
            DueKindRecord::Dependent { parent, parent_fire_time } => DueKind::Dependent {
                parent: to_job_name(parent)?,
                parent_fire_time: to_time(parent_fire_time)?,
            },
        };
        Ok(DueRow { at: to_time(self.at)?, job: to_job_name(self.job)?, kind })
    }
}

impl<'a> ReportRecord<'a> {
    fn new(report: &'a Report) -> Self {
        Self {
            job: report.job.as_str(),
            execution: id(&report.execution),
            token: report.token,
            started_at: report.started_at.map(time),
            finished_at: time(report.finished_at),
            state: report.state.to_code(),
            output: OutputRecord::new(&report.output),
        }
    }

    fn to_report(&self) -> Result<Report, Malformed> {
        let state = ExecutionState::from_code(self.state)?;
        if !state.is_final() {
            return Err(Malformed::new("a report says that the execution still runs"));
        }
        Ok(Report {
            job: to_job_name(self.job)?,
            execution: to_id(self.execution)?,
            token: self.token,
            started_at: to_optional_time(self.started_at)?,
            finished_at: to_time(self.finished_at)?,
            state,
            output: self.output.to_output(),
        })
    }
}
