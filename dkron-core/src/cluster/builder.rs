//! Jobs as a program declares them: once per fire, caught up, run by a handler of its own.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::kernel::dispatch::parse_schedule;
use crate::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, DstPolicy, Job, JobName, LostRunPolicy, PlacementPolicy,
    Retention, RetryBackoff,
};
use crate::kernel::time::{Timestamp, Zone};

/// The first wait of a declared job's retries.
const RETRY_INITIAL: Duration = Duration::from_secs(1);
/// The longest.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Builds a [`Job`] with the defaults that suit a program's own functions.
///
/// Beside [`Job::new`], which has those of Dkron's API, a declared job runs **once** per fire, on
/// any one node that has its handler ([`PlacementPolicy::One`]); after an outage the newest missed
/// fire starts ([`CatchUpPolicy::Latest`]); retries wait 1 s, doubled up to 60 s; and the executor
/// is `handler`, with the handler of the job's own name.
///
/// ```
/// use dkron_core::JobBuilder;
///
/// let job = JobBuilder::new("nightly")
///     .schedule("0 30 2 * * *")
///     .timezone("Europe/Berlin")
///     .retries(3)
///     .build()?;
/// assert_eq!(job.executor, "handler");
/// # Ok::<(), dkron_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JobBuilder {
    name: String,
    parent: Option<String>,
    /// Holds everything but the two names, which are checked at the end.
    draft: Job,
}

impl JobBuilder {
    /// Starts a job; [`JobBuilder::build`] checks the name.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let mut draft = Job::new(JobName::placeholder());
        draft.executor = "handler".to_owned();
        draft.placement = PlacementPolicy::One;
        draft.catch_up = CatchUpPolicy::Latest;
        draft.retry_backoff = RetryBackoff::Exponential { initial: RETRY_INITIAL, max: RETRY_MAX };
        Self { name, parent: None, draft }
    }

    /// Sets when it fires: six or five cron fields, or a descriptor such as `@every 10s`.
    #[must_use]
    pub fn schedule(mut self, expression: impl Into<String>) -> Self {
        self.draft.schedule = expression.into();
        self
    }

    /// Sets the IANA zone of the schedule; without it, that of the server.
    #[must_use]
    pub fn timezone(mut self, zone: impl Into<String>) -> Self {
        self.draft.timezone = zone.into();
        self
    }

    /// Sets what a change of the civil clock does to the schedule. Default [`DstPolicy::Once`].
    #[must_use]
    pub fn dst(mut self, policy: DstPolicy) -> Self {
        self.draft.dst = policy;
        self
    }

    /// Names the handler, if it is not called like the job.
    #[must_use]
    pub fn handler(mut self, name: impl Into<String>) -> Self {
        self.draft.executor_config.insert("handler".to_owned(), name.into());
        self
    }

    /// Runs the job with another executor than `handler`: `shell`, `http`.
    ///
    /// `config` replaces what was there; see `docs/reference/executors.md` for the keys.
    #[must_use]
    pub fn executor<K: Into<String>, V: Into<String>>(
        mut self,
        name: impl Into<String>,
        config: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.draft.executor = name.into();
        self.draft.executor_config =
            config.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Runs the job after each success of `parent` instead of by a schedule.
    #[must_use]
    pub fn after(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Sets how many further attempts follow a failed one: at most
    /// [`limits::RETRIES_MAX`](crate::limits::RETRIES_MAX). Default 0.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.draft.retries = retries;
        self
    }

    /// Sets the wait before each further attempt. Default: 1 s, doubled up to 60 s.
    ///
    /// Waits are 0 to [`limits::POLICY_SPAN_MAX`](crate::limits::POLICY_SPAN_MAX), the longest no
    /// less than the first.
    #[must_use]
    pub fn retry_backoff(mut self, backoff: RetryBackoff) -> Self {
        self.draft.retry_backoff = backoff;
        self
    }

    /// Sets whether executions may overlap. Default [`ConcurrencyPolicy::Allow`].
    #[must_use]
    pub fn concurrency(mut self, policy: ConcurrencyPolicy) -> Self {
        self.draft.concurrency = policy;
        self
    }

    /// Sets what becomes of fires missed while nobody scheduled. Default [`CatchUpPolicy::Latest`].
    /// [`CatchUpPolicy::All`] takes 1 to
    /// [`limits::CATCH_UP_FIRES_MAX`](crate::limits::CATCH_UP_FIRES_MAX).
    #[must_use]
    pub fn catch_up(mut self, policy: CatchUpPolicy) -> Self {
        self.draft.catch_up = policy;
        self
    }

    /// Skips a fire that is found this much later than its instant. More than 0, at most
    /// [`limits::POLICY_SPAN_MAX`](crate::limits::POLICY_SPAN_MAX); default: never too late.
    #[must_use]
    pub fn misfire_deadline(mut self, deadline: Duration) -> Self {
        self.draft.misfire_deadline = Some(deadline);
        self
    }

    /// Sets what becomes of an attempt whose process was killed, or was shut down and ended it.
    /// Default [`LostRunPolicy::Fail`].
    #[must_use]
    pub fn lost_run(mut self, policy: LostRunPolicy) -> Self {
        self.draft.lost_run = policy;
        self
    }

    /// Ends an attempt that runs longer than this; it has then failed. More than 0, at most
    /// [`limits::POLICY_SPAN_MAX`](crate::limits::POLICY_SPAN_MAX); default: no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.draft.timeout = Some(timeout);
        self
    }

    /// Sets on how many of the capable nodes a fire starts. Default [`PlacementPolicy::One`].
    #[must_use]
    pub fn placement(mut self, policy: PlacementPolicy) -> Self {
        self.draft.placement = policy;
        self
    }

    /// Requires a tag of the nodes that run it: `value`, or `value:count`.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.tags.insert(key.into(), value.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets how much history is kept. Default: the newest
    /// [`limits::EXECUTIONS_PER_JOB_DEFAULT`](crate::limits::EXECUTIONS_PER_JOB_DEFAULT)
    /// executions.
    ///
    /// 1 to [`limits::EXECUTIONS_PER_JOB_MAX`](crate::limits::EXECUTIONS_PER_JOB_MAX) executions,
    /// of an age of more than 0 and at most
    /// [`limits::POLICY_SPAN_MAX`](crate::limits::POLICY_SPAN_MAX) if it is bounded.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.draft.retention = retention;
        self
    }

    /// Bounds the time in which it fires; `None` = no bound on that side.
    #[must_use]
    pub fn window(mut self, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.draft.starts_at = from;
        self.draft.expires_at = until;
        self
    }

    /// Deletes the job after its first success.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.draft.ephemeral = true;
        self
    }

    /// Declares the job without scheduling it.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.draft.disabled = true;
        self
    }

    /// Finishes the job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] with everything that is not accepted, one fault a line, so
    /// that nobody has to mend one setting after the other; a single one is the source, with its
    /// type. What only the cluster knows is checked where the job is written: whether the parent
    /// exists, say.
    pub fn build(mut self) -> Result<Job, Error> {
        let mut faults = Vec::new();
        match JobName::parse(&self.name) {
            Ok(name) => self.draft.name = name,
            Err(fault) => faults.push(refused(fault)),
        }
        match self.parent.as_deref().map(JobName::parse).transpose() {
            Ok(parent) => self.draft.parent_job = parent,
            Err(fault) => {
                let error = Error::new(ErrorKind::InvalidArgument, format!("parent: {fault}"));
                faults.push(error.with_source(fault));
            }
        }
        if let Err(fault) = parse_schedule(&self.draft, Zone::UTC)
            && let Err(error) = self.draft.validate_schedule(Err(&fault))
        {
            let error = Error::new(ErrorKind::InvalidArgument, error.to_string());
            faults.push(error.with_source(fault));
        }
        faults.extend(self.draft.faulty_settings().map(refused));
        if faults.len() > 1 {
            let lines: Vec<_> = faults.iter().map(Error::message).collect();
            let message = format!("invalid job \"{}\":\n{}", self.name, lines.join("\n"));
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        faults.pop().map_or(Ok(self.draft), Err)
    }
}

fn refused(fault: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidArgument, fault.to_string()).with_source(fault)
}

/// Checks a name that a caller passed.
pub(crate) fn job_name(name: &str) -> Result<JobName, Error> {
    JobName::parse(name).map_err(refused)
}
