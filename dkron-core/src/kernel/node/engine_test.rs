//! Does a leader keep its promises: every instant one outcome, nothing early, nothing twice?
//!
//! One promise a test, each in a world of its own that goes wrong in one way.

use std::time::Duration;

use super::harness::{MS, S, World, at, job, name};
use super::{Answer, Input, Observation};
use crate::kernel::dispatch::{ManualRun, plan_manual};
use crate::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, ExecutionState, Job, LostRunPolicy, PlacementPolicy,
    RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::{Command, Event, Fire, Outcome, query};
use crate::kernel::time::Timestamp;
use crate::limits::WAKE_UP_MAX;

const MIN: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The instants from `first` on that lie before `end`, `period` apart.
fn every(period: Duration, first: &str, end: &str) -> Vec<Timestamp> {
    let end = at(end);
    std::iter::successors(Some(at(first)), |fire| Some(fire.saturating_add(period)))
        .take_while(|fire| *fire < end)
        .collect()
}

fn forbid(job: Job) -> Job {
    Job { concurrency: ConcurrencyPolicy::Forbid, ..job }
}

fn disable(world: &World, job: &str) -> Command {
    let (job, revision) = (name(job), world.status(job).revision);
    Command::SetDisabled { job, revision, disabled: true, first: None }
}

fn run(world: &World, job: &str, is_forced: bool) -> Fire {
    let nodes = world.nodes();
    let run = ManualRun {
        job: &name(job),
        now: world.now(),
        nodes: &nodes,
        region: "global",
        seed: 1,
        is_forced,
    };
    plan_manual(&world.tables, &run).unwrap()
}

#[test]
fn a_job_fires_at_its_instants_and_not_before() {
    let mut world = World::new("2030-01-01T00:00:00.5Z");
    world.set(job("a", "0 * * * * *"));

    world.run_until("2030-01-01T00:10:30Z");

    assert_eq!(world.started("a").len(), 10);
    for start in &world.starts {
        assert_eq!(start.at, start.fire_time);
    }
    world.check_outcomes("a", &every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:10:30Z"));
}

#[test]
fn days_of_schedules_cost_a_few_steps_each() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("hourly", "@hourly"));
    world.set(job("daily", "0 30 2 * * *"));
    world.set(job("every", "@every 7h"));
    world.set(job("never", "@manually"));

    world.run_for(10 * DAY);

    world
        .check_outcomes("hourly", &every(60 * MIN, "2030-01-01T01:00:00Z", "2030-01-11T00:00:01Z"));
    world.check_outcomes("daily", &every(DAY, "2030-01-01T02:30:00Z", "2030-01-11T00:00:00Z"));
    world
        .check_outcomes("every", &every(420 * MIN, "2030-01-01T07:00:00Z", "2030-01-11T00:00:00Z"));
    assert_eq!(world.starts.len(), 240 + 10 + 34);
    assert!(world.steps < 284 * 10, "{} steps", world.steps);
}

#[test]
fn an_idle_engine_sleeps() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("far", "@yearly"));
    let before = world.steps;
    assert_eq!(world.engine.next_wakeup(), Some(world.now().saturating_add(WAKE_UP_MAX)));

    world.run_for(DAY);

    assert!(world.steps - before <= 24, "{} steps", world.steps - before);
}

#[test]
fn an_engine_that_does_not_lead_decides_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_for(3 * S);
    world.step(Input::Following);
    assert!(!world.engine.is_leading());
    assert_eq!(world.engine.next_wakeup(), None);
    let before = world.starts.len();

    world.run_for(10 * S);

    assert_eq!(world.starts.len(), before);
}

#[test]
fn an_engine_that_drains_starts_what_is_claimed_already_and_claims_nothing_more() {
    let mut world = World::new("2030-01-01T00:00:00.5Z");
    world.set(job("by-hand", "@manually"));
    world.set(job("a", "* * * * * *"));
    let fire = run(&world, "by-hand", false);
    let (_, news) = world.apply(&[Command::Fire(Box::new(fire))]);

    world.step(Input::Draining);
    assert!(!world.engine.is_idle(), "its news is still under way");
    world.step(Input::Applied(&news));
    world.run_for(3 * S);

    assert_eq!(world.started("by-hand").len(), 1);
    assert_eq!(world.started("a"), [""; 0]);
    assert!(world.engine.is_idle());
}

#[test]
fn slow_commits_are_made_up_for_by_looking_ahead() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 200 * MS;
    world.set(job("a", "*/5 * * * * *"));

    world.run_for(5 * MIN);

    let late: Vec<_> = world.starts.iter().filter(|start| start.at > start.fire_time).collect();
    assert!(late.len() <= 4, "{late:?}");
    assert_eq!(world.starts.len(), 60);
}

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
fn overload_delays_and_skips_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:10.5Z");
    // The log does not answer for a minute; the engine goes on watching.
    world.commit = 60 * S;

    world.run_for(61 * S);
    world.commit = 2 * MS;
    world.run_for(120 * S);

    assert_eq!(world.skips, []);
    let end = world.status("a").next.unwrap().to_string();
    world.check_outcomes("a", &every(S, "2030-01-01T00:00:01Z", &end));
    assert!(world.claims.len() >= 180);
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
        world.command(Command::Fire(Box::new(fire)));
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

#[test]
fn a_job_deleted_or_disabled_between_claim_and_instant_is_not_started() {
    for is_delete in [true, false] {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.commit = MS;
        world.set(job("a", "0 * * * * *"));
        world.set(job("b", "0 * * * * *"));
        world.run_until("2030-01-01T00:00:59.999Z");
        assert_eq!(world.claims.len(), 2, "both are claimed ahead");

        let command = match is_delete {
            true => Command::DeleteJob { job: name("a") },
            false => disable(&world, "a"),
        };
        world.command(command);
        world.run_for(MIN / 2);

        assert_eq!(world.started("a"), [""; 0]);
        assert_eq!(world.started("b").len(), 1);
        assert_eq!(query::running_count(&world.tables), Ok(0));
        assert!(world.notes.iter().any(|note| matches!(note, Observation::WithdrewClaim { .. })));
        if !is_delete {
            assert_eq!(world.skips.len(), 1);
            assert_eq!(world.skips[0].reason, SkipReason::Withdrawn);
            assert_eq!(world.skips[0].first, at("2030-01-01T00:01:00Z"));
        }
    }
}

#[test]
fn a_job_rewritten_between_claim_and_instant_runs_the_instant_once() {
    for schedule in ["0 * * * * *", "0 0-59 * * * *"] {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.commit = MS;
        world.set(job("a", "0 * * * * *"));
        world.run_until("2030-01-01T00:00:59.998Z");
        assert_eq!(world.claims.len(), 1);

        world.set(Job { executor: "http".to_owned(), ..job("a", schedule) });
        world.run_until("2030-01-01T00:01:30Z");

        assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z"], "{schedule}");
    }
}

#[test]
fn a_claim_cancelled_before_its_instant_never_starts() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:00:59.999Z");
    let id = world.claims[0].execution.id.clone();

    world.command(Command::Cancel { job: name("a"), execution: id.clone() });
    world.run_for(S);

    assert!(world.starts.is_empty() && world.cancelled.is_empty());
    let stored = query::execution(&world.tables, &name("a"), &id).unwrap().unwrap();
    assert_eq!(stored.state, ExecutionState::Cancelled);
}

#[test]
fn a_running_execution_is_cancelled_on_its_node() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), DAY);
    world.set(job("a", "0 0 * * * *"));
    world.run_until("2030-01-01T01:00:30Z");
    let id = world.claims[0].execution.id.clone();

    world.command(Command::Cancel { job: name("a"), execution: id.clone() });
    world.run_for(S);

    assert_eq!(world.cancelled, [id]);
    assert_eq!(query::running_count(&world.tables), Ok(0));
}

#[test]
fn a_cancel_that_the_last_leader_did_not_pass_on_is_passed_on() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), DAY);
    world.set(job("a", "0 0 * * * *"));
    world.run_until("2030-01-01T01:00:30Z");
    let id = world.claims[0].execution.id.clone();
    world.step(Input::Following);
    world.command(Command::Cancel { job: name("a"), execution: id.clone() });

    world.change_leader();
    world.run_for(S);

    assert_eq!(world.cancelled, [id]);
}

#[test]
fn a_forbidden_overlap_is_skipped_with_its_reason() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 150 * S);
    world.set(forbid(job("a", "0 * * * * *")));

    world.run_until("2030-01-01T00:10:30Z");

    let started = ["01", "04", "07", "10"].map(|minute| format!("2030-01-01T00:{minute}:00Z"));
    assert_eq!(world.started("a"), started);
    assert_eq!(world.skips.len(), 6);
    let running = world.starts[0].id.clone();
    assert_eq!(world.skips[0].reason, SkipReason::Forbidden { running });
    world.check_outcomes("a", &every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:10:30Z"));
}

#[test]
fn a_run_that_ends_just_before_the_instant_does_not_forbid_it() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 100 * MS;
    world.run_time.insert(name("a"), 850 * MS);
    world.set(forbid(job("a", "* * * * * *")));

    world.run_for(100 * S);

    // Each run is reported 50 ms before the next instant, and decided 150 ms after it.
    assert!(world.starts.len() >= 48, "{} starts, {} skips", world.starts.len(), world.skips.len());
    let end = world.now().to_string();
    world.check_outcomes("a", &every(S, "2030-01-01T00:00:01Z", &end));
}

#[test]
fn a_forbidding_job_goes_on_after_a_crash() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 30 * S);
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:01:10Z");

    world.crash(5 * S);
    world.run_until("2030-01-01T00:02:30Z");

    let of = |note: &Observation| match note {
        Observation::TookOffice { lost, .. } => *lost,
        _ => 0,
    };
    assert_eq!(world.notes.iter().map(of).sum::<usize>(), 1);
    assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z", "2030-01-01T00:02:00Z"]);
    assert_eq!(world.skips, []);
}

/// Dkron closes a run after four hours and starts another beside it.
#[test]
fn a_run_of_any_length_goes_on_and_forbids_the_next_whoever_leads() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 9 * 60 * MIN + 30 * MIN);
    world.set(forbid(job("a", "0 0 * * * *")));

    for _ in 0..10 {
        world.run_for(59 * MIN);
        world.change_leader();
    }
    world.run_until("2030-01-01T10:30:00Z");
    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z"]);
    assert_eq!(world.skips_of("a").iter().map(|skip| skip.fires).sum::<u32>(), 9);
    let running = world.starts[0].id.clone();
    let reason = SkipReason::Forbidden { running };
    assert!(world.skips.iter().all(|skip| skip.reason == reason), "{:?}", world.skips);

    world.run_until("2030-01-01T11:30:00Z");

    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z", "2030-01-01T11:00:00Z"]);
    let status = world.status("a");
    assert_eq!((status.success_count, status.error_count), (1, 0), "counted once");
}

/// Dkron asks every server before each fire, and starts nothing while one of them is silent.
#[test]
fn a_dead_node_keeps_no_forbidding_job_from_running_elsewhere() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    let mut on_n1 = forbid(job("a", "* * * * * *"));
    on_n1.tags.insert("node".to_owned(), "n1".to_owned());
    world.set(on_n1);
    world.run_for(5 * S + 500 * MS);

    world.kill_node("n2");
    world.run_for(10 * S);

    assert_eq!(world.started("a").len(), 15);
    assert_eq!(world.skips, []);
}

/// Dkron never closes a run of such a job that went with its process.
#[test]
fn the_lost_run_of_a_job_that_allows_overlap_is_closed_too() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), DAY);
    world.set(job("a", "0 0 * * * *"));
    world.run_until("2030-01-01T01:00:30Z");
    let id = world.starts[0].id.clone();

    world.crash(5 * S);
    world.run_for(S);

    assert_eq!(query::running_count(&world.tables), Ok(0));
    let stored = query::execution(&world.tables, &name("a"), &id).unwrap().unwrap();
    assert_eq!(stored.state, ExecutionState::Lost);
    assert_eq!((world.status("a").status, world.status("a").error_count), (RunStatus::Failed, 1));
}

#[test]
fn an_execution_that_the_leader_ends_says_why() {
    let output = |world: &World| {
        let id = world.claims[0].execution.id.clone();
        let output = query::output(&world.tables, &name("a"), &id).unwrap().unwrap();
        assert_eq!((output.packing, output.bytes_total), (0, 0), "plain, and not the run's words");
        String::from_utf8(output.bytes).unwrap()
    };
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), DAY);
    world.set(job("a", "0 0 * * * *"));
    world.run_until("2030-01-01T01:00:30Z");
    world.crash(5 * S);
    world.run_for(S);
    assert_eq!(
        output(&world),
        "lost: the process that ran it is gone, and what it did is not known\n"
    );

    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:00:59.999Z");
    let execution = world.claims[0].execution.id.clone();
    world.command(Command::Cancel { job: name("a"), execution });
    world.run_for(S);
    assert_eq!(output(&world), "cancelled: before it started\n");
}

#[test]
fn a_manual_run_starts_at_once_and_counts_for_forbid() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 80 * S);
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:00:30Z");

    let fire = run(&world, "a", false);
    world.command(Command::Fire(Box::new(fire)));
    assert_eq!(world.starts.len(), 1);
    assert_eq!(world.starts[0].at, world.now());
    let fire = run(&world, "a", false);
    assert!(matches!(world.command(Command::Fire(Box::new(fire))), Outcome::Rejected(_)));

    world.run_until("2030-01-01T00:02:30Z");
    assert_eq!(world.started("a"), ["2030-01-01T00:00:30Z", "2030-01-01T00:02:00Z"]);
}

#[test]
fn a_lost_run_is_closed_and_attempted_again_by_its_policy() {
    for (lost_run, retries, attempts) in [
        (LostRunPolicy::Fail, 0, 1),
        (LostRunPolicy::Fail, 1, 2),
        (LostRunPolicy::Rerun, 0, 2),
        (LostRunPolicy::Never, 3, 1),
    ] {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.add_node("n2", 1);
        world.run_time.insert(name("a"), DAY);
        let placement = PlacementPolicy::One;
        world.set(Job { lost_run, retries, placement, ..job("a", "0 0 * * * *") });
        world.run_until("2030-01-01T01:00:30Z");
        let node = world.starts[0].id.node.clone();

        world.kill_node(node.as_str());
        world.run_for(5 * S);

        assert_eq!(world.starts.len(), attempts, "{lost_run:?} {retries}");
        if attempts == 2 {
            assert_ne!(world.starts[1].id.node, node);
            assert_eq!(world.starts[1].fire_time, world.starts[0].fire_time);
        }
    }
}

#[test]
fn a_retry_waits_for_the_node_that_has_its_share() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    world.run_time.insert(name("a"), DAY);
    world.set(Job { lost_run: LostRunPolicy::Rerun, ..job("a", "0 0 * * * *") });
    world.run_until("2030-01-01T01:00:30Z");

    world.kill_node("n2");
    world.run_for(20 * S);
    assert_eq!(world.starts.len(), 2, "n1 has a share of its own");
    world.add_node("n2", 2);
    world.run_for(S);
    assert_eq!(world.starts.len(), 3);
    assert_eq!(world.starts[2].id.node.as_str(), "n2");

    world.kill_node("n2");
    world.run_for(2 * MIN);
    assert_eq!(world.starts.len(), 3);
    let wanted = "node \"n2\"".to_owned();
    assert_eq!(world.skipped_retries[0].reason, SkipReason::NoCapableNode { wanted });
}

#[test]
fn retries_survive_a_crash() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.failing.insert(name("a"));
    let retry_backoff = RetryBackoff::Fixed { delay: 10 * S };
    world.set(Job { retries: 3, retry_backoff, ..job("a", "0 0 * * * *") });
    world.run_until("2030-01-01T01:00:15Z");
    assert_eq!(world.starts.len(), 2);

    world.crash(60 * MIN);
    world.run_until("2030-01-01T02:05:00Z");

    let attempts: Vec<_> = world.starts.iter().map(|start| start.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(world.status("a").status, RunStatus::Failed);
    // 02:00 was missed by more than the time of a restart.
    assert_eq!(world.skips.len(), 1);
}

#[test]
fn a_child_runs_once_for_each_success_of_its_parent() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    world.set(job("parent", "0 * * * * *"));
    let placement = PlacementPolicy::One;
    world.set(Job { parent_job: Some(name("parent")), placement, ..job("child", "") });

    world.run_until("2030-01-01T00:05:30Z");
    world.failing.insert(name("parent"));
    world.run_until("2030-01-01T00:10:30Z");

    assert_eq!(world.started("parent").len(), 20);
    assert_eq!(world.started("child").len(), 5);
}

#[test]
fn a_child_whose_parent_succeeded_runs_although_everything_crashes_then() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("parent", "0 0 * * * *"));
    for child in ["child", "other"] {
        world.set(Job { parent_job: Some(name("parent")), ..job(child, "") });
    }
    // The result is stored, and nobody has looked at what follows from it.
    world.run_time.insert(name("parent"), 10 * S);
    world.run_until("2030-01-01T01:00:10Z");
    world.step(Input::Following);
    world.run_for(S);
    assert_eq!(world.status("parent").status, RunStatus::Success);
    assert_eq!(world.started("child"), [""; 0]);

    world.crash(20 * MIN);
    world.run_for(S);

    assert_eq!((world.started("child").len(), world.started("other").len()), (1, 1));
}

#[test]
fn no_capable_node_is_recorded_at_the_instant_and_not_before() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let mut picky = job("a", "0 * * * * *");
    picky.tags.insert("node".to_owned(), "n9".to_owned());
    world.set(picky);
    world.run_until("2030-01-01T00:00:59.999Z");
    assert_eq!(world.skips, []);

    world.run_until("2030-01-01T00:01:01Z");
    assert_eq!(world.skips.len(), 1);
    let wanted = "tag node=n9".to_owned();
    assert_eq!(world.skips[0].reason, SkipReason::NoCapableNode { wanted });

    world.add_node("n9", 1);
    world.run_until("2030-01-01T00:02:01Z");
    assert_eq!(world.started("a"), ["2030-01-01T00:02:00Z"]);
}

#[test]
fn nodes_that_come_back_after_a_restart_are_waited_for() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    let mut picky = job("a", "0 0 * * * *");
    picky.tags.insert("node".to_owned(), "n2".to_owned());
    world.set(Job { catch_up: CatchUpPolicy::Latest, ..picky });
    world.run_until("2030-01-01T00:30:00Z");

    world.kill_node("n2");
    world.crash(60 * MIN);
    world.run_for(4 * S);
    assert_eq!((world.starts.len(), world.skips.len()), (0, 0));
    world.add_node("n2", 2);
    world.run_for(S);

    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z"]);
}

#[test]
fn a_schedule_of_another_version_is_told_and_stays_due() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let write = crate::kernel::state::JobWrite {
        job: job("a", "@lunar"),
        first: Some(at("2030-01-01T00:01:00Z")),
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

#[test]
fn lost_proposals_and_lost_answers_lose_and_double_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    (world.lost_proposals, world.lost_answers) = (30, 30);
    world.set(job("a", "*/10 * * * * *"));
    world.set(forbid(job("b", "*/7 * * * * *")));
    world.run_time.insert(name("b"), 9 * S);

    world.run_until("2030-01-01T01:00:05.5Z");

    assert!(world.notes.iter().any(|note| matches!(note, Observation::RoundFailed { .. })));
    world.check_outcomes("a", &every(10 * S, "2030-01-01T00:00:10Z", "2030-01-01T01:00:05Z"));
    assert_eq!(world.started("a").len(), 360);
}

#[test]
fn a_change_of_leader_in_the_middle_of_a_round_loses_and_doubles_nothing() {
    for seed in 1..20 {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.dice.0 = seed;
        world.commit = 20 * MS;
        world.set(job("a", "* * * * * *"));
        world.run_for(3 * S);

        for _ in 0..40 {
            let span = world.dice.below(1_500);
            world.run_for(Duration::from_millis(span));
            world.change_leader();
        }
        world.run_for(2 * S);

        let end = world.status("a").next.unwrap().to_string();
        let fires = every(S, "2030-01-01T00:00:01Z", &end);
        world.check_outcomes("a", &fires);
        assert_eq!(world.skips, [], "seed {seed}");
        assert_eq!(world.claims.len(), fires.len(), "seed {seed}");
    }
}

#[test]
fn equal_histories_give_equal_states() {
    let run = |seed| {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.dice.0 = seed;
        world.lead();
        world.add_node("n2", 1);
        world.add_node("n3", 1);
        for number in 0..50 {
            let mut tagged =
                job(&format!("job{number}"), &format!("*/{} * * * * *", number % 9 + 1));
            tagged.tags.insert("region".to_owned(), "global:1".to_owned());
            world.set(tagged);
        }
        world.run_for(60 * S);
        world.tables
    };

    assert!(run(5) == run(5));
    assert!(run(5) != run(6));
}

#[test]
fn news_of_claims_from_before_the_term_is_no_news() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:01:30Z");
    let claim = world.claims[0].clone();
    let handed = world.handed;

    world.lead();
    world.step(Input::Applied(&[Event::Claimed(claim)]));

    assert_eq!(world.handed, handed, "an execution that has ended is handed out again");
}

#[test]
fn a_claim_that_waits_is_handed_out_by_the_next_term() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:00:59.999Z");
    assert_eq!((world.claims.len(), world.starts.len()), (1, 0));

    world.lead();
    world.run_for(S);
    assert_eq!((world.handed, world.starts.len()), (1, 1));

    // While it runs, a term after the other hands it out again; its node starts nothing.
    world.run_time.insert(name("a"), DAY);
    world.run_until("2030-01-01T00:02:30Z");
    world.lead();
    world.lead();
    assert_eq!((world.handed, world.starts.len()), (4, 2));
}

#[test]
fn an_engine_that_drains_decides_nothing_and_starts_what_it_has_claimed() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:00.999Z");
    assert_eq!((world.claims.len(), world.starts.len()), (1, 0));

    world.step(Input::Draining);
    assert!(!world.engine.is_idle());
    world.run_for(10 * S);

    assert!(world.engine.is_idle());
    assert_eq!(world.started("a"), ["2030-01-01T00:00:01Z"]);
}

#[test]
fn an_engine_that_drains_waits_for_news_of_what_it_has_claimed() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 20 * MS;
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:00.996Z");
    world.step(Input::Draining);
    assert!(!world.engine.is_idle(), "a round is open");

    let (round, outcomes, events) = world.commit_open_round();
    world.step(Input::Answered { round, answer: Answer::Applied(&outcomes) });
    assert!(!world.engine.is_idle(), "the claim is not heard of yet");
    world.step(Input::Applied(&events));
    assert!(!world.engine.is_idle(), "the claim waits for its instant");
    world.run_for(S);

    assert!(world.engine.is_idle());
    assert_eq!(world.starts.len(), 1);
}
