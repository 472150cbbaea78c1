//! Between a claim and its start: jobs that change, cancellation, terms that begin.

use super::harness::{DAY, MIN, MS, S, World, at, disable, job, name};
use super::{Input, Observation};
use crate::kernel::model::{ExecutionState, Job, SkipReason};
use crate::kernel::state::{Command, Event, JobWrite, check_integrity, query};

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
fn the_claim_of_a_deleted_job_is_none_of_the_job_made_again_under_its_name() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = MS;
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:00:59.998Z");
    assert_eq!(world.claims.len(), 1);

    // The engine hears of both at once. That nothing starts twice is what the world checks.
    let again = job("a", "0 * * * * *");
    let first = Some(at("2030-01-01T00:01:00Z"));
    let write = JobWrite::new(again, first);
    let commands = [Command::DeleteJob { job: name("a") }, Command::SetJob(Box::new(write))];
    let (_, events) = world.apply(&commands);
    world.tell(&events);
    world.run_until("2030-01-01T00:02:30Z");

    assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z", "2030-01-01T00:02:00Z"]);
    assert!(world.notes.iter().any(|note| matches!(note, Observation::WithdrewClaim { .. })));
    assert_eq!(check_integrity(&world.tables).unwrap(), []);
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
fn a_claim_is_handed_out_ahead_as_far_as_asked_for_and_no_farther() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = MS;
    world.set(job("a", "0 * * * * *"));
    world.set(job("b", "0 * * * * *"));
    world.start_ahead(MS / 2);
    world.run_until("2030-01-01T00:00:59.9994Z");
    assert_eq!((world.claims.len(), world.handed), (2, 0));

    world.command(disable(&world, "a"));
    world.run_until("2030-01-01T00:00:59.9996Z");
    assert_eq!(world.handed, 1);
    world.command(disable(&world, "b"));
    world.run_for(MIN / 2);

    assert_eq!(world.started("a"), [""; 0], "changed before it was handed out");
    assert_eq!(world.started("b"), ["2030-01-01T00:01:00Z"], "changed when its node had it");
    assert_eq!(world.starts[0].at, at("2030-01-01T00:01:00Z"));
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
fn news_of_claims_from_before_the_term_is_no_news() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:01:30Z");
    let claim = world.claims[0].clone();
    let handed = world.handed;

    world.lead();
    world.tell(&[Event::Claimed(claim)]);

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
