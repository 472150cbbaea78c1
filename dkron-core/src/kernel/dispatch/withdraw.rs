//! Whether a claim still stands when its job has been written before the claim's instant.

use super::runnable;
use super::schedules::Schedules;
use crate::kernel::model::{Cause, Job};
use crate::kernel::state::{Claim, DueKind};
use crate::kernel::time::Timestamp;

use std::time::Duration;

/// Returns whether a claim that was not handed out yet must be taken back at `now`, when its job
/// reads `job`.
///
/// It must if the job is disabled, or if what it was claimed for is no longer due: the instant is
/// none of the new schedule, lies outside the new bounds, or the parent is another one. Any other
/// change concerns the next fire: this one runs as it was decided. A run that somebody asked for
/// stands.
///
/// A schedule with another text decides on its instants anew, even on those it shares with the old
/// one; the claim makes way.
pub fn must_withdraw(claim: &Claim, job: &Job, now: Timestamp, schedules: &mut Schedules) -> bool {
    let execution = &claim.execution;
    if execution.cause == Cause::Manual {
        return false;
    }
    if job.disabled {
        return true;
    }
    if execution.attempt > 1 {
        return false;
    }
    let at = execution.fire_time;
    let old = &*claim.job;
    if execution.cause == Cause::Parent {
        // Its instant is the time of an entry, which the clock may be far from showing.
        return old.parent_job != job.parent_job || runnable::is_out_of_bounds(job, at.min(now));
    }
    runnable::refusal(job, at, &DueKind::Schedule).is_some()
        || old.schedule != job.schedule
        || ((&old.timezone, old.dst) != (&job.timezone, job.dst) && !is_due(job, claim, schedules))
}

/// Returns whether the instant of `claim` is one of the job's schedule.
fn is_due(job: &Job, claim: &Claim, schedules: &mut Schedules) -> bool {
    let at = claim.execution.fire_time;
    schedules.of(job).is_ok_and(|schedule| {
        // The instants of `@every` are no matter of zones.
        schedule.period().is_some()
            || schedule.next_after(at.saturating_sub(Duration::from_nanos(1))) == Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{DstPolicy, JobName};
    use crate::kernel::time::Zone;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn claim(job: &Job, cause: Cause, attempt: u32) -> Claim {
        let fire_time = at("2030-01-01T12:00:00Z");
        let mut claim = Claim::sample(job.clone(), 1, fire_time);
        claim.execution.id.due_ns = fire_time.as_unix_ns() as u64;
        (claim.execution.cause, claim.execution.attempt) = (cause, attempt);
        claim
    }

    fn job() -> Job {
        let mut job = Job::new(JobName::parse("job").unwrap());
        job.schedule = "0 0 * * * *".to_owned();
        job
    }

    #[track_caller]
    fn check(cause: Cause, attempt: u32, change: impl FnOnce(&mut Job), want: bool) {
        let mut new = job();
        change(&mut new);
        let claim = claim(&job(), cause, attempt);
        let now = claim.start_at;
        let withdrawn = must_withdraw(&claim, &new, now, &mut Schedules::new(Zone::UTC));
        assert_eq!(withdrawn, want, "{cause:?} {attempt} {new:?}");
    }

    #[test]
    fn a_disabled_job_gives_back_all_but_what_somebody_asked_for() {
        for (cause, attempt) in [(Cause::Schedule, 1), (Cause::Parent, 1), (Cause::Schedule, 2)] {
            check(cause, attempt, |job| job.disabled = true, true);
        }
        check(Cause::Manual, 1, |job| job.disabled = true, false);
    }

    #[test]
    fn an_instant_that_is_no_longer_due_is_given_back() {
        let schedule = Cause::Schedule;
        check(schedule, 1, |job| job.expires_at = Some(at("2030-01-01T11:59:59Z")), true);
        check(schedule, 1, |job| job.expires_at = Some(at("2030-01-01T12:00:00Z")), false);
        check(schedule, 1, |job| job.starts_at = Some(at("2030-01-01T12:00:01Z")), true);
        check(schedule, 1, |job| job.parent_job = JobName::parse("p").ok(), true);
        check(schedule, 1, |job| job.timezone = "Asia/Kolkata".to_owned(), true);
        check(schedule, 1, |job| job.timezone = "Europe/Berlin".to_owned(), false);
        check(schedule, 1, |job| job.dst = DstPolicy::Wall, false);
        check(schedule, 1, |job| job.schedule = "0 0 12 * * *".to_owned(), true);
        check(schedule, 2, |job| job.schedule = "0 30 * * * *".to_owned(), false);
    }

    #[test]
    fn a_dependent_run_is_given_back_with_its_edge() {
        check(Cause::Parent, 1, |job| job.parent_job = JobName::parse("p").ok(), true);
        check(Cause::Parent, 1, |job| job.schedule = String::new(), false);
        check(Cause::Parent, 1, |job| job.expires_at = Some(at("2029-01-01T00:00:00Z")), true);
    }

    #[test]
    fn a_dependent_run_is_judged_by_what_the_clock_shows() {
        let claim = claim(&job(), Cause::Parent, 1);
        let now = at("2029-06-01T00:00:00Z");
        for (starts_at, expires_at, want) in [
            (None, Some("2029-07-01T00:00:00Z"), false),
            (Some("2029-07-01T00:00:00Z"), None, true),
        ] {
            let bounded =
                Job { starts_at: starts_at.map(at), expires_at: expires_at.map(at), ..job() };
            let withdrawn = must_withdraw(&claim, &bounded, now, &mut Schedules::new(Zone::UTC));
            assert_eq!(withdrawn, want, "{bounded:?}");
        }
    }

    #[test]
    fn other_changes_concern_the_next_fire() {
        check(Cause::Schedule, 1, |job| job.executor = "http".to_owned(), false);
        check(Cause::Schedule, 1, |job| _ = job.tags.insert("a".to_owned(), "b".to_owned()), false);
    }
}
