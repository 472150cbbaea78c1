//! A job as a client wrote it becomes a job: checked in Dkron's order, the first fault in its
//! words.

use dkron_core::schedule::{Schedule, ScheduleContext};
use dkron_core::{
    ConcurrencyPolicy, Job, JobName, JobStatus, NameError, Retention, RunStatus, Zone,
};

use super::job_body::{JobBody, OwnFields, RetentionBody};
use super::policy_text as policy;

/// A job that was checked, with the counters of a backup if the client sent any.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedJob {
    /// The definition.
    pub job: Job,
    /// What the client sent of the computed fields.
    pub restored: Option<JobStatus>,
}

/// A job that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobRefusal {
    /// A field is wrong; the first one in Dkron's order, in its words where it has any.
    Invalid(String),
    /// The parent cannot exist.
    NoParent,
}

impl JobBody {
    /// Checks the job in Dkron's order: name, parent, schedule, concurrency, the rest.
    ///
    /// `server_zone` is that of schedules which name none.
    ///
    /// # Errors
    ///
    /// [`JobRefusal`] for the first fault. That the parent exists is not checked here.
    pub fn check(mut self, server_zone: Zone) -> Result<CheckedJob, JobRefusal> {
        let invalid = |error: &dyn std::fmt::Display| JobRefusal::Invalid(error.to_string());
        let name = JobName::parse(&self.name).map_err(|error| invalid(&error))?;
        let parent = match self.parent_job.as_str() {
            "" => None,
            parent => Some(JobName::parse(parent)),
        };
        let restored = self.restored();
        let (own, concurrency) = (std::mem::take(&mut self.own), self.concurrency.take());
        let mut job = self.into_job(name, parent.as_ref().and_then(|parent| parent.clone().ok()));
        let context = ScheduleContext {
            timezone: &job.timezone,
            job: job.name.as_str(),
            dst: policy::parse_dst(&own.dst).unwrap_or_default(),
            server_zone,
        };
        let needs_schedule = parent.is_none() || !job.schedule.is_empty();
        if needs_schedule {
            let parsed = Schedule::parse(&job.schedule, &context).map(drop);
            job.validate_schedule(parsed).map_err(|error| invalid(&error))?;
        }
        let concurrency = concurrency.unwrap_or_default();
        job.concurrency =
            ConcurrencyPolicy::parse(&concurrency).map_err(|error| invalid(&error))?;
        own.fill_in(&mut job).map_err(JobRefusal::Invalid)?;
        job.validate_settings().map_err(|error| invalid(&error))?;
        if let Some(Err(NameError::IllegalCharacter { .. } | NameError::TooLong { .. })) = parent {
            return Err(JobRefusal::NoParent);
        }
        Ok(CheckedJob { job, restored })
    }

    fn into_job(self, name: JobName, parent_job: Option<JobName>) -> Job {
        Job {
            displayname: self.displayname,
            timezone: self.timezone,
            schedule: self.schedule,
            owner: self.owner,
            owner_email: self.owner_email,
            disabled: self.disabled,
            tags: self.tags,
            metadata: self.metadata,
            retries: self.retries,
            parent_job,
            processors: self.processors.unwrap_or_default(),
            executor: self.executor,
            executor_config: self.executor_config,
            ephemeral: self.ephemeral,
            starts_at: self.starts_at,
            expires_at: self.expires_at,
            ..Job::new(name)
        }
    }

    /// Returns the computed fields that the client sent, if there is anything to them.
    fn restored(&self) -> Option<JobStatus> {
        let restored = JobStatus {
            success_count: self.success_count,
            error_count: self.error_count,
            last_success: self.last_success,
            last_error: self.last_error,
            status: match self.status.as_str() {
                "success" => RunStatus::Success,
                "failed" => RunStatus::Failed,
                "partially_failed" => RunStatus::PartiallyFailed,
                _ => RunStatus::Untriggered,
            },
            ..JobStatus::default()
        };
        (restored != JobStatus::default()).then_some(restored)
    }
}

impl OwnFields {
    fn fill_in(&self, job: &mut Job) -> Result<(), String> {
        job.dst = policy::parse_dst(&self.dst)?;
        job.catch_up = policy::parse_catch_up(&self.catch_up)?;
        job.lost_run = policy::parse_lost_run(&self.lost_run)?;
        job.misfire_deadline = policy::parse_span("misfire_deadline", &self.misfire_deadline)?;
        job.placement = policy::parse_placement(&self.placement)?;
        job.retry_backoff = policy::parse_retry_backoff(&self.retry_backoff)?;
        job.timeout = policy::parse_span("timeout", &self.timeout)?;
        job.declared_by = Some(self.declared_by.clone()).filter(|tag| !tag.is_empty());
        job.retention = self.retention.to_retention()?;
        Ok(())
    }
}

impl RetentionBody {
    /// What is not said is as the default has it; 0 is a number like others.
    fn to_retention(&self) -> Result<Retention, String> {
        let default = Retention::default();
        Ok(Retention {
            executions_max: self.executions.unwrap_or(default.executions_max),
            age_max: policy::parse_span("retention.age", &self.age)?,
            output_bytes_max: self.output_bytes,
        })
    }
}

#[cfg(test)]
#[path = "job_check_test.rs"]
mod tests;
