//! What the end of an execution changes.

use std::time::Duration;

use crate::kernel::model::{
    ExecutionState, Job, LostRunPolicy, RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::apply::harness::{World, at, child, job, kinds, name};
use crate::kernel::state::{Command, Event, Outcome, Rejection, query};

use ExecutionState::{Cancelled, Failed, Lost, Succeeded};

fn retrying(text: &str, retries: u32) -> Job {
    let retry_backoff = RetryBackoff::Fixed { delay: Duration::from_secs(5) };
    Job { retries, retry_backoff, ..job(text) }
}

#[test]
fn a_run_is_counted_once_and_its_status_follows() {
    let mut world = World::new();
    world.set(job("a"));
    world.now = at(60);
    let ids = world.start("a", &["n1"]);
    assert_eq!(world.counts("a"), (RunStatus::Untriggered, 0, 0), "running is neither");

    world.now = at(61);
    world.finish("a", &ids[0], Succeeded);

    assert_eq!(world.counts("a"), (RunStatus::Success, 1, 0));
    assert_eq!(world.status("a").last_success, Some(at(61)));
    assert_eq!(world.status("a").executions, 1);
    assert!(matches!(world.events[..], [Event::Finished { is_fire_complete: true, .. }]));
    let stats = query::stats(&world.tables, at(61), 2).unwrap();
    assert_eq!((stats[0].success_count, stats[1].success_count), (0, 1));
}

#[test]
fn a_success_on_retry_is_a_success() {
    let mut world = World::new();
    world.set(retrying("a", 1));
    world.set(child("b", "a"));
    let ids = world.start("a", &["n1"]);
    world.now = at(70);
    world.finish("a", &ids[0], Failed);

    assert_eq!(world.counts("a"), (RunStatus::Untriggered, 0, 1), "the fire is not complete");
    let due = world.due_of("a");
    assert_eq!(kinds(&due), ["retry", "schedule"]);
    assert_eq!(due[0].at, at(75));

    let retried = world.start("a", &["n1"]);
    let execution = &world.executions("a")[1];
    assert_eq!((execution.attempt, execution.fire_time), (2, at(60)));
    world.finish("a", &retried[0], Succeeded);

    assert_eq!(world.counts("a"), (RunStatus::Success, 1, 1));
    assert_eq!(kinds(&world.due_of("b")), ["dependent"]);
}

#[test]
fn retries_end_when_they_are_used_up() {
    let mut world = World::new();
    world.set(retrying("a", 2));
    for attempt in 1..=3 {
        let ids = world.start("a", &["n1"]);
        world.finish("a", &ids[0], Failed);
        let expected: &[&str] = if attempt < 3 { &["retry", "schedule"] } else { &["schedule"] };
        assert_eq!(kinds(&world.due_of("a")), expected, "attempt {attempt}");
    }
    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 3));
}

#[test]
fn a_fire_on_several_nodes_is_complete_with_the_last_of_them() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1", "n2", "n3"]);
    world.finish("a", &ids[1], Succeeded);
    world.finish("a", &ids[0], Failed);
    assert_eq!(world.counts("a").0, RunStatus::Untriggered);

    world.finish("a", &ids[2], Succeeded);

    assert_eq!(world.counts("a"), (RunStatus::PartiallyFailed, 2, 1));
}

#[test]
fn a_repeated_report_is_harmless_and_a_different_one_is_refused() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(child("b", "a"));
    let ids = world.start("a", &["n1"]);
    let report = world.report("a", &ids[0], Succeeded);
    let finish = |report: &crate::kernel::state::Report| Command::Finish(Box::new(report.clone()));
    assert_eq!(world.run(finish(&report)), Outcome::Done);
    let before = world.tables.clone();

    assert_eq!(world.run(finish(&report)), Outcome::Done);
    assert_eq!((&world.tables, world.events.len()), (&before, 0), "nothing happens twice");

    let mut other = report.clone();
    other.state = Failed;
    assert!(matches!(world.refused(finish(&other)), Rejection::ExecutionNotRunning { .. }));
    other.token += 1;
    assert!(matches!(world.refused(finish(&other)), Rejection::Fenced { .. }));
}

#[test]
fn a_report_with_another_token_is_fenced() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1"]);
    let mut report = world.report("a", &ids[0], Succeeded);
    report.token += 1;

    let why = world.refused(Command::Finish(Box::new(report)));

    assert!(matches!(why, Rejection::Fenced { .. }));
}

#[test]
fn a_cancelled_run_is_an_error_without_retries() {
    let mut world = World::new();
    world.set(retrying("a", 3));
    let ids = world.start("a", &["n1"]);
    let cancel = Command::Cancel { job: name("a"), execution: ids[0].clone() };
    assert_eq!(world.run(cancel.clone()), Outcome::Done);
    assert!(matches!(world.events[..], [Event::CancelRequested(_)]));

    world.finish("a", &ids[0], Cancelled);

    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 1));
    assert_eq!(kinds(&world.due_of("a")), ["schedule"]);
    assert!(matches!(world.refused(cancel), Rejection::ExecutionNotRunning { .. }));
}

#[test]
fn a_run_that_fails_before_its_cancellation_is_not_retried() {
    let mut world = World::new();
    world.set(retrying("a", 3));
    let ids = world.start("a", &["n1"]);
    world.run(Command::Cancel { job: name("a"), execution: ids[0].clone() });

    world.finish("a", &ids[0], Failed);

    assert_eq!(kinds(&world.due_of("a")), ["schedule"]);
}

#[track_caller]
fn check_lost(lost_run: LostRunPolicy, retries: u32, is_retried: bool) {
    let mut world = World::new();
    world.set(Job { lost_run, ..retrying("a", retries) });
    let ids = world.start("a", &["n1"]);

    world.finish("a", &ids[0], Lost);

    let expected: &[&str] = if is_retried { &["retry", "schedule"] } else { &["schedule"] };
    assert_eq!(kinds(&world.due_of("a")), expected);
    let status = if is_retried { RunStatus::Untriggered } else { RunStatus::Failed };
    assert_eq!(world.counts("a"), (status, 0, 1));
}

#[test]
fn a_lost_run_follows_the_policy_of_its_job() {
    check_lost(LostRunPolicy::Fail, 0, false);
    check_lost(LostRunPolicy::Fail, 1, true);
    check_lost(LostRunPolicy::Rerun, 0, true);
    check_lost(LostRunPolicy::Never, 5, false);
}

#[test]
fn a_retry_that_is_skipped_completes_its_fire() {
    let mut world = World::new();
    world.set(retrying("a", 1));
    let ids = world.start("a", &["n1"]);
    world.finish("a", &ids[0], Failed);

    assert_eq!(world.skip("a", SkipReason::Disabled), Outcome::Done);

    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 1));
    let skips = query::skips(&world.tables, &name("a"), crate::kernel::state::Order::Ascending, 9);
    let skip = &skips.unwrap()[0];
    assert_eq!((skip.first, skip.attempt), (at(60), 2), "it is filed under its fire");
}

#[test]
fn two_successes_of_a_parent_are_two_fires_of_its_child() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(child("b", "a"));
    world.set(child("c", "a"));
    for _ in 0..2 {
        let ids = world.start_manual("a", &["n1"]);
        world.finish("a", &ids[0], Succeeded);
    }

    let due = world.due_of("b");
    assert_eq!(kinds(&due), ["dependent", "dependent"]);
    assert_ne!(due[0].at, due[1].at);
    assert_eq!(world.due_of("c").len(), 2);

    let first = world.start("b", &["n1"]);
    let second = world.start("b", &["n1"]);
    assert_ne!(first, second);
}

#[test]
fn an_ephemeral_job_is_gone_after_its_first_success_and_not_before() {
    let mut world = World::new();
    world.set(Job { ephemeral: true, ..job("a") });
    let ids = world.start("a", &["n1"]);
    world.finish("a", &ids[0], Failed);
    assert!(world.has("a"));

    let ids = world.start("a", &["n1"]);
    world.finish("a", &ids[0], Succeeded);

    assert!(!world.has("a"));
    assert_eq!(world.due(), []);
    assert!(matches!(world.events[..], [Event::Finished { .. }, Event::JobChanged { .. }]));
}

#[test]
fn an_ephemeral_parent_stays() {
    let mut world = World::new();
    world.set(Job { ephemeral: true, ..job("a") });
    world.set(child("b", "a"));
    let ids = world.start("a", &["n1"]);

    world.finish("a", &ids[0], Succeeded);

    assert!(world.has("a"));
    assert_eq!(kinds(&world.due_of("b")), ["dependent"]);
}

#[test]
fn the_end_of_a_run_of_a_deleted_job_is_not_counted_on_its_successor() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1"]);
    let report = world.report("a", &ids[0], Succeeded);
    world.run(Command::DeleteJob { job: name("a") });
    world.set(job("a"));

    let why = world.refused(Command::Finish(Box::new(report)));

    assert!(matches!(why, Rejection::ExecutionNotRunning { .. }));
    assert_eq!(world.counts("a"), (RunStatus::Untriggered, 0, 0));
    assert_eq!(world.executions("a"), []);
}
