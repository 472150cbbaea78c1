//! What claims, skips and withdrawals change, and what they refuse.

use std::time::Duration;

use crate::kernel::model::{
    Cause, ConcurrencyPolicy, ExecutionState, Job, RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::apply::harness::{World, at, job, kinds, name};
use crate::kernel::state::{Command, Event, Order, Outcome, Rejection, Verdict, query};
use crate::limits::SKIPS_PER_JOB_MAX;

fn forbidding(text: &str) -> Job {
    Job { concurrency: ConcurrencyPolicy::Forbid, ..job(text) }
}

#[test]
fn a_claim_takes_the_due_row_and_sets_the_next_one() {
    let mut world = World::new();
    let revision = world.set(job("a"));
    let ids = world.start("a", &["n1", "n2"]);

    let [Event::Claimed(first), Event::Claimed(second)] = &world.events[..] else {
        panic!("{:?}", world.events)
    };
    assert_eq!((first.start_at, first.revision), (at(60), revision));
    assert_eq!(first.job.name, name("a"));
    assert!(first.execution.token < second.execution.token, "tokens grow");
    assert_eq!(ids[0].to_string(), "1767225660000000000-n1");
    assert_eq!((first.execution.fire_time, first.execution.attempt), (at(60), 1));
    let status = world.status("a");
    assert_eq!((status.next, status.last_fire), (Some(at(120)), Some(at(60))));
    assert_eq!(status.executions, 2);
    assert_eq!(world.due_of("a").iter().map(|row| row.at).collect::<Vec<_>>(), [at(120)]);
}

#[test]
fn a_fire_is_decided_once() {
    let mut world = World::new();
    world.set(job("a"));
    let fire = world.start_of(&world.due()[0], &["n1"]);
    world.claimed(fire.clone());

    let why = world.refused(Command::Fire(fire));

    assert_eq!(why, Rejection::FireDecided { job: name("a") });
}

#[test]
fn a_decision_for_another_definition_is_refused() {
    let mut world = World::new();
    world.set(job("a"));
    let fire = world.start_of(&world.due()[0], &["n1"]);
    let revision = world.set(Job { owner: "x".to_owned(), ..job("a") });

    let why = world.refused(Command::Fire(fire.clone()));

    assert_eq!(why, Rejection::Moved { job: name("a"), revision });
    world.run(Command::DeleteJob { job: name("a") });
    let why = world.refused(Command::Fire(fire));
    assert_eq!(why, Rejection::JobNotFound { job: name("a") });
}

#[test]
fn forbid_refuses_a_second_fire_until_the_first_is_over() {
    let mut world = World::new();
    world.set(forbidding("a"));
    let ids = world.start("a", &["n1", "n2"]);
    let fire = world.start_of(&world.due()[0], &["n1"]);
    for (id, in_the_way) in [(&ids[0], &ids[0]), (&ids[1], &ids[1])] {
        let why = world.refused(Command::Fire(fire.clone()));
        assert_eq!(why, Rejection::Overlap { job: name("a"), running: in_the_way.clone() });
        world.finish("a", id, ExecutionState::Succeeded);
    }
    world.claimed(fire);
}

#[test]
fn forbid_lets_a_run_by_hand_through_if_it_is_forced() {
    let mut world = World::new();
    world.set(forbidding("a"));
    world.start("a", &["n1"]);
    let forced = world.manual_of("a", &["n1"]);
    let mut polite = forced.clone();
    polite.is_forced = false;

    assert!(matches!(world.refused(Command::Fire(polite)), Rejection::Overlap { .. }));
    world.claimed(forced);
}

#[test]
fn forbid_does_not_keep_a_fire_from_its_own_retries() {
    let mut world = World::new();
    world.set(Job { retries: 1, ..forbidding("a") });
    let ids = world.start("a", &["n1", "n2"]);
    world.finish("a", &ids[0], ExecutionState::Failed);

    let retried = world.start("a", &["n1"]);

    world.finish("a", &retried[0], ExecutionState::Succeeded);
    world.finish("a", &ids[1], ExecutionState::Succeeded);
    assert_eq!(world.counts("a"), (RunStatus::Success, 2, 1));
}

#[test]
fn a_retry_keeps_its_fire_and_gets_an_id_of_its_own() {
    let mut world = World::new();
    let retry_backoff = RetryBackoff::Fixed { delay: Duration::ZERO };
    world.set(Job { retries: 2, retry_backoff, ..job("a") });
    let mut ids = world.start("a", &["n1"]);
    world.now = at(60);
    for _ in 0..2 {
        world.finish("a", ids.last().unwrap(), ExecutionState::Failed);
        ids.extend(world.start("a", &["n1"]));
    }

    let executions = world.executions("a");
    let attempts: Vec<_> = executions.iter().map(|run| (run.attempt, run.fire_time)).collect();
    assert_eq!(attempts, [(1, at(60)), (2, at(60)), (3, at(60))]);
    assert_eq!(executions[2].id.due_ns, executions[0].id.due_ns + 2, "the same instant, thrice");
}

#[test]
fn runs_by_hand_at_one_instant_are_different_fires() {
    let mut world = World::new();
    world.set(job("a"));
    world.now = at(60);
    let scheduled = world.start("a", &["n1"]);
    let mut all = [scheduled, world.start_manual("a", &["n1"]), world.start_manual("a", &["n2"])];

    all.sort();
    assert!(all.windows(2).all(|pair| pair[0][0].due_ns < pair[1][0].due_ns), "{all:?}");
    let fires: Vec<_> = world.executions("a").iter().map(|run| run.fire_time).collect();
    assert_eq!(fires.len(), 3);
    assert!(fires.windows(2).all(|pair| pair[0] < pair[1]), "{fires:?}");
    assert_eq!(world.status("a").last_fire, Some(at(60)), "only the schedule's fires count");
}

#[test]
fn the_same_node_twice_is_one_target() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1", "n2", "n1"]);
    assert_eq!(ids.len(), 2);

    for id in &ids {
        world.finish("a", id, ExecutionState::Succeeded);
    }

    assert_eq!(world.counts("a"), (RunStatus::Success, 2, 0));
    assert_eq!(world.status("a").executions, 2);
}

#[test]
fn no_target_at_all_is_a_skip() {
    let mut world = World::new();
    world.set(job("a"));
    let fire = world.start_of(&world.due()[0], &[]);

    assert_eq!(world.run(Command::Fire(fire)), Outcome::Done);

    assert!(matches!(&world.events[..], [Event::Skipped { skip, .. }] if skip.first == at(60)));
    assert_eq!(world.status("a").next, Some(at(120)));
}

#[test]
fn a_skip_is_recorded_with_its_range_and_reason() {
    let mut world = World::new();
    world.set(job("a"));
    let mut fire = world.start_of(&world.due()[0], &[]);
    let reason = SkipReason::CaughtUp;
    fire.verdict = Verdict::Skip { last: at(180), fires: 3, reason: reason.clone() };
    fire.next = Some(at(240));

    assert_eq!(world.run(Command::Fire(fire)), Outcome::Done);

    let skips = query::skips(&world.tables, &name("a"), Order::Descending, 10).unwrap();
    let [skip] = &skips[..] else { panic!("{skips:?}") };
    assert_eq!((skip.first, skip.last, skip.fires), (at(60), at(180), 3));
    assert_eq!(skip.reason, reason);
    let (skip, cause) = (skip.clone(), Cause::Schedule);
    assert_eq!(
        world.events,
        [Event::Skipped { skip, cause, is_continued: false, is_fire_complete: true }]
    );
    let status = world.status("a");
    assert_eq!((status.next, status.last_fire, status.skips), (Some(at(240)), Some(at(180)), 1));
    assert_eq!(status.status, RunStatus::Untriggered, "a skip is no run");
}

#[test]
fn a_row_of_fires_skipped_for_one_reason_is_one_record_until_something_else_becomes_of_a_fire() {
    let mut world = World::new();
    world.set(job("a"));
    let none_has = |wanted: &str| SkipReason::NoCapableNode { wanted: wanted.to_owned() };
    let is_continued = |world: &World| match &world.events[..] {
        [Event::Skipped { is_continued, .. }] => *is_continued,
        events => panic!("{events:?}"),
    };

    let mut continued = Vec::new();
    for wanted in ["a", "a", "a", "b"] {
        world.skip("a", none_has(wanted));
        continued.push(is_continued(&world));
    }
    world.start("a", &["n1"]);
    world.skip("a", none_has("b"));
    continued.push(is_continued(&world));

    assert_eq!(continued, [false, true, true, false, false]);
    let skips = query::skips(&world.tables, &name("a"), Order::Ascending, 10).unwrap();
    let rows: Vec<_> = skips.iter().map(|skip| (skip.first, skip.last, skip.fires)).collect();
    assert_eq!(
        rows,
        [(at(60), at(180), 3), (at(240), at(240), 1), (at(360), at(360), 1)],
        "{skips:?}"
    );
    assert_eq!(world.status("a").skips, 3);
}

#[test]
fn the_newest_skips_are_kept() {
    let mut world = World::new();
    world.set(job("a"));
    for number in 0..SKIPS_PER_JOB_MAX + 20 {
        let is_odd = number % 2 == 1;
        world.skip("a", if is_odd { SkipReason::TooLate } else { SkipReason::CaughtUp });
    }

    let skips = query::skips(&world.tables, &name("a"), Order::Ascending, usize::MAX).unwrap();
    assert_eq!(skips.len(), SKIPS_PER_JOB_MAX as usize);
    assert_eq!(skips[0].first, at(60 * 21));
    assert_eq!(world.status("a").skips, SKIPS_PER_JOB_MAX);
}

#[test]
fn a_claim_that_is_withdrawn_becomes_a_skip() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1"]);
    let token = world.executions("a")[0].token;
    let withdraw = |token| Command::Withdraw {
        job: name("a"),
        execution: ids[0].clone(),
        token,
        reason: SkipReason::Withdrawn,
    };
    assert!(matches!(world.refused(withdraw(token + 1)), Rejection::Fenced { .. }));

    assert_eq!(world.run(withdraw(token)), Outcome::Done);

    assert!(matches!(&world.events[..], [Event::Withdrawn { skip, .. }] if skip.first == at(60)));
    let status = world.status("a");
    assert_eq!((status.executions, status.skips, status.error_count), (0, 1, 0));
    assert_eq!(status.status, RunStatus::Untriggered);
    assert!(matches!(world.refused(withdraw(token)), Rejection::ExecutionNotRunning { .. }));
}

#[test]
fn a_fire_can_be_completed_by_a_withdrawal() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1", "n2"]);
    world.finish("a", &ids[0], ExecutionState::Failed);
    let (job, execution) = (name("a"), ids[1].clone());
    let token = world.executions("a").iter().find(|run| run.id == execution).unwrap().token;

    world.run(Command::Withdraw { job, execution, token, reason: SkipReason::Withdrawn });

    assert!(matches!(&world.events[..], [Event::Withdrawn { is_fire_complete: true, .. }]));
    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 1));
}

#[test]
fn a_withdrawal_on_one_of_two_nodes_leaves_the_fire_open() {
    let mut world = World::new();
    world.set(job("a"));
    let ids = world.start("a", &["n1", "n2"]);
    let (job, execution) = (name("a"), ids[0].clone());
    let token = world.executions("a").iter().find(|run| run.id == execution).unwrap().token;

    world.run(Command::Withdraw { job, execution, token, reason: SkipReason::Withdrawn });

    assert!(matches!(&world.events[..], [Event::Withdrawn { is_fire_complete: false, .. }]));
    world.finish("a", &ids[1], ExecutionState::Succeeded);
    assert!(matches!(&world.events[..], [Event::Finished { is_fire_complete: true, .. }]));
}

#[test]
fn due_rows_come_in_the_order_of_their_instants_and_in_parts() {
    let mut world = World::new();
    for (text, seconds) in [("c", 0), ("a", 10), ("b", 10)] {
        world.now = at(seconds);
        world.set(Job { retries: 1, ..job(text) });
    }
    let ids = world.start("c", &["n1"]);
    world.finish("c", &ids[0], ExecutionState::Failed);

    let rows = world.due();
    assert_eq!(kinds(&rows), ["retry", "schedule", "schedule", "schedule"]);
    let jobs: Vec<_> = rows.iter().map(|row| row.job.as_str()).collect();
    assert_eq!(jobs, ["c", "a", "b", "c"]);
    let due = |after, until, limit| query::due_rows(&world.tables, after, until, limit).unwrap();
    assert_eq!(due(None, at(70), 10), rows[..3]);
    assert_eq!(due(None, at(69), 10), rows[..1]);
    assert_eq!(due(Some(&rows[1]), at(999), 1), rows[2..3]);
    assert_eq!(query::first_due(&world.tables).unwrap().as_ref(), rows.first());
    assert_eq!(query::waiting(&world.tables, &name("c")).unwrap(), rows[..1]);
}
