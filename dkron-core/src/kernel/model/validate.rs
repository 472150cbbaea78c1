//! What a definition may hold.
//!
//! First the checks of Dkron, in its order and in its words; then our own limits. The first fault
//! is the answer. The names are checked where they are constructed, and the parent's existence is
//! the state's to say.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::iter;
use std::time::Duration;

use super::{CatchUpPolicy, ConcurrencyPolicy, Job, ModelError, RetryBackoff, parse_mem_limit};
use crate::kernel::time::{Zone, parse_go_duration};
use crate::limits::{
    CATCH_UP_FIRES_MAX, DECLARED_BY_BYTES_MAX, EXECUTIONS_PER_JOB_MAX, JOB_MAP_ENTRIES_MAX,
    JOB_TEXT_BYTES_MAX, POLICY_SPAN_MAX, RETRIES_MAX,
};

impl ConcurrencyPolicy {
    /// Reads the word of the API; `""` says nothing.
    ///
    /// # Errors
    ///
    /// [`ModelError::Concurrency`] for any other word.
    pub fn parse(word: &str) -> Result<Self, ModelError> {
        match word {
            "" => Ok(Self::Unsaid),
            "allow" => Ok(Self::Allow),
            "forbid" => Ok(Self::Forbid),
            _ => Err(ModelError::Concurrency),
        }
    }
}

impl Job {
    /// Checks the definition; `schedule` is what came of parsing its schedule.
    ///
    /// Whoever has a concurrency policy as text, and wants the order of Dkron's messages to the
    /// letter, reads it between [`Job::validate_schedule`] and [`Job::validate_settings`].
    ///
    /// # Errors
    ///
    /// [`ModelError`] for the first fault.
    pub fn validate<E: Display>(&self, schedule: Result<(), E>) -> Result<(), ModelError> {
        self.validate_schedule(schedule)?;
        self.validate_settings()
    }

    /// Checks what stands before the concurrency policy: parent and schedule.
    ///
    /// A child needs no schedule; one that it has must parse all the same.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for the first fault.
    pub fn validate_schedule<E: Display>(&self, schedule: Result<(), E>) -> Result<(), ModelError> {
        if self.parent_job.as_ref() == Some(&self.name) {
            return Err(ModelError::OwnParent);
        }
        let is_needed = self.parent_job.is_none() || !self.schedule.is_empty();
        match schedule {
            Err(error) if is_needed => {
                let reason = error.to_string();
                // The parser also refuses a job's zone; that fault has its turn later.
                let zone = Zone::parse(&self.timezone, Zone::UTC);
                if zone.is_err_and(|error| error.to_string() == reason) {
                    return Ok(());
                }
                Err(ModelError::Schedule { reason })
            }
            _ => Ok(()),
        }
    }

    /// Checks what stands behind the concurrency policy: everything else.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for the first fault.
    pub fn validate_settings(&self) -> Result<(), ModelError> {
        self.faulty_settings().next().map_or(Ok(()), Err)
    }

    /// Lists every fault that [`Job::validate_settings`] finds the first of, in its order.
    pub fn faulty_settings(&self) -> impl Iterator<Item = ModelError> {
        let zone = iter::once_with(|| Ok(Zone::parse(&self.timezone, Zone::UTC).map(drop)?));
        let checked = zone.chain(self.check_shell()).chain(self.check_texts());
        checked.chain(self.check_maps()).chain(self.check_policies()).filter_map(Result::err)
    }

    fn check_shell(&self) -> impl Iterator<Item = Result<(), ModelError>> {
        let setting = |key| {
            let config = (self.executor == "shell").then_some(&self.executor_config);
            config?.get(key).filter(|text| !text.is_empty())
        };
        let timeout = setting("timeout")
            .map(|text| parse_go_duration(text).map(drop).map_err(|_| ModelError::ShellTimeout));
        let mem_limit = setting("mem_limit")
            .map(|text| parse_mem_limit(text).map(drop).map_err(ModelError::ShellMemLimit));
        [timeout, mem_limit].into_iter().flatten()
    }

    fn check_texts(&self) -> impl Iterator<Item = Result<(), ModelError>> {
        let texts = [
            ("displayname", &self.displayname),
            ("owner", &self.owner),
            ("owner_email", &self.owner_email),
            ("executor", &self.executor),
        ];
        let tag = self.declared_by.as_ref().map(|tag| {
            text("declared_by", tag, DECLARED_BY_BYTES_MAX)?;
            let is_bad = tag.is_empty() || tag.contains(char::is_control);
            if is_bad { Err(ModelError::DeclaredBy) } else { Ok(()) }
        });
        let texts = texts.into_iter().map(|(field, value)| text(field, value, JOB_TEXT_BYTES_MAX));
        texts.chain(tag)
    }

    fn check_maps(&self) -> impl Iterator<Item = Result<(), ModelError>> {
        let tags = self.tags.values().map(|value| text("tags", value, JOB_TEXT_BYTES_MAX));
        let maps = [
            keys("metadata", &self.metadata),
            keys("executor_config", &self.executor_config),
            keys("processors", &self.processors),
        ];
        let processors = self.processors.values().map(|config| keys("processors", config));
        iter::once(keys("tags", &self.tags)).chain(tags).chain(maps).chain(processors)
    }

    fn check_policies(&self) -> impl Iterator<Item = Result<(), ModelError>> {
        const SHORTEST: Duration = Duration::from_nanos(1);
        let backoff = match self.retry_backoff {
            RetryBackoff::Dkron => Ok(()),
            RetryBackoff::Fixed { delay } => span("retry_backoff", delay, Duration::ZERO),
            RetryBackoff::Exponential { initial, max } => {
                span("retry_backoff", initial, Duration::ZERO)
                    .and_then(|()| span("retry_backoff", max, initial))
            }
        };
        let catch_up = match self.catch_up {
            CatchUpPolicy::All { fires_max } => {
                number("catch_up", fires_max, 1, CATCH_UP_FIRES_MAX)
            }
            _ => Ok(()),
        };
        let kept = self.retention.executions_max;
        let numbers = [
            number("retries", self.retries, 0, RETRIES_MAX),
            backoff,
            catch_up,
            number("retention.executions", kept, 1, EXECUTIONS_PER_JOB_MAX),
        ];
        let spans = [
            ("misfire_deadline", self.misfire_deadline),
            ("timeout", self.timeout),
            ("retention.age", self.retention.age_max),
        ];
        let spans = spans.into_iter().filter_map(|(field, value)| Some((field, value?)));
        numbers.into_iter().chain(spans.map(|(field, value)| span(field, value, SHORTEST)))
    }
}

fn text(field: &'static str, value: &str, bytes_max: usize) -> Result<(), ModelError> {
    let bytes = value.len();
    if bytes > bytes_max {
        return Err(ModelError::TextTooLong { field, bytes, bytes_max });
    }
    Ok(())
}

/// Checks how many keys there are, and each of them. Values are bounded by the size of the job.
fn keys<V>(field: &'static str, map: &BTreeMap<String, V>) -> Result<(), ModelError> {
    let entries = map.len();
    if entries > JOB_MAP_ENTRIES_MAX {
        let entries_max = JOB_MAP_ENTRIES_MAX;
        return Err(ModelError::TooManyEntries { field, entries, entries_max });
    }
    map.keys().try_for_each(|key| text(field, key, JOB_TEXT_BYTES_MAX))
}

fn number(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), ModelError> {
    if !(min..=max).contains(&value) {
        return Err(ModelError::NumberRange { field, value, min, max });
    }
    Ok(())
}

fn span(field: &'static str, value: Duration, min: Duration) -> Result<(), ModelError> {
    let max = POLICY_SPAN_MAX;
    if !(min..=max).contains(&value) {
        return Err(ModelError::SpanRange { field, value, min, max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{JobName, Retention};

    fn job() -> Job {
        let name = JobName::parse("a").unwrap();
        Job { schedule: "@every 1m".to_owned(), ..Job::new(name) }
    }

    fn config(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[track_caller]
    fn check(job: &Job, schedule: Result<(), &str>, want: Result<(), &str>) {
        let got = job.validate(schedule).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned));
    }

    #[track_caller]
    fn refused(job: &Job, want: &str) {
        check(job, Ok(()), Err(want));
    }

    #[track_caller]
    fn shell(key: &str, value: &str, want: Result<(), &str>) {
        let executor_config = config(key, value);
        check(&Job { executor: "shell".to_owned(), executor_config, ..job() }, Ok(()), want);
    }

    #[test]
    fn every_fault_is_found_and_the_first_is_the_answer() {
        let bad = Job {
            timezone: "Mars/Phobos".to_owned(),
            retries: RETRIES_MAX + 1,
            timeout: Some(Duration::ZERO),
            ..job()
        };

        let faults: Vec<_> = bad.faulty_settings().map(|fault| fault.to_string()).collect();

        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[1].contains("retries") && faults[2].contains("timeout"), "{faults:?}");
        check(&bad, Ok(()), Err(&faults[0]));
    }

    #[test]
    fn a_plain_job_is_accepted() {
        check(&job(), Ok(()), Ok(()));
    }

    #[test]
    fn a_job_is_not_its_own_parent_whatever_its_schedule() {
        let own = Job { parent_job: JobName::parse("a").ok(), ..job() };
        check(&own, Err("x"), Err("the job can not have itself as parent"));
    }

    #[test]
    fn a_schedule_is_needed_without_a_parent_and_checked_if_there_is_one() {
        let empty = Job { schedule: String::new(), ..job() };
        let child = Job { parent_job: JobName::parse("p").ok(), ..empty.clone() };
        let why = "can't parse job schedule: empty spec string";
        check(&empty, Err("empty spec string"), Err(why));
        check(&child, Err("empty spec string"), Ok(()));
        let child = Job { schedule: "x".to_owned(), ..child };
        check(&child, Err("bad"), Err("can't parse job schedule: bad"));
    }

    #[test]
    fn concurrency_is_one_of_three_words() {
        assert_eq!(ConcurrencyPolicy::parse(""), Ok(ConcurrencyPolicy::Unsaid));
        assert_eq!(ConcurrencyPolicy::parse("allow"), Ok(ConcurrencyPolicy::Allow));
        assert_eq!(ConcurrencyPolicy::parse("forbid"), Ok(ConcurrencyPolicy::Forbid));
        let error = ConcurrencyPolicy::parse("Forbid").unwrap_err().to_string();
        assert_eq!(error, "invalid concurrency policy value, use \"allow\" or \"forbid\"");
    }

    #[test]
    fn a_bad_time_zone_is_told_as_such_and_after_the_schedule() {
        let zone = |name: &str| Job { timezone: name.to_owned(), ..job() };
        for name in ["", "UTC", "Local", "Europe/Berlin"] {
            check(&zone(name), Ok(()), Ok(()));
        }
        let mars = "unknown time zone Mars/Phobos";
        check(&zone("Mars/Phobos"), Err(mars), Err(mars));
        check(&zone("Mars/Phobos"), Err("bad"), Err("can't parse job schedule: bad"));
        refused(&zone("../../etc/passwd"), "time: invalid location name");
    }

    #[test]
    fn shell_jobs_have_their_timeout_and_memory_limit_checked() {
        for good in ["", "0", "1h30m", "-5s", "3µs"] {
            shell("timeout", good, Ok(()));
        }
        shell("timeout", "soon", Err("Error parsing job timeout value"));
        shell("mem_limit", "512MB", Ok(()));
        let why = "Error parsing job memory limit value: invalid memory limit format: LOTS";
        shell("mem_limit", "lots", Err(why));
        let executor_config = config("timeout", "soon");
        check(&Job { executor: "http".to_owned(), executor_config, ..job() }, Ok(()), Ok(()));
    }

    #[test]
    fn texts_and_maps_are_bounded() {
        let long = "x".repeat(131_073);
        let why = "displayname has 131073 bytes, at most 131072 are accepted";
        refused(&Job { displayname: long.clone(), ..job() }, why);
        let why = "tags has 131073 bytes, at most 131072 are accepted";
        refused(&Job { tags: config("a", &long), ..job() }, why);
        let metadata = (0..100_000).map(|i| (i.to_string(), String::new())).collect();
        let why = "metadata has 100000 entries, at most 1024 are accepted";
        refused(&Job { metadata, ..job() }, why);
        let payload = config("payload", &"x".repeat(500_000));
        check(&Job { executor_config: payload, ..job() }, Ok(()), Ok(()));
        let why = "declared_by must not be empty nor hold a control character";
        refused(&Job { declared_by: Some("a\0b".to_owned()), ..job() }, why);
    }

    #[test]
    fn policies_are_within_their_ranges() {
        let why = "retries must be within 0..=2147483647, found 4294967295";
        refused(&Job { retries: u32::MAX, ..job() }, why);
        let catch_up = CatchUpPolicy::All { fires_max: 0 };
        refused(&Job { catch_up, ..job() }, "catch_up must be within 1..=1000, found 0");
        let retention = Retention { executions_max: 0, ..Retention::default() };
        let why = "retention.executions must be within 1..=1000000, found 0";
        refused(&Job { retention, ..job() }, why);
        let why = "timeout must be within 1ns..=315360000s, found 0ns";
        refused(&Job { timeout: Some(Duration::ZERO), ..job() }, why);
        let (initial, max) = (Duration::from_secs(2), Duration::from_secs(1));
        let retry_backoff = RetryBackoff::Exponential { initial, max };
        let why = "retry_backoff must be within 2s..=315360000s, found 1s";
        refused(&Job { retry_backoff, ..job() }, why);
    }
}
