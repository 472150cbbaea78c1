//! When a job that is written now is due first.

use super::job_fires::JobFires;
use super::schedules::parse_schedule;
use crate::kernel::model::Job;
use crate::kernel::schedule::{Schedule, ScheduleError};
use crate::kernel::time::{Timestamp, Zone};

/// Returns when `job` is due first if it is new at `now`: what a
/// [`JobWrite`](crate::kernel::state::JobWrite) carries.
///
/// `None` for what no schedule fires: a disabled job, a child, `@manually`, a date that is over, a
/// schedule with no instant between `starts_at` and `expires_at` (both included). `@every` counts
/// from `now`; with a later `starts_at`, the instants before it are passed over.
///
/// # Errors
///
/// [`ScheduleError`] if the job has a schedule of its own, is enabled, and it does not parse.
pub fn first_due(
    job: &Job,
    now: Timestamp,
    server_zone: Zone,
) -> Result<Option<Timestamp>, ScheduleError> {
    if !is_scheduled(job) {
        return Ok(None);
    }
    Ok(first_due_by(job, &parse_schedule(job, server_zone)?, now))
}

/// As [`first_due`], for whoever has parsed the job's schedule already.
pub fn first_due_by(job: &Job, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let first = schedule.first_at(now).filter(|_| is_scheduled(job))?;
    let is_within = job.starts_at.is_none_or(|starts_at| first >= starts_at)
        && job.expires_at.is_none_or(|expires_at| first <= expires_at);
    if is_within {
        return Some(first);
    }
    JobFires::new(job, schedule, first).next_after(first)
}

/// Returns whether a schedule fires the job.
const fn is_scheduled(job: &Job) -> bool {
    !job.disabled && job.parent_job.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::JobName;

    /// What is due first for a schedule and its bounds, as of 2030-01-01T00:00:00.5Z.
    #[track_caller]
    fn check(schedule: &str, starts_at: &str, expires_at: &str, want: &str) {
        let at = |text: &str| Timestamp::parse_rfc3339(text).ok();
        let mut job = Job::new(JobName::parse("job").unwrap());
        job.schedule = schedule.to_owned();
        job.starts_at = at(starts_at);
        job.expires_at = at(expires_at);
        let now = at("2030-01-01T00:00:00.5Z").unwrap();

        let first = first_due(&job, now, Zone::UTC).unwrap();

        assert_eq!(first.map_or("never".to_owned(), |first| first.to_string()), want, "{job:?}");
    }

    #[test]
    fn the_first_instant_is_later_than_now_and_within_the_bounds() {
        let (none, noon) = ("", "2030-01-01T12:00:00Z");
        check("0 * * * * *", none, none, "2030-01-01T00:01:00Z");
        check("@every 7s", none, none, "2030-01-01T00:00:07Z");
        check("0 0 12 * * *", noon, none, noon);
        check("0 0 12 * * *", "2030-01-01T12:00:00.000000001Z", none, "2030-01-02T12:00:00Z");
        check("@every 7h", noon, none, "2030-01-01T14:00:00Z");
        check("0 0 12 * * *", none, noon, noon);
        check("0 0 12 * * *", none, "2030-01-01T11:59:59.999999999Z", "never");
        check("@every 7h", "2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z", "never");
        check("@manually", none, none, "never");
    }

    #[test]
    fn a_date_is_due_once_if_it_is_not_over() {
        let none = "";
        check("@at 2030-06-01T00:00:00Z", none, none, "2030-06-01T00:00:00Z");
        check("@at 2029-06-01T00:00:00Z", none, none, "never");
        check("@at 2030-06-01T00:00:00Z", "2030-07-01T00:00:00Z", none, "never");
        check("@after 2029-12-31T23:00:00Z <PT2H", none, none, "2030-01-01T00:00:00.5Z");
        check("@after 2029-12-31T23:00:00Z <PT30M", none, none, "never");
        check("@after 2030-02-01T00:00:00Z <PT2H", none, none, "2030-02-01T00:00:00Z");
        check("@after 2029-12-31T23:00:00Z <PT2H", "2030-01-01T00:10:00Z", none, "never");
    }

    #[test]
    fn what_no_schedule_fires_is_never_due() {
        let now = Timestamp::UNIX_EPOCH;
        let mut job = Job::new(JobName::parse("job").unwrap());
        assert!(first_due(&job, now, Zone::UTC).is_err());

        job.parent_job = JobName::parse("parent").ok();
        assert_eq!(first_due(&job, now, Zone::UTC), Ok(None));

        job.parent_job = None;
        job.schedule = "@hourly".to_owned();
        job.disabled = true;
        assert_eq!(first_due(&job, now, Zone::UTC), Ok(None));
    }
}
