//! Every zone, every change of its clock from 1970 to 2037: fixed times and wild ones.

use crate::kernel::model::DstPolicy;
use crate::kernel::time::civil::clock;
use crate::kernel::time::{Timestamp, Transition, Zone};

use super::{Schedule, ScheduleContext};

/// Calls `visit` for every change of every zone from 1970 to 2037.
fn for_each_change(mut visit: impl FnMut(Zone, Transition)) {
    let end = Timestamp::parse_rfc3339("2038-01-01T00:00:00Z").unwrap();
    let mut changes = 0;
    for zone in Zone::all() {
        let mut from = Timestamp::UNIX_EPOCH;
        while let Some(change) = zone.next_transition(from).filter(|change| change.at < end) {
            visit(zone, change);
            changes += 1;
            from = change.at;
        }
    }
    assert!(changes > 30_000, "only {changes} changes");
}

fn parse(expr: &str, zone: Zone, dst: DstPolicy) -> Schedule {
    let context = ScheduleContext { timezone: zone.name(), dst, ..ScheduleContext::default() };
    Schedule::parse(expr, &context).unwrap()
}

fn at(unix_s: i64) -> Timestamp {
    Timestamp::from_unix_s(unix_s).unwrap()
}

/// Returns the fire times within `start_s..end_s`.
fn fires(schedule: &Schedule, start_s: i64, end_s: i64) -> Vec<i64> {
    let upcoming = schedule.upcoming(at(start_s - 1)).map(Timestamp::as_unix_s);
    upcoming.take_while(|&at_s| at_s < end_s).collect()
}

/// Returns a daily schedule at a local second.
fn daily_at(local_s: i64, zone: Zone, dst: DstPolicy) -> Schedule {
    let (hour, minute, second) = clock(local_s);
    parse(&format!("{second} {minute} {hour} * * *"), zone, dst)
}

#[test]
fn a_fixed_time_in_a_gap_fires_once_at_its_end_and_by_the_wall_not_at_all() {
    for_each_change(|zone, change| {
        let gap_s = i64::from(change.offset_after_s - change.offset_before_s);
        if gap_s <= 0 {
            return;
        }
        let change_s = change.at.as_unix_s();
        let gap_start_s = change_s + i64::from(change.offset_before_s);
        for skipped_s in [gap_start_s, gap_start_s + gap_s / 2, gap_start_s + gap_s - 1] {
            let once = daily_at(skipped_s, zone, DstPolicy::Once);
            let wall = daily_at(skipped_s, zone, DstPolicy::Wall);
            let (start_s, end_s) = (change_s - 3_600, change_s + 3_600);

            assert_eq!(once.next_after(at(change_s - 1)), Some(change.at), "{zone}: {change:?}");
            // Where a whole day is skipped, the same time of the days around it may be near.
            if gap_s < 86_400 {
                assert_eq!(fires(&once, start_s, end_s), [change_s], "{zone}: {change:?}");
                assert!(fires(&wall, start_s, end_s).is_empty(), "{zone}: {change:?}");
            }
        }
    });
}

#[test]
fn a_fixed_time_in_an_overlap_fires_in_the_first_pass_and_by_the_wall_in_both() {
    for_each_change(|zone, change| {
        let overlap_s = i64::from(change.offset_before_s - change.offset_after_s);
        if overlap_s <= 0 {
            return;
        }
        let change_s = change.at.as_unix_s();
        let overlap_start_s = change_s + i64::from(change.offset_after_s);
        for twice_s in [overlap_start_s, overlap_start_s + overlap_s / 2] {
            let first_s = twice_s - i64::from(change.offset_before_s);
            let second_s = twice_s - i64::from(change.offset_after_s);
            let once = daily_at(twice_s, zone, DstPolicy::Once);
            let wall = daily_at(twice_s, zone, DstPolicy::Wall);
            let (start_s, end_s) = (change_s - overlap_s, change_s + overlap_s);

            assert_eq!(fires(&once, start_s, end_s), [first_s], "{zone}: {change:?}");
            assert_eq!(
                fires(&wall, start_s, end_s),
                [first_s, second_s],
                "{zone} at {}",
                change.at
            );
            let next = once.next_after(at(second_s - 1));
            assert!(next > Some(at(second_s)), "{zone}: {change:?}");
        }
    });
}

#[test]
fn wild_schedules_fire_at_every_minute_of_real_time_across_every_change() {
    for_each_change(|zone, change| {
        // Offsets with seconds (Liberia until 1972) move the minute against real time.
        if change.offset_before_s % 60 != 0 || change.offset_after_s % 60 != 0 {
            return;
        }
        let change_s = change.at.as_unix_s();
        let minutely = parse("0 * * * * *", zone, DstPolicy::Once);
        let want: Vec<_> = (-4..4).map(|minute| change_s + minute * 60).collect();

        assert_eq!(fires(&minutely, want[0], change_s + 240), want, "{zone}: {change:?}");
    });
}

#[test]
fn a_daily_schedule_fires_once_for_each_day_of_every_zone_and_year() {
    for zone in Zone::all() {
        let daily = parse("0 30 2 * * *", zone, DstPolicy::Once);
        let start = Timestamp::parse_rfc3339("1999-12-31T12:00:00Z").unwrap();
        let end = Timestamp::parse_rfc3339("2030-12-31T12:00:00Z").unwrap();
        let mut last = start;
        let mut count = 0;
        for fire in daily.upcoming(start).take_while(|fire| *fire < end) {
            let apart_s = fire.as_unix_s() - last.as_unix_s();
            assert!(count == 0 || (2 * 3_600..39 * 3_600).contains(&apart_s), "{zone} at {fire}");
            last = fire;
            count += 1;
        }
        // 31 years with 8 leap days; zones that skipped or repeated a day have their fire too.
        assert!((11_322..=11_325).contains(&count), "{zone}: {count}");
    }
}
