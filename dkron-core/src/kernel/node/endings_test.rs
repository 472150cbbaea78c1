//! After an execution: losses, retries, dependents.

use super::Input;
use super::harness::{DAY, MIN, S, World, job, name};
use crate::kernel::model::{
    ExecutionState, Job, LostRunPolicy, PlacementPolicy, RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::{Command, query};

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
