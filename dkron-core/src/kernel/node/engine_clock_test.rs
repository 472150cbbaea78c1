//! Clocks that are put forward and back.

use std::collections::BTreeSet;
use std::time::Duration;

use super::harness::{DAY, MIN, S, World, at, every, forbid, job, name, run};
use super::{Input, Observation};
use crate::kernel::model::{CatchUpPolicy, ExecutionState, Job, SkipReason};
use crate::kernel::state::{Claim, Command, Report, StoredOutput};

/// How far the clock was found behind, each time that was told.
fn told(world: &World) -> Vec<Duration> {
    let span = |note: &Observation| match note {
        Observation::ClockWentBack { span } => Some(*span),
        _ => None,
    };
    world.notes.iter().filter_map(span).collect()
}

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

/// The end of what `job` started last.
fn succeeded(world: &World, job: &str) -> Command {
    let of_job = |claim: &&Claim| claim.execution.job == name(job);
    let execution = &world.claims.iter().rfind(of_job).unwrap().execution;
    Command::Finish(Report {
        job: execution.job.clone(),
        execution: execution.id.clone(),
        token: execution.token,
        started_at: None,
        finished_at: world.now(),
        state: ExecutionState::Succeeded,
        output: StoredOutput::default(),
    })
}

/// A job per second and one per minute run until 12:00:10; then `outage` happens, and the clock is
/// more than a minute behind.
#[track_caller]
fn check_nothing_is_repeated(outage: impl Fn(&mut World), is_told: bool) {
    let mut world = World::new("2030-01-01T11:50:00Z");
    world.set(Job { catch_up: CatchUpPolicy::All { fires_max: 50 }, ..job("s", "* * * * * *") });
    world.set(forbid(job("m", "0 * * * * *")));
    world.run_until("2030-01-01T12:00:10.5Z");

    outage(&mut world);
    world.run_until("2030-01-01T12:02:10.5Z");

    world.check_outcomes("s", &every(S, "2030-01-01T11:50:01Z", "2030-01-01T12:02:10.5Z"));
    world.check_outcomes("m", &every(MIN, "2030-01-01T11:51:00Z", "2030-01-01T12:02:10.5Z"));
    assert_eq!(world.skips, [], "somebody watched when each instant was shown first");
    let ids: BTreeSet<_> = world.starts.iter().map(|start| (&start.job, &start.id)).collect();
    assert_eq!(ids.len(), world.starts.len(), "two executions share an id");
    assert_eq!(!told(&world).is_empty(), is_told);
}

#[test]
fn a_clock_put_back_while_the_node_was_down_repeats_no_instant_and_loses_none() {
    check_nothing_is_repeated(
        |world| {
            world.put_clock(-71);
            world.crash(S / 4);
        },
        true,
    );
}

#[test]
fn a_leader_whose_clock_is_slow_repeats_no_instant_and_loses_none() {
    check_nothing_is_repeated(
        |world| {
            world.put_clock(-71);
            world.change_leader();
        },
        true,
    );
    check_nothing_is_repeated(
        |world| {
            world.put_clock(-2);
            world.change_leader();
        },
        false,
    );
}

#[test]
fn what_waits_for_no_instant_goes_on_after_a_restart_with_a_clock_that_is_behind() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(Job { retries: 1, ..job("a", "@manually") });
    world.set(job("b", "@manually"));
    world.set(Job { parent_job: Some(name("b")), ..job("child", "") });
    world.failing.insert(name("a"));
    world.run_for(10 * S);
    world.put_clock(-3_600);
    world.crash(S);

    for job in ["a", "b", "b"] {
        let fire = run(&world, job, false);
        world.command(Command::Fire(fire));
        world.run_for(S);
    }

    assert_eq!(world.started("a").len(), 2, "the run and its retry");
    assert_eq!(world.started("b").len(), 2);
    assert_eq!(world.started("child").len(), 2, "each success has its run");
}

#[test]
fn a_child_that_was_due_when_the_node_died_starts_though_the_clock_was_put_back() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(job("a", "@manually"));
    world.set(Job { parent_job: Some(name("a")), ..job("child", "") });
    world.run_time.insert(name("a"), S);
    let fire = run(&world, "a", false);
    world.command(Command::Fire(fire));
    while world.due_of("child").is_empty() {
        world.next_happening();
    }
    assert!(world.started("child").is_empty());

    world.put_clock(-3_600);
    world.change_leader();
    world.run_for(S);

    assert_eq!(world.started("child").len(), 1);
}

#[test]
fn a_child_whose_parent_ended_while_the_clock_was_ahead_unseen_starts_at_once() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(job("a", "@manually"));
    world.set(Job { parent_job: Some(name("a")), ..job("child", "") });
    world.run_time.insert(name("a"), DAY);
    let fire = run(&world, "a", false);
    world.command(Command::Fire(fire));
    world.run_for(S);

    // The engine hears of the end when the clock is back.
    world.put_clock(365 * 86_400);
    let finish = succeeded(&world, "a");
    let (_, events) = world.apply(&[finish]);
    world.put_clock(-365 * 86_400);
    world.tell(&events);
    world.run_for(S);

    assert_eq!(world.started("child").len(), 1);
}

#[test]
fn a_child_is_judged_by_what_the_clock_shows_not_by_the_time_of_entries() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(job("a", "@manually"));
    world.put_clock(365 * 86_400);
    world.run_for(S);
    world.set(job("ahead", "@manually"));
    world.put_clock(-365 * 86_400);
    let july = Some(at("2030-07-01T00:00:00Z"));
    let parent_job = Some(name("a"));
    let child = |text| Job { parent_job: parent_job.clone(), ..job(text, "") };
    world.set(Job { expires_at: july, ..child("until-july") });
    world.set(Job { starts_at: july, ..child("from-july") });

    let fire = run(&world, "a", false);
    world.command(Command::Fire(fire));
    world.run_for(S);

    assert_eq!(world.started("until-july").len(), 1);
    assert_eq!(world.skips_of("until-july").len(), 0);
    assert_eq!(world.started("from-july").len(), 0);
    assert_eq!(world.skips_of("from-july")[0].reason, SkipReason::NotStarted);
}

#[test]
fn a_job_made_while_the_clock_is_behind_fires_when_its_instants_are_shown() {
    for is_restarted in [false, true] {
        let mut world = World::new("2030-01-01T12:00:00Z");
        world.set(job("old", "0 * * * * *"));
        world.run_until("2030-01-01T12:30:30Z");
        world.put_clock(-1_200);
        if is_restarted {
            world.crash(S);
        } else {
            world.step(Input::Woken);
        }

        world.set(job("new", "0 * * * * *"));
        world.set(job("once", "@at 2030-01-01T12:20:00Z"));
        world.run_until("2030-01-01T12:11:30Z");
        assert_eq!(world.started("new"), ["2030-01-01T12:11:00Z"], "{is_restarted}");
        world.run_until("2030-01-01T12:31:30Z");

        assert_eq!(world.started("once"), ["2030-01-01T12:20:00Z"], "{is_restarted}");
        let end = "2030-01-01T12:31:30Z";
        world.check_outcomes("new", &every(MIN, "2030-01-01T12:11:00Z", end));
        world.check_outcomes("old", &every(MIN, "2030-01-01T12:01:00Z", end));
        assert_eq!(world.skips, [], "{is_restarted}");
    }
}

#[test]
fn a_clock_that_was_a_year_ahead_holds_up_the_jobs_it_decided_and_no_other() {
    let mut world = World::new("2030-01-01T12:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T12:01:30Z");
    world.put_clock(365 * 86_400);
    world.run_for(30 * S);
    world.put_clock(-365 * 86_400);
    world.crash(S);
    let starts = world.started("a").len();
    world.run_for(DAY);

    let behind = told(&world);
    assert!(behind.len() == 1 && behind[0] > DAY * 364, "{behind:?}");
    assert_eq!(world.started("a").len(), starts, "a year of instants was decided as missed");
    assert_eq!(world.status("a").next, Some(at("2031-01-01T12:03:00Z")));

    // A job with another schedule is due by what the clock shows.
    world.set(job("a", "30 * * * * *"));
    world.set(job("b", "30 * * * * *"));
    world.run_for(10 * MIN);

    assert_eq!(world.started("a").len(), starts + 10);
    assert_eq!(world.started("b").len(), 10);
}
