//! The job in the body of a request: read as Go reads it, checked in Dkron's order.

use std::collections::BTreeMap;

use dkron_core::schedule::{Schedule, ScheduleContext};
use dkron_core::{
    ConcurrencyPolicy, Job, JobName, JobStatus, NameError, Retention, RunStatus, Timestamp, Zone,
};

use super::policy_text as policy;
use crate::go_json::{
    DecodeError, Decoder, Field, Kind, find_field, read_nullable_time, read_time,
};

/// A job as a client wrote it, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobBody {
    name: String,
    displayname: String,
    timezone: String,
    schedule: String,
    owner: String,
    owner_email: String,
    success_count: u32,
    error_count: u32,
    last_success: Option<Timestamp>,
    last_error: Option<Timestamp>,
    disabled: bool,
    tags: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    retries: u32,
    parent_job: String,
    processors: Option<BTreeMap<String, BTreeMap<String, String>>>,
    concurrency: Option<String>,
    executor: String,
    executor_config: BTreeMap<String, String>,
    status: String,
    ephemeral: bool,
    starts_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    own: OwnFields,
}

/// The fields that Dkron does not have, as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
struct OwnFields {
    catch_up: String,
    dst: String,
    lost_run: String,
    misfire_deadline: String,
    placement: String,
    retry_backoff: String,
    timeout: String,
    declared_by: String,
    retention: RetentionBody,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct RetentionBody {
    executions: u32,
    age: String,
    output_bytes: u64,
}

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

/// Text fields, with the place of each in [`JobBody`].
type TextPlace = fn(&mut JobBody) -> &mut String;
const TEXTS: [(&str, TextPlace); 16] = [
    ("name", |body| &mut body.name),
    ("displayname", |body| &mut body.displayname),
    ("timezone", |body| &mut body.timezone),
    ("schedule", |body| &mut body.schedule),
    ("owner", |body| &mut body.owner),
    ("owner_email", |body| &mut body.owner_email),
    ("parent_job", |body| &mut body.parent_job),
    ("executor", |body| &mut body.executor),
    ("status", |body| &mut body.status),
    ("catch_up", |body| &mut body.own.catch_up),
    ("dst", |body| &mut body.own.dst),
    ("lost_run", |body| &mut body.own.lost_run),
    ("misfire_deadline", |body| &mut body.own.misfire_deadline),
    ("placement", |body| &mut body.own.placement),
    ("retry_backoff", |body| &mut body.own.retry_backoff),
    ("timeout", |body| &mut body.own.timeout),
];

const fn field(name: &'static str, go_type: &'static str) -> Field {
    Field { name, go_type }
}

/// The other fields.
const FIELDS: [Field; 19] = [
    field("id", "string"),
    field("success_count", "int"),
    field("error_count", "int"),
    field("last_success", "ntime.NullableTime"),
    field("last_error", "ntime.NullableTime"),
    field("disabled", "bool"),
    field("tags", "map[string]string"),
    field("metadata", "map[string]string"),
    field("retries", "uint"),
    field("dependent_jobs", "[]string"),
    field("processors", "map[string]plugin.Config"),
    field("concurrency", "string"),
    field("executor_config", "plugin.ExecutorPluginConfig"),
    field("next", "time.Time"),
    field("ephemeral", "bool"),
    field("starts_at", "ntime.NullableTime"),
    field("expires_at", "ntime.NullableTime"),
    field("declared_by", "string"),
    field("retention", "retention"),
];

impl JobBody {
    /// Reads the first JSON value of a body; what follows it is ignored, and so are unknown keys.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] in Go's words. Never panics, whatever the bytes.
    pub fn decode(text: &[u8]) -> Result<Self, DecodeError> {
        let mut body = Self::default();
        let mut decoder = Decoder::open(text, "Job")?;
        decoder.object(|decoder, key| body.read_field(decoder, key))?;
        decoder.finish()?;
        Ok(body)
    }

    /// Makes `concurrency` `allow` where the body says nothing of it: a job write does, a restore
    /// does not.
    pub fn default_concurrency(&mut self) {
        self.concurrency.get_or_insert_with(|| "allow".to_owned());
    }

    /// Returns whether the body says anything of processors.
    pub fn has_processors(&self) -> bool {
        self.processors.is_some()
    }

    fn read_field(&mut self, decoder: &mut Decoder<'_>, key: &str) -> Result<(), DecodeError> {
        for (name, place) in TEXTS {
            let field = Field { name, go_type: "string" };
            if find_field(&[field], key).is_some() {
                return decoder.string(field, place(self));
            }
        }
        let Some(field) = find_field(&FIELDS, key) else { return decoder.skip() };
        match field.name {
            "id" => decoder.string(field, &mut String::new()),
            "success_count" => decoder.number(field, &mut self.success_count),
            "error_count" => decoder.number(field, &mut self.error_count),
            "last_success" => read_nullable_time(decoder, &mut self.last_success),
            "last_error" => read_nullable_time(decoder, &mut self.last_error),
            "disabled" => decoder.bool(field, &mut self.disabled),
            "tags" => decoder.map(field, &mut self.tags),
            "metadata" => decoder.map(field, &mut self.metadata),
            "retries" => decoder.number(field, &mut self.retries),
            // Edges belong to the child: a parent's list is computed, never taken from a client.
            "dependent_jobs" => decoder.list(field, &mut Vec::new()),
            "processors" => self.read_processors(decoder, field),
            "concurrency" => self.read_concurrency(decoder, field),
            "executor_config" => decoder.map(field, &mut self.executor_config),
            // Computed; a client's is checked for its form alone.
            "next" => read_time(decoder, &mut None),
            "ephemeral" => decoder.bool(field, &mut self.ephemeral),
            "starts_at" => read_nullable_time(decoder, &mut self.starts_at),
            "expires_at" => read_nullable_time(decoder, &mut self.expires_at),
            "declared_by" => decoder.string(field, &mut self.own.declared_by),
            _ => self.own.retention.read(decoder, field),
        }
    }

    fn read_processors(
        &mut self,
        decoder: &mut Decoder<'_>,
        field: Field,
    ) -> Result<(), DecodeError> {
        if decoder.kind() == Kind::Null {
            self.processors = None;
            return decoder.skip();
        }
        let processors = self.processors.get_or_insert_default();
        decoder.map_of_maps(field, "plugin.Config", processors)
    }

    /// Reads the policy; absent and `null` differ from the empty text.
    fn read_concurrency(
        &mut self,
        decoder: &mut Decoder<'_>,
        field: Field,
    ) -> Result<(), DecodeError> {
        if decoder.kind() == Kind::String {
            decoder.string(field, self.concurrency.get_or_insert_default())
        } else {
            decoder.string(field, &mut String::new())
        }
    }

    /// Checks the job in Dkron's order: name, parent, schedule, concurrency, the rest.
    ///
    /// `server_zone` is that of schedules which name none.
    ///
    /// # Errors
    ///
    /// [`JobRefusal`] for the first fault. That the parent exists is not checked here.
    pub fn check(self, server_zone: Zone) -> Result<CheckedJob, JobRefusal> {
        let invalid = |error: &dyn std::fmt::Display| JobRefusal::Invalid(error.to_string());
        let name = JobName::parse(&self.name).map_err(|error| invalid(&error))?;
        let parent = match self.parent_job.as_str() {
            "" => None,
            parent => Some(JobName::parse(parent)),
        };
        let restored = self.restored();
        let mut job = self.to_job(name, parent.as_ref().and_then(|parent| parent.clone().ok()));
        let context = ScheduleContext {
            timezone: &job.timezone,
            job: job.name.as_str(),
            dst: policy::parse_dst(&self.own.dst).unwrap_or_default(),
            server_zone,
        };
        let needs_schedule = parent.is_none() || !job.schedule.is_empty();
        if needs_schedule {
            let parsed = Schedule::parse(&job.schedule, &context).map(drop);
            job.validate_schedule(parsed).map_err(|error| invalid(&error))?;
        }
        let concurrency = self.concurrency.as_deref().unwrap_or_default();
        job.concurrency = ConcurrencyPolicy::parse(concurrency).map_err(|error| invalid(&error))?;
        self.own.fill_in(&mut job).map_err(JobRefusal::Invalid)?;
        job.validate_settings().map_err(|error| invalid(&error))?;
        if let Some(Err(NameError::IllegalCharacter { .. } | NameError::TooLong { .. })) = parent {
            return Err(JobRefusal::NoParent);
        }
        Ok(CheckedJob { job, restored })
    }

    fn to_job(&self, name: JobName, parent_job: Option<JobName>) -> Job {
        Job {
            displayname: self.displayname.clone(),
            timezone: self.timezone.clone(),
            schedule: self.schedule.clone(),
            owner: self.owner.clone(),
            owner_email: self.owner_email.clone(),
            disabled: self.disabled,
            tags: self.tags.clone(),
            metadata: self.metadata.clone(),
            retries: self.retries,
            parent_job,
            processors: self.processors.clone().unwrap_or_default(),
            executor: self.executor.clone(),
            executor_config: self.executor_config.clone(),
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
    fn read(&mut self, decoder: &mut Decoder<'_>, field: Field) -> Result<(), DecodeError> {
        const KEYS: [Field; 3] = [
            Field { name: "executions", go_type: "uint" },
            Field { name: "age", go_type: "string" },
            Field { name: "output_bytes", go_type: "uint64" },
        ];
        match decoder.kind() {
            Kind::Object => decoder.object(|decoder, key| match find_field(&KEYS, key) {
                Some(key) if key.name == "executions" => decoder.number(key, &mut self.executions),
                Some(key) if key.name == "age" => decoder.string(key, &mut self.age),
                Some(key) => decoder.number(key, &mut self.output_bytes),
                None => decoder.skip(),
            }),
            Kind::Null => decoder.skip(),
            kind => decoder.mismatch(kind, field),
        }
    }

    /// Nothing, and 0, is the default.
    fn to_retention(&self) -> Result<Retention, String> {
        let default = Retention::default();
        let executions = Some(self.executions).filter(|count| *count > 0);
        Ok(Retention {
            executions_max: executions.unwrap_or(default.executions_max),
            age_max: policy::parse_span("retention.age", &self.age)?,
            output_bytes_max: Some(self.output_bytes).filter(|bytes| *bytes > 0),
        })
    }
}

#[cfg(test)]
#[path = "job_body_test.rs"]
mod tests;
