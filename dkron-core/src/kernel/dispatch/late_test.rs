//! Plans for what was missed, and for what is late.

use super::desk::{Desk, S, at, check, job};
use crate::kernel::model::{CatchUpPolicy, Job};

#[test]
fn missed_fires_are_one_skip_and_then_what_the_policy_starts() {
    let all = CatchUpPolicy::All { fires_max: 2 };
    for (catch_up, want) in [
        (CatchUpPolicy::None, &["00:01:00 skip 5 to 00:05:00 CaughtUp -> 00:06:00"][..]),
        (
            CatchUpPolicy::Latest,
            &["00:01:00 skip 4 to 00:04:00 CaughtUp -> 00:05:00", "00:05:00 start n1 -> 00:06:00"],
        ),
        (
            all,
            &[
                "00:01:00 skip 3 to 00:03:00 CaughtUp -> 00:04:00",
                "00:04:00 start n1 -> 00:05:00",
                "00:05:00 start n1 -> 00:06:00",
            ],
        ),
    ] {
        let mut desk = Desk::with([Job { catch_up, ..job("a", "0 * * * * *") }]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), want);
        check(&desk.decide("00:06:00"), &["00:06:00 start n1 -> 00:07:00"]);
    }
}

#[test]
fn a_catch_up_larger_than_a_plan_is_continued_by_the_next() {
    let catch_up = CatchUpPolicy::All { fires_max: 4 };
    let mut desk = Desk::with([Job { catch_up, ..job("a", "0 * * * * *") }]);
    desk.watch_start = at("00:10:30");
    desk.decisions_max = 2;

    let skip = "00:01:00 skip 6 to 00:06:00 CaughtUp -> 00:07:00";
    check(&desk.decide("00:10:31"), &[skip, "00:07:00 start n1 -> 00:08:00"]);
    let two = ["00:08:00 start n1 -> 00:09:00", "00:09:00 start n1 -> 00:10:00"];
    check(&desk.decide("00:10:31"), &two);
    check(&desk.decide("00:10:31"), &["00:10:00 start n1 -> 00:11:00"]);
}

#[test]
fn a_single_date_is_caught_up_like_any_other_fire() {
    let date = "@at 2030-01-01T00:01:00Z";
    for (catch_up, want) in [
        (CatchUpPolicy::None, "00:01:00 skip 1 to 00:01:00 CaughtUp -> never"),
        (CatchUpPolicy::Latest, "00:01:00 start n1 -> never"),
    ] {
        let mut desk = Desk::with([Job { catch_up, ..job("a", date) }]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), &[want]);
    }
}

#[test]
fn a_missed_date_with_a_grace_period_starts_within_it() {
    for (grace, want) in [
        ("PT4M30S", "00:01:00 start n1 -> never"),
        ("PT4M29.9S", "00:01:00 skip 1 to 00:01:00 CaughtUp -> never"),
        ("P1D", "00:01:00 start n1 -> never"),
    ] {
        let mut desk = Desk::with([job("a", &format!("@after 2030-01-01T00:01:00Z <{grace}"))]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), &[want]);
        check(&desk.decide("00:05:32"), &[]);
    }
}

#[test]
fn the_newest_missed_fire_starts_within_the_time_of_a_restart() {
    for (watch_start, want) in [
        ("00:01:10", "00:01:00 start n1 -> 00:02:00"),
        ("00:01:10.1", "00:01:00 skip 1 to 00:01:00 CaughtUp -> 00:02:00"),
    ] {
        let mut desk = Desk::with([job("a", "0 * * * * *")]);
        desk.watch_start = at(watch_start);
        // How late the plan itself comes does not matter.
        check(&desk.decide("00:01:50"), &[want]);
    }
}

#[test]
fn what_is_found_too_late_is_skipped_whoever_watched() {
    let misfire_deadline = Some(S * 30);
    let mut desk = Desk::with([Job { misfire_deadline, ..job("a", "*/20 * * * * *") }]);

    check(
        &desk.decide("00:01:25"),
        &[
            "00:00:20 skip 2 to 00:00:40 TooLate -> 00:01:00",
            "00:01:00 start n1 -> 00:01:20",
            "00:01:20 start n1 -> 00:01:40",
        ],
    );
}

#[test]
fn an_instant_that_was_decided_before_is_not_decided_again() {
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.now = at("00:05:00");
    desk.decide("00:05:00");
    // The clock goes back, and the job is written anew: its bounds, not its schedule.
    let starts_at = Some(at("00:00:00"));
    desk.write(Job { starts_at, ..job("a", "0 * * * * *") }, Some(at("00:03:00")));

    check(
        &desk.decide("00:06:00"),
        &[
            "00:03:00 skip 3 to 00:05:00 AlreadyDecided -> 00:06:00",
            "00:06:00 start n1 -> 00:07:00",
        ],
    );
}
