//! What is kept of executions and outputs, and how it is paged.

use std::time::Duration;

use crate::kernel::model::{ExecutionState, Job, Retention};
use crate::kernel::state::apply::harness::{World, at, job, name};
use crate::kernel::state::{Command, Order, StoredOutput, query};
use crate::limits::RETENTION_REMOVALS_MAX;

fn keeping(executions_max: u32) -> Job {
    Job { retention: Retention { executions_max, ..Retention::default() }, ..job("a") }
}

/// Runs `a` by hand so many times, a second apart, each with an output of so many bytes.
fn run_times(world: &mut World, times: u32, output_bytes: usize) {
    for _ in 0..times {
        world.now = world.now.saturating_add(Duration::from_secs(1));
        let ids = world.start_manual("a", &["n1"]);
        let mut report = world.report("a", &ids[0], ExecutionState::Succeeded);
        report.output.bytes = vec![7; output_bytes];
        report.output.bytes_total = 1_000;
        world.run(Command::Finish(report));
    }
}

#[test]
fn the_newest_executions_are_kept() {
    let mut world = World::new();
    world.set(keeping(3));
    run_times(&mut world, 10, 1);

    let kept: Vec<_> = world.executions("a").iter().map(|run| run.fire_time).collect();
    assert_eq!(kept, [at(8), at(9), at(10)]);
    let status = world.status("a");
    assert_eq!((status.executions, status.output_bytes), (3, 3));
    assert_eq!(status.success_count, 10, "counters are not history");
}

#[test]
fn a_hundred_executions_are_kept_unless_something_else_is_asked_for() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(job("b"));
    let ids = world.start_manual("b", &["n1"]);
    world.finish("b", &ids[0], ExecutionState::Succeeded);

    run_times(&mut world, 105, 0);

    let kept = world.executions("a");
    assert_eq!((kept.len(), kept[0].fire_time), (100, at(6)));
    assert_eq!(world.executions("b").len(), 1, "each job has a history of its own");
}

#[test]
fn a_running_execution_is_never_removed() {
    let mut world = World::new();
    world.set(keeping(1));
    let old = world.start_manual("a", &["n1"]);
    run_times(&mut world, 5, 0);

    assert_eq!(world.status("a").executions, 2);
    assert!(query::execution(&world.tables, &name("a"), &old[0]).unwrap().is_some());
    world.finish("a", &old[0], ExecutionState::Succeeded);
    assert_eq!(world.status("a").executions, 1);
}

#[test]
fn outputs_are_kept_up_to_their_sum() {
    let mut world = World::new();
    let retention = Retention { output_bytes_max: Some(250), ..Retention::default() };
    world.set(Job { retention, ..job("a") });
    run_times(&mut world, 5, 100);
    let status = world.status("a");
    assert_eq!((status.executions, status.output_bytes), (2, 200));

    run_times(&mut world, 1, 999);
    let status = world.status("a");
    assert_eq!((status.executions, status.output_bytes), (1, 999), "the newest stays");
}

#[test]
fn executions_are_kept_up_to_their_age() {
    let mut world = World::new();
    let retention = Retention { age_max: Some(Duration::from_secs(10)), ..Retention::default() };
    world.set(Job { retention, ..job("a") });
    run_times(&mut world, 5, 0);
    world.now = at(13);
    run_times(&mut world, 1, 0);

    let kept: Vec<_> = world.executions("a").iter().map(|run| run.fire_time).collect();
    assert_eq!(kept, [at(4), at(5), at(14)]);
}

/// Ends runs of a job that keeps them for 10 s, at 1 s to 5 s and at `last_s` by their node's
/// clock, while the log is at `log_s`; wants those kept that ended at `want_s`.
#[track_caller]
fn check_ages(log_s: i64, last_s: i64, want_s: &[i64]) {
    let mut world = World::new();
    let retention = Retention { age_max: Some(Duration::from_secs(10)), ..Retention::default() };
    world.set(Job { retention, ..job("a") });
    for finished_s in (1..=5).chain([last_s]) {
        world.now = at(log_s);
        let ids = world.start_manual("a", &["n1"]);
        let mut report = world.report("a", &ids[0], ExecutionState::Succeeded);
        report.finished_at = at(finished_s);
        world.run(Command::Finish(report));
    }

    let kept: Vec<_> = world.executions("a").iter().map(|run| run.finished_at).collect();
    let want: Vec<_> = want_s.iter().map(|want_s| Some(at(*want_s))).collect();
    assert_eq!(kept, want, "log at {log_s}, last end at {last_s}");
}

#[test]
fn ages_count_neither_from_a_log_that_is_ahead_nor_from_a_node_that_is() {
    check_ages(14, 14, &[4, 5, 14]);
    check_ages(31_536_000, 6, &[1, 2, 3, 4, 5, 6]);
    check_ages(31_536_000, 14, &[4, 5, 14]);
    check_ages(14, 31_536_000, &[4, 5, 31_536_000]);
}

#[test]
fn a_lowered_retention_is_reached_step_by_step() {
    let mut world = World::new();
    world.set(keeping(10_000));
    let many = RETENTION_REMOVALS_MAX + 100;
    run_times(&mut world, many, 0);
    world.set(keeping(1));

    run_times(&mut world, 1, 0);
    assert_eq!(world.status("a").executions, many + 1 - RETENTION_REMOVALS_MAX);
    run_times(&mut world, 1, 0);
    assert_eq!(world.status("a").executions, 1);
}

#[test]
fn an_output_is_read_as_it_was_written() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1"]);
    let mut report = world.report("a", &ids[0], ExecutionState::Failed);
    report.output = StoredOutput { bytes_total: 9_000, packing: 3, bytes: vec![0, 255, 7] };
    world.run(Command::Finish(report.clone()));

    let output = query::output(&world.tables, &name("a"), &ids[0]).unwrap();
    assert_eq!(output, Some(report.output));
    assert_eq!(world.executions("a")[0].output_bytes_total, 9_000);
}

#[test]
fn pages_hold_running_executions_in_their_place() {
    let mut world = World::new();
    world.set(job("a"));
    let mut instants = Vec::new();
    for second in 1..=9 {
        world.now = at(second);
        let ids = world.start_manual("a", &["n1"]);
        instants.push(at(second));
        if second % 3 != 0 {
            world.finish("a", &ids[0], ExecutionState::Succeeded);
        }
    }
    for order in [Order::Ascending, Order::Descending] {
        for (skip, limit) in [(0, 100), (0, 9), (2, 4), (8, 5), (9, 1), (0, 0)] {
            let part = query::Part { order, skip, limit };
            let page = query::executions_page(&world.tables, &name("a"), part).unwrap();
            let got: Vec<_> = page.items.iter().map(|run| run.fire_time).collect();
            let mut want = instants.clone();
            if order == Order::Descending {
                want.reverse();
            }
            let want: Vec<_> = want.into_iter().skip(skip as usize).take(limit).collect();
            assert_eq!((got, page.total), (want, 9), "{order:?} {skip} {limit}");
        }
    }
    assert_eq!(query::running_count(&world.tables).unwrap(), 3);
    assert_eq!(query::running(&world.tables, Some(&name("a")), 2).unwrap().len(), 2);
    assert_eq!(query::running(&world.tables, None, 99).unwrap().len(), 3);
}
