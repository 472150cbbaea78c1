//! What fell due while nobody scheduled, and what is late.

use super::Observation;
use super::harness::{DAY, MIN, MS, S, World, at, every, job};
use crate::kernel::model::{CatchUpPolicy, Job, SkipReason};
use crate::kernel::state::Command;

/// Stops a whole cluster for 15 minutes, and counts what runs of a five-minute job when it is back.
#[track_caller]
fn check_outage(catch_up: CatchUpPolicy, starts: usize, skips: u32) {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(Job { catch_up, ..job("a", "0 */5 * * * *") });
    world.run_until("2030-01-01T00:06:00Z");
    world.starts.clear();

    // 00:10, 00:15 and 00:20 are missed.
    world.crash(15 * MIN);
    world.run_until("2030-01-01T00:24:00Z");

    assert_eq!(world.starts.len(), starts, "{catch_up:?}");
    assert_eq!(world.skips.iter().map(|skip| skip.fires).sum::<u32>(), skips, "{catch_up:?}");
    assert!(world.skips.iter().all(|skip| skip.reason == SkipReason::CaughtUp));
    world.check_outcomes("a", &every(5 * MIN, "2030-01-01T00:05:00Z", "2030-01-01T00:24:00Z"));
}

#[test]
fn an_outage_of_15_minutes_follows_the_catch_up_policy() {
    check_outage(CatchUpPolicy::None, 0, 3);
    check_outage(CatchUpPolicy::Latest, 1, 2);
    check_outage(CatchUpPolicy::All { fires_max: 2 }, 2, 1);
    check_outage(CatchUpPolicy::All { fires_max: 10 }, 3, 0);
}

#[test]
fn a_restart_of_seconds_costs_no_fire_of_a_job_without_catch_up() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:00:57Z");

    world.crash(8 * S);
    world.run_for(10 * S);

    assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z"]);
    assert_eq!(world.starts[0].at.since(at("2030-01-01T00:01:05Z")), 2 * MS);
}

#[test]
fn a_week_of_a_per_second_job_is_caught_up_at_once() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let catch_up = CatchUpPolicy::Latest;
    world.set(Job { catch_up, ..job("cron", "* * * * * *") });
    world.set(Job { catch_up, ..job("every", "@every 1s") });
    world.set(Job { catch_up: CatchUpPolicy::All { fires_max: 100 }, ..job("all", "* * * * * *") });
    world.run_until("2030-01-01T00:00:10Z");
    world.crash(7 * DAY);
    let back = world.now();
    world.run_for(S / 2);

    let first = world.starts.iter().find(|start| start.at >= back).unwrap();
    assert!(first.at.since(back) <= 2 * world.commit, "a loss to close, then the plan");
    assert_eq!(world.started("cron").last().unwrap(), "2030-01-08T00:00:10Z");
    assert_eq!(world.started("every").last().unwrap(), "2030-01-08T00:00:10Z");
    assert_eq!(world.started("all").len(), 10 + 101);
    for (name, fires) in [("cron", 1_000), ("every", 604_798), ("all", 1_000)] {
        let skips = world.skips_of(name);
        assert_eq!((skips.len(), skips[0].fires), (1, fires), "{name}");
        assert_eq!(skips[0].reason, SkipReason::CaughtUp);
    }
}

#[test]
fn a_misfire_deadline_skips_what_is_found_too_late() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let misfire_deadline = Some(4 * MIN);
    let catch_up = CatchUpPolicy::All { fires_max: 10 };
    world.set(Job { misfire_deadline, catch_up, ..job("a", "0 */2 * * * *") });
    world.run_until("2030-01-01T00:03:00Z");

    world.crash(8 * MIN + 30 * S);
    world.run_for(S);

    // Back at 00:11:30: 00:08 and 00:10 are in time; 00:04 and 00:06 are not.
    let started: Vec<_> = world.started("a");
    assert_eq!(started, ["2030-01-01T00:02:00Z", "2030-01-01T00:08:00Z", "2030-01-01T00:10:00Z"]);
    assert_eq!(world.skips.len(), 1);
    assert_eq!((world.skips[0].fires, &world.skips[0].reason), (2, &SkipReason::TooLate));
}

#[test]
fn a_process_that_stood_still_catches_up_by_the_policy() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("none", "0 * * * * *"));
    world.set(Job { catch_up: CatchUpPolicy::Latest, ..job("latest", "0 * * * * *") });
    world.run_until("2030-01-01T00:01:30Z");

    world.stand_still(10 * MIN);
    world.run_for(MIN);

    assert!(world.notes.iter().any(|note| matches!(note, Observation::TimeSkipped { .. })));
    assert_eq!(world.started("none"), ["2030-01-01T00:01:00Z", "2030-01-01T00:12:00Z"]);
    let latest = ["2030-01-01T00:01:00Z", "2030-01-01T00:11:00Z", "2030-01-01T00:12:00Z"];
    assert_eq!(world.started("latest"), latest);
    let fires = every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:12:30Z");
    world.check_outcomes("none", &fires);
    world.check_outcomes("latest", &fires);
}

#[test]
fn a_schedule_of_another_version_is_told_and_stays_due() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let write = crate::kernel::state::JobWrite {
        job: job("a", "@lunar"),
        first: Some(at("2030-01-01T00:01:00Z")),
        overdue: None,
        if_revision: None,
        restored: None,
    };
    world.command(Command::SetJob(Box::new(write)));

    world.run_for(90 * MIN);

    let told = world.notes.iter().filter(|note| {
        matches!(note, Observation::ScheduleUnreadable { job, error }
            if job.as_str() == "a" && error.to_string().contains("@lunar"))
    });
    assert_eq!(told.count(), 2, "at its instant, and an hour later");
    assert!(world.skips.is_empty());
    assert_eq!(world.status("a").next, Some(at("2030-01-01T00:01:00Z")));
    assert!(world.steps < 20);
}
