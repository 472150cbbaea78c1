//! One test per rule of the next fire time and of changes of the clock.

use crate::kernel::model::DstPolicy;
use crate::kernel::time::Timestamp;

use super::{ClockRule, Schedule, ScheduleContext};

fn parse(expr: &str) -> Schedule {
    Schedule::parse(expr, &ScheduleContext::default()).unwrap()
}

fn parse_in(timezone: &str, expr: &str) -> Schedule {
    Schedule::parse(expr, &ScheduleContext { timezone, ..ScheduleContext::default() }).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// The first fire times after an instant, in the schedule's zone.
#[track_caller]
fn check_next(schedule: &Schedule, after: &str, want: &[&str]) {
    let taken = schedule.upcoming(at(after)).take(want.len());
    let got: Vec<_> = taken.map(|fire| schedule.zone().to_rfc3339(fire)).collect();
    assert_eq!(got, want);
}

#[test]
fn the_next_fire_is_strictly_later_and_on_a_whole_second() {
    let daily = parse("0 0 12 * * *");
    check_next(&daily, "2026-01-01T11:59:59.999999999Z", &["2026-01-01T12:00:00Z"]);
    check_next(&daily, "2026-01-01T12:00:00Z", &["2026-01-02T12:00:00Z"]);
    check_next(&daily, "2026-01-01T12:00:00.5Z", &["2026-01-02T12:00:00Z"]);
    let secondly = parse("* * * * * *");
    check_next(&secondly, "2026-01-01T12:00:00.5Z", &["2026-01-01T12:00:01Z"]);
}

#[test]
fn every_counts_from_the_reference_cut_to_its_second() {
    let every = parse("@every 90s");
    check_next(&every, "2026-01-01T00:00:10.9Z", &["2026-01-01T00:01:40Z", "2026-01-01T00:03:10Z"]);
    assert_eq!(every.clock_rule(), ClockRule::Unaffected);
}

#[test]
fn an_instant_fires_once_with_its_fraction() {
    let schedule = parse("@at 2030-01-01T02:00:00.5+02:00");
    let due = at("2030-01-01T00:00:00.5Z");
    assert_eq!(schedule.next_after(at("2030-01-01T00:00:00Z")), Some(due));
    assert_eq!(schedule.next_after(due), None);
    assert_eq!(schedule.first_at(due), None);
}

#[test]
fn after_fires_once_at_its_date_or_at_once_within_its_grace_period() {
    let schedule = parse("@after 2030-01-01T00:00:00Z <PT2H");
    let due = at("2030-01-01T00:00:00Z");
    for (created, want) in [
        ("2029-12-31T23:59:59Z", Some("2030-01-01T00:00:00Z")),
        ("2030-01-01T00:00:00Z", Some("2030-01-01T00:00:00Z")),
        ("2030-01-01T01:00:00.5Z", Some("2030-01-01T01:00:00.5Z")),
        ("2030-01-01T02:00:00Z", Some("2030-01-01T02:00:00Z")),
        ("2030-01-01T02:00:00.000000001Z", None),
    ] {
        assert_eq!(schedule.first_at(at(created)), want.map(at), "created at {created}");
    }
    assert_eq!(schedule.next_after(at("2029-12-31T23:59:59Z")), Some(due));
    assert_eq!(schedule.next_after(due), None, "its one fire is over");
}

#[test]
fn a_grace_period_of_centuries_holds() {
    let schedule = parse("@after 2000-01-01T00:00:00Z <P293Y");
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(schedule.first_at(now), Some(now));
    let schedule = parse("@after 9999-01-01T00:00:00Z <P9223372036854775807Y");
    assert_eq!(schedule.first_at(Timestamp::MAX), Some(Timestamp::MAX));
}

#[test]
fn the_first_fire_of_other_schedules_is_their_next() {
    let now = at("2026-01-01T00:00:00Z");
    for expr in ["0 0 0 * * *", "@every 5m", "@at 2030-01-01T00:00:00Z"] {
        let schedule = parse(expr);
        assert_eq!(schedule.first_at(now), schedule.next_after(now), "{expr}");
    }
    assert_eq!(parse("@manually").first_at(now), None);
}

#[test]
fn the_search_ends_with_the_fifth_calendar_year() {
    let leap_day = parse("0 0 0 29 2 *");
    // 2100 has no leap day: eight years lie between two of them.
    check_next(&leap_day, "2092-03-01T00:00:00Z", &["2096-02-29T00:00:00Z"]);
    assert_eq!(leap_day.next_after(at("2096-02-29T00:00:00Z")), None);
    assert_eq!(leap_day.next_after(at("2098-12-31T23:59:58Z")), None);
    // The second after the reference begins 2099, and five years on is 2104.
    check_next(&leap_day, "2098-12-31T23:59:59Z", &["2104-02-29T00:00:00Z"]);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let daily = parse_in("Pacific/Apia", "0 0 0 * * *");
    assert!(daily.next_after(Timestamp::MIN).is_some());
    assert_eq!(daily.next_after(Timestamp::MAX), None);
    assert_eq!(parse("@every 2562047h").next_after(Timestamp::MAX), None);
    assert_eq!(parse("* * * * * *").next_after(Timestamp::MAX), None);
    let at_end = parse("@at 9999-12-31T23:59:59Z");
    assert_eq!(at_end.next_after(at("9999-12-31T23:59:58Z")), Some(at("9999-12-31T23:59:59Z")));
}

/// The rule of an expression under `once`.
#[track_caller]
fn check_rule(expr: &str, want: ClockRule) {
    assert_eq!(parse(expr).clock_rule(), want, "{expr}");
    let wall = ScheduleContext { dst: DstPolicy::Wall, ..ScheduleContext::default() };
    assert_eq!(Schedule::parse(expr, &wall).unwrap().clock_rule(), ClockRule::RealTime, "{expr}");
}

#[test]
fn a_star_or_step_in_minute_or_hour_makes_a_schedule_follow_real_time() {
    for expr in [
        "0 * 2 * * *",
        "0 0 * * * *",
        "0 ? 2 * * *",
        "0 */15 2 * * *",
        "0 5,* 2 * * *",
        "0 0-30/5 2 * * *",
        "0 0 3/5 * * *",
        "@hourly",
        "@minutely",
    ] {
        check_rule(expr, ClockRule::RealTime);
    }
    for expr in [
        "0 30 2 * * *",
        "* 30 2 * * *",
        "*/5 30 2 */2 */3 *",
        "0 0-59 0-23 * * *",
        "0 1,2 1-5 * * *",
        "@daily",
        "@weekly",
        "30 2 * * *",
    ] {
        check_rule(expr, ClockRule::FixedTimes);
    }
    assert_eq!(parse("@every 1h").clock_rule(), ClockRule::Unaffected);
    assert_eq!(parse("@at 2030-01-01T00:00:00Z").clock_rule(), ClockRule::Unaffected);
}

/// Fire times in a zone, under `once` and under `wall`.
#[track_caller]
fn check_both(timezone: &str, expr: &str, after: &str, once: &[&str], wall: &[&str]) {
    for (dst, want) in [(DstPolicy::Once, once), (DstPolicy::Wall, wall)] {
        let context = ScheduleContext { timezone, dst, ..ScheduleContext::default() };
        check_next(&Schedule::parse(expr, &context).unwrap(), after, want);
    }
}

#[test]
fn a_daily_time_in_the_gap_fires_at_its_end_and_by_the_wall_is_skipped() {
    check_both(
        "America/New_York",
        "0 30 2 * * *",
        "2026-03-07T12:00:00Z",
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
        &["2026-03-09T02:30:00-04:00", "2026-03-10T02:30:00-04:00"],
    );
    check_both(
        "Australia/Lord_Howe",
        "0 15 2 * * *",
        "2026-10-03T00:00:00Z",
        &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
        &["2026-10-05T02:15:00+11:00", "2026-10-06T02:15:00+11:00"],
    );
    check_both(
        "America/Sao_Paulo",
        "0 0 0 * * *",
        "2018-11-03T12:00:00Z",
        &["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"],
        &["2018-11-05T00:00:00-02:00", "2018-11-06T00:00:00-02:00"],
    );
}

#[test]
fn a_daily_time_that_occurs_twice_fires_in_the_first_pass_and_by_the_wall_in_both() {
    check_both(
        "America/New_York",
        "0 30 1 * * *",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        &["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-02T01:30:00-05:00"],
    );
}

#[test]
fn hourly_schedules_fire_once_per_real_hour_across_gap_and_overlap() {
    let gap = ["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00"];
    check_both("America/New_York", "0 0 * * * *", "2026-03-08T05:30:00Z", &gap, &gap);
    let overlap =
        ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"];
    check_both("America/New_York", "0 0 * * * *", "2026-11-01T04:30:00Z", &overlap, &overlap);
}

#[test]
fn due_times_that_meet_at_the_end_of_a_gap_are_one_fire() {
    for expr in ["0 0,30 2 * * *", "0 0 2,3 * * *", "15,45 30 2 * * *"] {
        let schedule = parse_in("Europe/Berlin", expr);
        let fires: Vec<_> = schedule
            .upcoming(at("2026-03-29T00:30:00Z"))
            .take_while(|fire| *fire < at("2026-03-29T02:00:00Z"))
            .collect();
        assert_eq!(fires, [at("2026-03-29T01:00:00Z")], "{expr}");
    }
}

#[test]
fn a_skipped_day_fires_at_the_first_instant_after_it_even_if_that_day_does_not_match() {
    check_both(
        "Pacific/Apia",
        "0 0 12 30 12 *",
        "2011-12-01T00:00:00Z",
        &["2011-12-31T00:00:00+14:00", "2012-12-30T12:00:00+14:00"],
        &["2012-12-30T12:00:00+14:00"],
    );
}

#[test]
fn inside_the_second_pass_a_fixed_time_is_over_until_the_next_day() {
    let schedule = parse_in("Europe/Berlin", "0 30 2 * * *");
    // 02:15 for the second time.
    check_next(&schedule, "2026-10-25T01:15:00Z", &["2026-10-26T02:30:00+01:00"]);
    // 02:45 for the first time.
    check_next(&schedule, "2026-10-25T00:45:00Z", &["2026-10-26T02:30:00+01:00"]);
}

#[test]
fn quarter_hours_of_a_repeated_hour_fire_eight_times() {
    let schedule = parse_in("America/New_York", "0 */15 1 * * *");
    let (start, end) = (at("2026-11-01T04:00:00Z"), at("2026-11-01T12:00:00Z"));
    assert_eq!(schedule.upcoming(start).take_while(|fire| *fire < end).count(), 8);
}

#[test]
fn local_mean_time_with_its_seconds_is_searched_too() {
    // Until 1892 Brussels was 17 min 30 s ahead of Greenwich.
    let schedule = parse_in("Europe/Brussels", "0 0 12 * * *");
    assert_eq!(schedule.next_after(at("1879-01-01T00:00:00Z")), Some(at("1879-01-01T11:42:30Z")));
}
