//! What a job has due already at the moment it is written.
//!
//! A write may take away an instant that has come and that nobody has decided yet: the leader was
//! busy for a moment, or the fire waits for a node. Such instants get their outcome with the write.

use std::time::Duration;

use super::job_fires::JobFires;
use super::schedules::parse_schedule;
use crate::kernel::model::Job;
use crate::kernel::state::Overdue;
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::{CATCH_UP_COUNT_MAX, CATCH_UP_COUNT_PER_ROUND_MAX};

/// Returns the instants of the stored `job` from `next` up to and including `now`, if there are
/// any: what a [`JobWrite`](crate::kernel::state::JobWrite) carries.
///
/// `passed` is the time of the last entry: if the clock is behind it, and `next` lies between, that
/// is said instead.
pub fn overdue(
    job: &Job,
    next: Option<Timestamp>,
    now: Timestamp,
    passed: Timestamp,
    server_zone: Zone,
) -> Option<Overdue> {
    let first = next.filter(|next| *next <= now.max(passed))?;
    if first > now {
        return Some(Overdue::yet_to_come(first));
    }
    let schedule = parse_schedule(job, server_zone).ok()?;
    let fires = JobFires::new(job, &schedule, first);
    let until = job.expires_at.map_or(now, |expires_at| now.min(expires_at)).max(first);
    let last = fires.last_before(until.saturating_add(Duration::from_nanos(1)), Duration::ZERO);
    let mut questions_left = CATCH_UP_COUNT_PER_ROUND_MAX;
    let fires = fires.count(first, last, CATCH_UP_COUNT_MAX, &mut questions_left);
    Some(Overdue { first, last, fires })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::JobName;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    /// What `schedule` has due at 10:00:03.5 if 10:00:01 was not decided.
    #[track_caller]
    fn check(schedule: &str, expires_at: Option<&str>, last: &str, fires: u32) {
        let mut job = Job::new(JobName::parse("job").unwrap());
        job.schedule = schedule.to_owned();
        job.expires_at = expires_at.map(at);
        let first = at("2030-01-01T10:00:01Z");

        let now = at("2030-01-01T10:00:03.5Z");
        let found = overdue(&job, Some(first), now, now, Zone::UTC);

        assert_eq!(found, Some(Overdue { first, last: at(last), fires }), "{schedule}");
    }

    #[test]
    fn every_instant_that_has_come_is_counted() {
        check("* * * * * *", None, "2030-01-01T10:00:03Z", 3);
        check("@every 2s", None, "2030-01-01T10:00:03Z", 2);
        check("1 0 10 * * *", None, "2030-01-01T10:00:01Z", 1);
        check("@at 2030-01-01T10:00:01Z", None, "2030-01-01T10:00:01Z", 1);
        check("* * * * * *", Some("2030-01-01T10:00:02Z"), "2030-01-01T10:00:02Z", 2);
    }

    #[test]
    fn what_is_yet_to_come_is_not_overdue() {
        let now = at("2030-01-01T10:00:00Z");
        let job = Job { schedule: "* * * * * *".into(), ..Job::new(JobName::parse("a").unwrap()) };
        let next = at("2030-01-01T10:00:01Z");
        assert_eq!(overdue(&job, Some(next), now, now, Zone::UTC), None);
        assert_eq!(overdue(&job, None, now, next, Zone::UTC), None);
        let unseen = Some(Overdue::yet_to_come(next));
        assert_eq!(overdue(&job, Some(next), now, next, Zone::UTC), unseen, "the clock is behind");
    }
}
