//! Clocks that are put forward and back.

use super::harness::{MIN, S, World, at, every, job, name, run};
use super::{Input, Observation};
use crate::kernel::model::{CatchUpPolicy, Job, SkipReason};
use crate::kernel::state::Command;

#[test]
fn a_clock_put_forward_is_a_gap_and_one_put_back_repeats_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(Job { catch_up: CatchUpPolicy::Latest, ..job("a", "0 * * * * *") });
    world.run_until("2030-01-01T00:02:30Z");

    world.put_clock(2 * 3_600);
    world.run_until("2030-01-01T02:05:30Z");
    let ahead = world.starts.len();
    assert_eq!(world.started("a")[2], "2030-01-01T02:02:00Z");
    world.put_clock(-2 * 3_600);
    world.step(Input::Woken);
    world.run_until("2030-01-01T02:05:30Z");
    assert_eq!(world.starts.len(), ahead, "an instant that was decided is decided again");
    assert!(world.notes.iter().any(|note| matches!(note, Observation::ClockWentBack { .. })));
    world.run_until("2030-01-01T02:10:30Z");

    assert_eq!(world.starts.len(), ahead + 5);
    world.check_outcomes("a", &every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T02:10:30Z"));
}

#[test]
fn what_waits_for_no_instant_goes_on_while_the_clock_is_behind() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(Job { retries: 1, ..job("a", "@manually") });
    world.set(job("b", "@manually"));
    world.set(Job { parent_job: Some(name("b")), ..job("child", "") });
    world.failing.insert(name("a"));
    world.run_for(S);
    world.put_clock(-3_600);

    for job in ["a", "b"] {
        let fire = run(&world, job, false);
        world.command(Command::Fire(fire));
    }
    world.run_for(S);

    assert_eq!(world.started("a").len(), 2, "the run and its retry");
    assert_eq!(world.started("b").len(), 1);
    assert_eq!(world.started("child").len(), 1);
}

#[test]
fn a_job_written_while_the_clock_is_behind_repeats_no_instant() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T12:30:30Z");
    world.put_clock(-1_200);

    let starts_at = Some(at("2030-01-01T00:00:00Z"));
    world.set(Job { starts_at, ..job("a", "0 * * * * *") });
    world.run_until("2030-01-01T12:40:30Z");

    assert_eq!(world.started("a").len(), 40);
    assert_eq!(world.skips.len(), 1);
    assert_eq!(world.skips[0].reason, SkipReason::AlreadyDecided);
    assert_eq!(world.skips[0].last, at("2030-01-01T12:30:00Z"));
}
