//! Histories that go as a whole: bounded work, and nobody sees what is left.

use std::time::Duration;

use crate::kernel::model::{ExecutionState, Job, JobStatus, Retention, RunStatus, SkipReason};
use crate::kernel::state::apply::harness::{World, job, name};
use crate::kernel::state::{
    ApplyJobs, Command, JobWrite, Order, Outcome, Table, Tables, check_integrity, query,
};
use crate::limits::HISTORY_REMOVALS_MAX;

/// Rows that deleting a job removes or adds besides those of its history, at most.
const ROWS_OF_A_JOB_MAX: u64 = 8;
/// Rows that one command removes of a history: executions with outputs, and marks of jobs.
const ROWS_OF_A_SWEEP_MAX: u64 = 3 * HISTORY_REMOVALS_MAX as u64;

fn lasting(text: &str) -> Job {
    let retention = Retention { executions_max: 1_000_000, ..Retention::default() };
    Job { retention, ..job(text) }
}

/// Runs a job by hand so many times, each with an output.
fn run_times(world: &mut World, text: &str, times: u32) {
    for _ in 0..times {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        let ids = world.start_manual(text, &["n1"]);
        let mut report = world.report(text, &ids[0], ExecutionState::Succeeded);
        report.output.bytes = b"output".to_vec();
        world.run(Command::Finish(report));
    }
}

fn rows(world: &World) -> u64 {
    Table::ALL.into_iter().map(|table| world.tables.len(table).unwrap()).sum()
}

/// Carries out a command, and returns how many rows there are more or less.
fn rows_changed(world: &mut World, command: Command) -> (Outcome, u64) {
    let before = rows(world);
    let outcome = world.run(command);
    assert_eq!(check_integrity(&world.tables).unwrap(), []);
    (outcome, before.abs_diff(rows(world)))
}

fn sweep(world: &mut World, removals_max: u32) {
    assert_eq!(world.run(Command::Sweep { removals_max }), Outcome::Done);
    assert_eq!(world.events, []);
    assert_eq!(check_integrity(&world.tables).unwrap(), []);
}

fn delete(text: &str) -> Command {
    Command::DeleteJob { job: name(text) }
}

#[test]
fn no_command_removes_more_than_so_much_of_a_history() {
    let mut world = World::new();
    world.set(lasting("a"));
    run_times(&mut world, "a", 1_000);
    world.skip("a", SkipReason::TooLate);

    let (outcome, changed) = rows_changed(&mut world, delete("a"));
    assert_eq!(outcome, Outcome::Done);
    assert!(changed <= ROWS_OF_A_JOB_MAX, "{changed} rows at once");
    let mut sweeps = 0;
    while query::has_unswept(&world.tables).unwrap() {
        let command = Command::Sweep { removals_max: u32::MAX };
        let (outcome, changed) = rows_changed(&mut world, command);
        assert_eq!(outcome, Outcome::Done);
        assert!((1..=ROWS_OF_A_SWEEP_MAX).contains(&changed), "{changed} rows at once");
        sweeps += 1;
    }

    assert_eq!(sweeps, 4);
    assert_eq!(world.left_over(), Vec::<&str>::new());
}

#[test]
fn a_prune_leaves_the_histories_of_its_jobs_to_be_swept() {
    let mut world = World::new();
    let names: Vec<_> = (0..20).map(|number| format!("a{number}")).collect();
    let declare = |jobs: &[String]| {
        let jobs = jobs.iter().map(|text| JobWrite::new(lasting(text), None)).collect();
        let declared_by = "program".to_owned();
        Command::ApplyJobs(Box::new(ApplyJobs { declared_by, jobs, prune: true }))
    };
    world.run(declare(&names));
    for text in &names {
        run_times(&mut world, text, 30);
    }

    let (_, changed) = rows_changed(&mut world, declare(&[]));
    assert!(changed <= names.len() as u64 * ROWS_OF_A_JOB_MAX, "{changed} rows at once");
    // A sweep goes on to the next job.
    for _ in 0..600_u32.div_ceil(HISTORY_REMOVALS_MAX) {
        sweep(&mut world, HISTORY_REMOVALS_MAX);
    }
    assert_eq!(world.left_over(), Vec::<&str>::new());
}

#[test]
fn what_is_left_of_a_deleted_job_is_seen_by_nobody() {
    let mut world = World::new();
    world.set(lasting("a"));
    world.set(lasting("ab"));
    for text in ["a", "ab"] {
        run_times(&mut world, text, 10);
        world.skip(text, SkipReason::TooLate);
    }
    let ended = world.executions("a").remove(0).id;
    let running = world.start_manual("a", &["n1"]).remove(0);
    let others = world.executions("ab");
    world.run(delete("a"));

    for _ in 0..3 {
        let (a, tables) = (name("a"), &world.tables);
        assert_eq!(query::execution(tables, &a, &ended), Ok(None));
        assert_eq!(query::output(tables, &a, &ended), Ok(None));
        assert_eq!(query::skips(tables, &a, Order::Ascending, 9), Ok(Vec::new()));
        for order in [Order::Ascending, Order::Descending] {
            let range = query::ExecutionRange { order, after: None, limit: 99, rows_max: 99 };
            let found = query::executions_matching(tables, &a, range, |_| true).unwrap();
            assert_eq!(found.items.iter().map(|run| &run.id).collect::<Vec<_>>(), [&running]);
        }
        assert_eq!(world.executions("a").len(), 1);
        assert_eq!(world.executions("ab"), others);
        sweep(&mut world, 6);
    }
    assert!(!query::has_unswept(&world.tables).unwrap());
    world.finish("a", &running, ExecutionState::Succeeded);
    assert_eq!(world.executions("a"), []);
}

#[test]
fn a_job_made_again_takes_over_what_runs_and_nothing_of_the_history() {
    let mut world = World::new();
    for text in ["a", "b"] {
        world.set(lasting(text));
        run_times(&mut world, text, 10);
        world.skip(text, SkipReason::TooLate);
    }
    let running = world.start_manual("a", &["n1"]).remove(0);
    world.run(delete("a"));
    world.run(delete("b"));
    sweep(&mut world, 3);

    world.set(job("a"));

    assert_eq!(check_integrity(&world.tables).unwrap(), []);
    let status = world.status("a");
    let wanted = JobStatus { revision: status.revision, next: status.next, ..JobStatus::default() };
    assert_eq!(status, JobStatus { executions: 1, ..wanted });
    world.finish("a", &running, ExecutionState::Succeeded);
    assert_eq!(world.counts("a"), (RunStatus::Success, 1, 0));
    // The other job's history is swept still, and this one's is not.
    assert!(query::has_unswept(&world.tables).unwrap());
    sweep(&mut world, 99);
    assert_eq!(world.executions("a").len(), 1);
    world.run(delete("a"));
    assert_eq!(world.left_over(), Vec::<&str>::new());
}

#[test]
fn a_short_history_goes_with_its_job() {
    for (runs, is_left) in [(0, false), (4, false), (5, true)] {
        let mut world = World::new();
        world.set(lasting("a"));
        run_times(&mut world, "a", runs);

        world.run(delete("a"));

        assert_eq!(query::has_unswept(&world.tables), Ok(is_left), "{runs} runs");
        assert_eq!(world.left_over().is_empty(), !is_left, "{runs} runs");
    }
}

#[test]
fn a_sweep_of_nothing_changes_nothing() {
    let mut world = World::new();
    world.set(lasting("a"));
    run_times(&mut world, "a", 10);
    let before = world.tables.clone();

    sweep(&mut world, u32::MAX);
    assert!(world.tables == before);

    world.run(delete("a"));
    let before = world.tables.clone();
    sweep(&mut world, 0);
    assert!(world.tables == before);
}

#[test]
fn the_history_of_a_job_that_stays_goes_in_parts() {
    let mut world = World::new();
    world.set(lasting("a"));
    run_times(&mut world, "a", HISTORY_REMOVALS_MAX + 1);
    world.skip("a", SkipReason::TooLate);
    let delete_executions = || Command::DeleteExecutions { job: name("a") };

    let (outcome, changed) = rows_changed(&mut world, delete_executions());
    assert_eq!(outcome, Outcome::Unfinished);
    assert!(changed <= ROWS_OF_A_SWEEP_MAX, "{changed} rows at once");
    assert_eq!(world.counts("a"), (RunStatus::Success, 0, 0));
    assert_eq!((world.status("a").executions, world.status("a").skips), (1, 1));

    assert_eq!(rows_changed(&mut world, delete_executions()).0, Outcome::Done);
    let status = world.status("a");
    assert_eq!((status.executions, status.skips, status.output_bytes), (0, 0, 0));
    assert_eq!(rows_changed(&mut world, delete_executions()), (Outcome::Done, 0));
}
