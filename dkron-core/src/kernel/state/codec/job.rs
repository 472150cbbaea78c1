//! The definition of a job as a record.

use serde::{Deserialize, Serialize};

use super::scalar::{
    Pairs, Span, Time, pairs, sorted, span, time, to_job_name, to_map, to_optional_time, to_span,
};
use super::{Code, Malformed, Scratch, decode, decode_head};
use crate::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, DstPolicy, Job, JobName, LostRunPolicy, PlacementPolicy,
    Retention, RetryBackoff,
};

/// Everything but the name, which is the key.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct JobRecord<'a> {
    // What the end of an execution asks for stands first, so that it is decoded alone.
    rules: RulesRecord,
    #[serde(borrow)]
    parent_job: Option<&'a str>,
    disabled: bool,
    concurrency: u8,
    displayname: &'a str,
    timezone: &'a str,
    schedule: &'a str,
    dst: u8,
    owner: &'a str,
    owner_email: &'a str,
    tags: Pairs<'a>,
    placement: u8,
    metadata: Pairs<'a>,
    processors: Vec<(&'a str, Pairs<'a>)>,
    executor: &'a str,
    executor_config: Pairs<'a>,
    starts_at: Option<Time>,
    expires_at: Option<Time>,
    catch_up: CatchUpRecord,
    misfire_deadline: Option<Span>,
    timeout: Option<Span>,
    declared_by: Option<&'a str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct RulesRecord {
    retries: u32,
    retry_backoff: BackoffRecord,
    lost_run: u8,
    ephemeral: bool,
    executions_max: u32,
    age_max: Option<Span>,
    output_bytes_max: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum BackoffRecord {
    Dkron,
    Fixed(Span),
    Exponential(Span, Span),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum CatchUpRecord {
    None,
    Latest,
    All(u32),
}

/// What becomes of an execution that ends: the head of a [`JobRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct JobRules {
    pub(in super::super) retries: u32,
    pub(in super::super) retry_backoff: RetryBackoff,
    pub(in super::super) lost_run: LostRunPolicy,
    pub(in super::super) ephemeral: bool,
    pub(in super::super) retention: Retention,
}

impl JobRules {
    /// Decodes the head of a job's record and nothing else.
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (record, _) = decode_head::<RulesRecord>(bytes)?;
        record.to_rules()
    }
}

impl RulesRecord {
    fn new(job: &Job) -> Self {
        Self {
            retries: job.retries,
            retry_backoff: match job.retry_backoff {
                RetryBackoff::Dkron => BackoffRecord::Dkron,
                RetryBackoff::Fixed { delay } => BackoffRecord::Fixed(span(delay)),
                RetryBackoff::Exponential { initial, max } => {
                    BackoffRecord::Exponential(span(initial), span(max))
                }
            },
            lost_run: job.lost_run.to_code(),
            ephemeral: job.ephemeral,
            executions_max: job.retention.executions_max,
            age_max: job.retention.age_max.map(span),
            output_bytes_max: job.retention.output_bytes_max,
        }
    }

    fn to_rules(self) -> Result<JobRules, Malformed> {
        Ok(JobRules {
            retries: self.retries,
            retry_backoff: match self.retry_backoff {
                BackoffRecord::Dkron => RetryBackoff::Dkron,
                BackoffRecord::Fixed(delay) => RetryBackoff::Fixed { delay: to_span(delay)? },
                BackoffRecord::Exponential(initial, max) => {
                    RetryBackoff::Exponential { initial: to_span(initial)?, max: to_span(max)? }
                }
            },
            lost_run: LostRunPolicy::from_code(self.lost_run)?,
            ephemeral: self.ephemeral,
            retention: Retention {
                executions_max: self.executions_max,
                age_max: self.age_max.map(to_span).transpose()?,
                output_bytes_max: self.output_bytes_max,
            },
        })
    }
}

impl<'a> JobRecord<'a> {
    pub(in super::super) fn new(job: &'a Job) -> Self {
        Self {
            rules: RulesRecord::new(job),
            parent_job: job.parent_job.as_ref().map(JobName::as_str),
            disabled: job.disabled,
            concurrency: job.concurrency.to_code(),
            displayname: &job.displayname,
            timezone: &job.timezone,
            schedule: &job.schedule,
            dst: job.dst.to_code(),
            owner: &job.owner,
            owner_email: &job.owner_email,
            tags: pairs(&job.tags),
            placement: job.placement.to_code(),
            metadata: pairs(&job.metadata),
            processors: job.processors.iter().map(|(k, v)| (k.as_str(), pairs(v))).collect(),
            executor: &job.executor,
            executor_config: pairs(&job.executor_config),
            starts_at: job.starts_at.map(time),
            expires_at: job.expires_at.map(time),
            catch_up: match job.catch_up {
                CatchUpPolicy::None => CatchUpRecord::None,
                CatchUpPolicy::Latest => CatchUpRecord::Latest,
                CatchUpPolicy::All { fires_max } => CatchUpRecord::All(fires_max),
            },
            misfire_deadline: job.misfire_deadline.map(span),
            timeout: job.timeout.map(span),
            declared_by: job.declared_by.as_deref(),
        }
    }

    /// Decodes the whole definition.
    pub(in super::super) fn decode_job(name: &JobName, bytes: &[u8]) -> Result<Job, Malformed> {
        decode::<JobRecord<'_>>(bytes)?.to_job(name)
    }

    /// Decodes whose child the job is.
    pub(in super::super) fn decode_parent(bytes: &[u8]) -> Result<Option<JobName>, Malformed> {
        let ((_, parent), _) = decode_head::<(RulesRecord, Option<&str>)>(bytes)?;
        parent.map(to_job_name).transpose()
    }

    pub(super) fn to_job(&self, name: &JobName) -> Result<Job, Malformed> {
        let rules = self.rules.to_rules()?;
        sorted(&self.processors)?;
        let processors = self.processors.iter().map(|(k, v)| Ok(((*k).to_owned(), to_map(v)?)));
        Ok(Job {
            name: name.clone(),
            displayname: self.displayname.to_owned(),
            timezone: self.timezone.to_owned(),
            schedule: self.schedule.to_owned(),
            dst: DstPolicy::from_code(self.dst)?,
            owner: self.owner.to_owned(),
            owner_email: self.owner_email.to_owned(),
            disabled: self.disabled,
            tags: to_map(&self.tags)?,
            placement: PlacementPolicy::from_code(self.placement)?,
            metadata: to_map(&self.metadata)?,
            retries: rules.retries,
            retry_backoff: rules.retry_backoff,
            parent_job: self.parent_job.map(to_job_name).transpose()?,
            processors: processors.collect::<Result<_, _>>()?,
            concurrency: ConcurrencyPolicy::from_code(self.concurrency)?,
            executor: self.executor.to_owned(),
            executor_config: to_map(&self.executor_config)?,
            ephemeral: rules.ephemeral,
            starts_at: to_optional_time(self.starts_at)?,
            expires_at: to_optional_time(self.expires_at)?,
            catch_up: match self.catch_up {
                CatchUpRecord::None => CatchUpPolicy::None,
                CatchUpRecord::Latest => CatchUpPolicy::Latest,
                CatchUpRecord::All(fires_max) => CatchUpPolicy::All { fires_max },
            },
            misfire_deadline: self.misfire_deadline.map(to_span).transpose()?,
            lost_run: rules.lost_run,
            timeout: self.timeout.map(to_span).transpose()?,
            retention: rules.retention,
            declared_by: self.declared_by.map(str::to_owned),
        })
    }
}

/// Returns how many bytes a job takes where it is stored; a write of one with more than
/// [`JOB_BYTES_MAX`](crate::limits::JOB_BYTES_MAX) is refused.
pub fn stored_job_bytes(job: &Job) -> usize {
    Scratch::default().encode(&JobRecord::new(job)).len()
}
