//! What the end of an execution changes.

use std::time::Duration;

use crate::kernel::model::{
    ConcurrencyPolicy, ExecutionState, Job, LostRunPolicy, RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::apply::harness::{World, at, child, job, kinds, name};
use crate::kernel::state::{Command, Event, Outcome, Rejection, Report, check_integrity, query};

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

/// Ends a fire on two nodes, of a job with a child and of an ephemeral one.
#[track_caller]
fn check_complete(results: [ExecutionState; 2], want: RunStatus) {
    let is_success = want == RunStatus::Success;
    let mut world = World::new();
    world.set(job("parent"));
    world.set(child("child", "parent"));
    let ids = world.start("parent", &["n1", "n2"]);
    world.finish("parent", &ids[0], results[0]);
    assert_eq!(world.due_of("child"), [], "{results:?}: a node is still at it");
    world.finish("parent", &ids[1], results[1]);
    assert_eq!(world.counts("parent").0, want, "{results:?}");
    assert_eq!(world.due_of("child").len(), usize::from(is_success), "{results:?}");

    let mut world = World::new();
    world.set(Job { ephemeral: true, ..job("once") });
    let ids = world.start("once", &["n1", "n2"]);
    world.finish("once", &ids[0], results[0]);
    assert!(world.has("once"), "{results:?}: a node is still at it");
    world.finish("once", &ids[1], results[1]);
    assert_eq!(world.has("once"), !is_success, "{results:?}");
}

#[test]
fn only_a_success_on_every_node_starts_children_and_ends_an_ephemeral_job() {
    check_complete([Succeeded, Succeeded], RunStatus::Success);
    check_complete([Succeeded, Failed], RunStatus::PartiallyFailed);
    check_complete([Failed, Succeeded], RunStatus::PartiallyFailed);
    check_complete([Lost, Succeeded], RunStatus::PartiallyFailed);
    check_complete([Failed, Failed], RunStatus::Failed);
}

#[test]
fn the_times_of_an_execution_are_those_of_its_node() {
    let mut world = World::new();
    world.set(job("a"));
    world.now = at(60);
    let ids = world.start("a", &["n1"]);
    assert_eq!(world.executions("a")[0].started_at, at(60), "due, until the node has reported");
    world.now = at(100);
    let report = Report {
        started_at: Some(at(63)),
        finished_at: at(72),
        ..world.report("a", &ids[0], Failed)
    };

    world.run(Command::Finish(report));

    let execution = &world.executions("a")[0];
    assert_eq!((execution.started_at, execution.finished_at), (at(63), Some(at(72))));
    let status = world.status("a");
    assert_eq!((status.last_success, status.last_error), (None, Some(at(72))));
}

#[test]
fn each_node_and_each_attempt_of_a_fire_is_counted() {
    let mut world = World::new();
    world.set(retrying("a", 1));
    for id in world.start("a", &["n1", "n2", "n3"]) {
        world.finish("a", &id, if id.node.as_str() == "n2" { Failed } else { Succeeded });
    }
    assert_eq!(world.counts("a"), (RunStatus::Untriggered, 2, 1));

    let retried = world.start("a", &["n2"]);
    world.finish("a", &retried[0], Succeeded);

    assert_eq!(world.counts("a"), (RunStatus::Success, 3, 1));
    let today = query::stats(&world.tables, world.now, 1).unwrap()[0];
    assert_eq!((today.success_count, today.failed_count), (3, 1));
}

#[test]
fn a_result_that_comes_after_its_run_was_closed_as_lost_counts_for_nothing() {
    for result in [Succeeded, Failed] {
        let mut world = World::new();
        world.set(job("a"));
        let ids = world.start("a", &["n1"]);
        let late = world.report("a", &ids[0], result);
        world.finish("a", &ids[0], Lost);

        let why = world.refused(Command::Finish(late));

        assert!(matches!(why, Rejection::ExecutionNotRunning { .. }), "{why}");
        assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 1));
    }
}

#[test]
fn what_runs_of_a_deleted_job_is_there_until_its_end_and_leaves_nothing() {
    let mut world = World::new();
    world.set(Job { retries: 3, ..job("a") });
    world.set(child("b", "a"));
    let ids = world.start("a", &["n1", "n2", "n3"]);
    world.finish("a", &ids[0], Failed);
    world.run(Command::DeleteJob { job: name("b") });
    world.run(Command::DeleteJob { job: name("a") });
    assert_eq!(query::running(&world.tables, Some(&name("a")), 9).unwrap().len(), 2);
    assert_eq!(check_integrity(&world.tables).unwrap(), []);

    for (id, is_last) in [(&ids[1], false), (&ids[2], true)] {
        world.finish("a", id, Failed);
        let [Event::Finished { is_fire_complete, retry_at: None, .. }] = &world.events[..] else {
            panic!("{:?}", world.events)
        };
        assert_eq!(*is_fire_complete, is_last);
    }

    assert_eq!(world.left_over(), Vec::<&str>::new());
    let why = world.refused(Command::Finish(world.report("a", &ids[1], Failed)));
    assert!(matches!(why, Rejection::ExecutionNotRunning { .. }), "{why}");
}

#[test]
fn a_repeated_report_is_harmless_and_a_different_one_is_refused() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(child("b", "a"));
    let ids = world.start("a", &["n1"]);
    let report = world.report("a", &ids[0], Succeeded);
    let finish = |report: &Report| Command::Finish(report.clone());
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

    let why = world.refused(Command::Finish(report));

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

    assert!(matches!(world.events[..], [Event::Skipped { is_fire_complete: true, .. }]));
    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 1));
    let skips = query::skips(&world.tables, &name("a"), crate::kernel::state::Order::Ascending, 9);
    let skip = &skips.unwrap()[0];
    assert_eq!((skip.first, skip.attempt), (at(60), 2), "it is filed under its fire");
}

#[test]
fn a_retry_that_is_skipped_leaves_its_fire_open_while_another_node_goes_on() {
    let mut world = World::new();
    world.set(retrying("a", 1));
    let ids = world.start("a", &["n1", "n2"]);
    world.finish("a", &ids[0], Failed);

    world.skip("a", SkipReason::Disabled);

    assert!(matches!(world.events[..], [Event::Skipped { is_fire_complete: false, .. }]));
    world.finish("a", &ids[1], Succeeded);
    assert!(matches!(world.events[..], [Event::Finished { is_fire_complete: true, .. }]));
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

/// Lets two runs of a parent overlap, and end in the order given, as given.
#[track_caller]
fn check_overlapping_runs(order: [usize; 2], results: [ExecutionState; 2]) {
    let mut world = World::new();
    world.set(job("parent"));
    world.set(child("child", "parent"));
    let runs = [(); 2].map(|()| world.start_manual("parent", &["n1"]).remove(0));

    let mut children = 0;
    for run in order {
        world.finish("parent", &runs[run], results[run]);
        children += usize::from(results[run] == Succeeded);
        let due = world.due_of("child");
        assert_eq!(due.len(), children, "{order:?} {results:?}: after run {run}");
    }
}

#[test]
fn a_child_follows_the_run_that_ended_not_the_status_its_parent_has_by_then() {
    for order in [[0, 1], [1, 0]] {
        check_overlapping_runs(order, [Succeeded, Failed]);
        check_overlapping_runs(order, [Failed, Succeeded]);
        check_overlapping_runs(order, [Succeeded, Succeeded]);
        check_overlapping_runs(order, [Failed, Failed]);
    }

    // A run on two nodes goes wrong on one; another succeeds before it ends.
    let mut world = World::new();
    world.set(job("parent"));
    world.set(child("child", "parent"));
    let wide = world.start_manual("parent", &["n1", "n2"]);
    let other = world.start_manual("parent", &["n1"]);
    world.finish("parent", &wide[0], Failed);
    world.finish("parent", &other[0], Succeeded);
    assert_eq!(world.counts("parent").0, RunStatus::Success);
    assert_eq!(world.due_of("child").len(), 1);

    world.finish("parent", &wide[1], Succeeded);

    assert_eq!(world.counts("parent").0, RunStatus::PartiallyFailed);
    assert_eq!(world.due_of("child").len(), 1);
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

/// As if the job had been changed: the run is in the list of the new one, and in its way.
#[test]
fn a_job_made_again_under_its_name_takes_over_what_runs() {
    let mut world = World::new();
    let forbidding = Job { concurrency: ConcurrencyPolicy::Forbid, ..job("a") };
    world.set(forbidding.clone());
    let ids = world.start("a", &["n1", "n2"]);
    world.run(Command::DeleteJob { job: name("a") });
    world.set(forbidding);
    assert_eq!((world.status("a").executions, world.executions("a").len()), (2, 2));
    assert_eq!(check_integrity(&world.tables).unwrap(), []);

    let row = world.due_of("a").remove(0);
    let why = world.refused(Command::Fire(world.start_of(&row, &["n1"])));
    assert!(matches!(why, Rejection::Overlap { .. }), "{why}");
    world.finish("a", &ids[0], Succeeded);
    assert_eq!(world.counts("a"), (RunStatus::Untriggered, 1, 0), "it goes on on n2");
    world.finish("a", &ids[1], Succeeded);

    assert_eq!(world.counts("a"), (RunStatus::Success, 2, 0));
    assert_eq!(world.start("a", &["n1"]).len(), 1);
}
