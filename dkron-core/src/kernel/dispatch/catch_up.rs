//! What becomes of the fires of a schedule that fell due while nobody scheduled.
//!
//! A fire is *missed* if its instant lies before the watch began: before this leader took office,
//! or before its clock jumped or its process stood still. What falls due while somebody watches is
//! never missed, however late it is started.

use std::time::Duration;

use super::job_fires::JobFires;
use crate::kernel::model::{CatchUpPolicy, Job};
use crate::kernel::time::Timestamp;
use crate::limits::{CATCH_UP_FIRES_MAX, LATE_START_MAX};

/// The missed fires of one job, with what its policy says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// The newest of them.
    pub(super) newest: Timestamp,
    /// The oldest that starts, with all after it; `None` = none does.
    pub(super) start_from: Option<Timestamp>,
}

/// Looks at the fires from `first` on, which is one; `None` if it is not missed.
///
/// The work does not grow with the time that was missed: at most some sixty questions to the
/// schedule for each fire that starts, mostly two.
pub(super) fn missed(
    fires: &JobFires<'_>,
    job: &Job,
    first: Timestamp,
    watch_start: Timestamp,
) -> Option<Missed> {
    if first >= watch_start {
        return None;
    }
    let after_expiry = |expires_at: Timestamp| expires_at.saturating_add(Duration::from_nanos(1));
    let end = job.expires_at.map_or(watch_start, |at| watch_start.min(after_expiry(at)));
    let newest = fires.last_before(end, Duration::ZERO);
    let start_from = match job.catch_up {
        CatchUpPolicy::None => {
            let is_in_time =
                watch_start.since(newest) <= LATE_START_MAX || fires.is_within_grace(watch_start);
            is_in_time.then_some(newest)
        }
        CatchUpPolicy::Latest => Some(newest),
        CatchUpPolicy::All { fires_max } => Some(nth_newest(fires, first, newest, fires_max)),
    };
    Some(Missed { newest, start_from })
}

/// Walks back from `newest` to the `fires_max`-th newest fire, or to `first` if there are fewer.
fn nth_newest(
    fires: &JobFires<'_>,
    first: Timestamp,
    newest: Timestamp,
    fires_max: u32,
) -> Timestamp {
    let mut fire = newest;
    let mut gap = Duration::ZERO;
    for _ in 1..fires_max.clamp(1, CATCH_UP_FIRES_MAX) {
        if fire <= first {
            break;
        }
        let before = fires.last_before(fire, gap);
        gap = fire.since(before);
        fire = before;
    }
    fire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::JobName;
    use crate::kernel::schedule::{Schedule, ScheduleContext};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    /// Which fires of `schedule` since 10:00 start when the watch begins at 11:00:03.
    #[track_caller]
    fn check(schedule: &str, catch_up: CatchUpPolicy, start_from: Option<&str>, newest: &str) {
        let parsed = Schedule::parse(schedule, &ScheduleContext::default()).unwrap();
        let first = at("2030-01-01T10:00:00Z");
        let job = Job { catch_up, ..Job::new(JobName::parse("job").unwrap()) };
        let fires = JobFires::new(&job, &parsed, first);

        let missed = missed(&fires, &job, first, at("2030-01-01T11:00:03Z"));

        let want = Missed { newest: at(newest), start_from: start_from.map(at) };
        assert_eq!(missed, Some(want), "{schedule} {catch_up:?}");
    }

    #[test]
    fn each_policy_starts_its_fires() {
        use CatchUpPolicy::{All, Latest, None as Never};
        let five = "0 */5 * * * *";
        let last = "2030-01-01T11:00:00Z";
        check(five, Latest, Some(last), last);
        check(five, All { fires_max: 1 }, Some(last), last);
        check(five, All { fires_max: 3 }, Some("2030-01-01T10:50:00Z"), last);
        check(five, All { fires_max: 13 }, Some("2030-01-01T10:00:00Z"), last);
        check(five, All { fires_max: 14 }, Some("2030-01-01T10:00:00Z"), last);
        check(five, All { fires_max: 0 }, Some(last), last);
        // Three seconds late: the time of a restart.
        check(five, Never, Some(last), last);
        // Too old for that.
        check("0 0 10 * * *", Never, None, "2030-01-01T10:00:00Z");
        check("0 0 10 * * *", Latest, Some("2030-01-01T10:00:00Z"), "2030-01-01T10:00:00Z");
        check(
            "@every 7m",
            All { fires_max: 2 },
            Some("2030-01-01T10:49:00Z"),
            "2030-01-01T10:56:00Z",
        );
    }

    #[test]
    fn what_falls_due_while_somebody_watches_is_not_missed() {
        let schedule = Schedule::parse("@every 1s", &ScheduleContext::default()).unwrap();
        let first = at("2030-01-01T10:00:00Z");
        let job = Job::new(JobName::parse("job").unwrap());
        let fires = JobFires::new(&job, &schedule, first);

        assert_eq!(missed(&fires, &job, first, first), None);
        let after = first.saturating_add(Duration::from_nanos(1));
        assert!(missed(&fires, &job, first, after).is_some());
    }

    #[test]
    fn nothing_after_the_expiry_is_caught_up() {
        let schedule = Schedule::parse("0 * * * * *", &ScheduleContext::default()).unwrap();
        let first = at("2030-01-01T10:00:00Z");
        let expires_at = Some(at("2030-01-01T10:07:00Z"));
        let catch_up = CatchUpPolicy::Latest;
        let job = Job { expires_at, catch_up, ..Job::new(JobName::parse("job").unwrap()) };
        let fires = JobFires::new(&job, &schedule, first);

        let missed = missed(&fires, &job, first, at("2030-01-02T00:00:00Z")).unwrap();

        assert_eq!(missed.newest, at("2030-01-01T10:07:00Z"));
        assert_eq!(fires.next_after(missed.newest), None);
    }
}
