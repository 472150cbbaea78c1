//! What becomes of due fires, rule by rule.

use super::*;
use crate::kernel::model::JobName;
use crate::kernel::schedule::ScheduleContext;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn parse(schedule: &str) -> Schedule {
    let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
    Schedule::parse(schedule, &context).unwrap()
}

fn job() -> Job {
    Job::new(JobName::parse("job").unwrap())
}

/// Every fire from `first` on that is before `end`, one question at a time.
fn naive(schedule: &Schedule, first: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    let mut fires = vec![first];
    while let Some(next) = schedule.next_after(fires[fires.len() - 1]).filter(|next| *next < end) {
        fires.push(next);
    }
    fires
}

/// Compares the walk backwards with the naive one forwards, from every fire.
#[track_caller]
fn check(schedule: &str, from: &str, span: Duration) {
    let parsed = parse(schedule);
    let first = parsed.next_after(at(from)).unwrap();
    let end = first.saturating_add(span);
    let job = job();
    let fires = JobFires::new(&job, &parsed, first);
    let all = naive(&parsed, first, end);

    for gap in [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(1_000_000)] {
        assert_eq!(fires.last_before(end, gap), all[all.len() - 1], "{schedule} {gap:?}");
    }
    for pair in all.windows(2) {
        assert_eq!(fires.last_before(pair[1], Duration::ZERO), pair[0], "{schedule}");
        let after = pair[1].saturating_add(TICK);
        assert_eq!(fires.last_before(after, Duration::ZERO), pair[1], "{schedule}");
        assert_eq!(fires.next_after(pair[0]), Some(pair[1]), "{schedule}");
    }
    let count = fires.count(first, all[all.len() - 1], u32::MAX, &mut u32::MAX.clone());
    assert_eq!(count as usize, all.len(), "{schedule}");
}

#[test]
fn backwards_is_the_reverse_of_forwards() {
    let day = Duration::from_secs(86_400);
    check("* * * * * *", "2030-01-01T00:00:00Z", Duration::from_secs(500));
    check("0 */5 * * * *", "2030-01-01T00:00:00Z", day);
    check("* * 3 * * *", "2030-01-01T02:30:00Z", day);
    check("0 30 2 * * *", "2030-03-20T00:00:00Z", 20 * day);
    check("0 0,30 2 * * *", "2030-10-20T00:00:00Z", 20 * day);
    check("0 0 0 29 2 *", "2030-01-01T00:00:00Z", 4_000 * day);
    check("0 59 23 31 12 *", "2030-01-01T00:00:00Z", 3_000 * day);
    check("@every 7s", "2030-01-01T00:00:00.3Z", Duration::from_secs(1_000));
    check("@every 25h", "2030-01-01T00:00:00Z", 30 * day);
}

#[test]
fn the_way_back_does_not_grow_with_the_distance() {
    let parsed = parse("* * 3 * * *");
    let job = job();
    let fires = JobFires::new(&job, &parsed, at("2030-01-01T02:00:00Z"));
    assert_eq!(
        fires.last_before(at("2034-06-15T12:00:00Z"), Duration::ZERO),
        at("2034-06-15T01:59:59Z")
    );
    let every = parse("@every 3s");
    let fires = JobFires::new(&job, &every, at("2030-01-01T00:00:01Z"));
    assert_eq!(
        fires.last_before(at("2130-01-01T00:00:00Z"), Duration::ZERO),
        at("2129-12-31T23:59:58Z")
    );
}

#[test]
fn counting_ends_at_its_bounds() {
    let parsed = parse("* * * * * *");
    let job = job();
    let first = at("2030-01-01T00:00:00Z");
    let fires = JobFires::new(&job, &parsed, first);
    let last = first.saturating_add(Duration::from_secs(10_000));

    assert_eq!(fires.count(first, last, 1_000, &mut 5_000), 1_000);
    let mut questions_left = 10;
    assert_eq!(fires.count(first, last, 1_000, &mut questions_left), 11);
    assert_eq!(questions_left, 0);
    assert_eq!(fires.count(first, last, 1_000, &mut questions_left), 1);
    assert_eq!(fires.count(first, first, 1_000, &mut 5_000), 1);
}

#[test]
fn a_phase_holds_and_ends_with_time_itself() {
    let every = parse("@every 10s");
    let job = job();
    let fires = JobFires::new(&job, &every, at("2030-01-01T00:00:03Z"));
    assert_eq!(fires.next_after(at("2030-01-01T00:00:27.5Z")), Some(at("2030-01-01T00:00:33Z")));
    assert_eq!(fires.next_after(at("2030-01-01T00:00:33Z")), Some(at("2030-01-01T00:00:43Z")));
    assert_eq!(fires.next_after(Timestamp::MAX), None);
}

#[test]
fn bounds_of_the_job_are_within() {
    let minutely = parse("0 * * * * *");
    let job = Job {
        starts_at: Some(at("2030-01-01T01:00:00Z")),
        expires_at: Some(at("2030-01-01T01:01:00Z")),
        ..job()
    };
    let fires = JobFires::new(&job, &minutely, at("2030-01-01T00:00:00Z"));
    let start = fires.next_after(at("2030-01-01T00:00:00Z"));
    assert_eq!(start, Some(at("2030-01-01T01:00:00Z")));
    assert_eq!(fires.next_after(start.unwrap()), Some(at("2030-01-01T01:01:00Z")));
    assert_eq!(fires.next_after(at("2030-01-01T01:01:00Z")), None);
}
