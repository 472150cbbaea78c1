//! Plans for what follows a run: further attempts, and runs of children.

use super::ManualRunError;
use super::desk::{Desk, S, at, check, job, line, name, node};
use crate::kernel::model::{
    Cause, ConcurrencyPolicy, ExecutionState, Job, PlacementPolicy, RetryBackoff,
};
use crate::kernel::state::{Command, DueKind, Event, Table, TablesMut as _};
use crate::limits::{RETRY_NODE_WAIT_MAX, RUNS_MAX};

#[test]
fn a_retry_goes_to_its_node_or_to_another_capable_one() {
    let retry_backoff = RetryBackoff::Fixed { delay: S * 5 };
    let placement = PlacementPolicy::One;
    let one = Job { retries: 5, retry_backoff, placement, ..job("a", "0 * * * * *") };
    let mut desk = Desk::with([one]);
    check(&desk.decide("00:01:00"), &["00:01:00 start n1 -> 00:02:00"]);
    desk.nodes = vec![node("n0"), node("n1"), node("n2")];
    desk.finish("a", ExecutionState::Failed);

    check(&desk.decide("00:01:05"), &["00:01:05 start n1 -> never"]);
    desk.finish("a", ExecutionState::Failed);
    desk.nodes = vec![node("n2")];
    check(&desk.decide("00:01:10"), &["00:01:10 start n2 -> never"]);
    desk.finish("a", ExecutionState::Failed);
    desk.nodes.clear();

    let plan = desk.plan("00:01:15");
    let until = at("00:01:15").saturating_add(RETRY_NODE_WAIT_MAX);
    assert_eq!(plan.waiting[0].until, until);
    let skip = "00:01:15 skip 1 to 00:01:15 NoCapableNode -> never";
    let fires = desk.plan("00:02:15").fires;
    assert_eq!(line(&fires[0]), skip);
}

#[test]
fn two_shares_of_a_fire_never_move_to_one_node() {
    let retry_backoff = RetryBackoff::Fixed { delay: S };
    let mut two = Job { retries: 1, retry_backoff, ..job("a", "0 * * * * *") };
    two.tags.insert("region".to_owned(), "global:2".to_owned());
    let mut desk = Desk::new();
    desk.nodes = vec![node("n1"), node("n2")];
    desk.set(two);
    desk.decide("00:01:00");
    desk.finish("a", ExecutionState::Lost);
    desk.nodes = vec![node("n3")];

    let plan = desk.plan("00:01:01");

    check(&plan.fires, &["00:01:01 start n3 -> never"]);
    assert_eq!(plan.waiting.len(), 1);
}

#[test]
fn a_retry_yields_to_another_fire_of_a_forbidding_job() {
    let retry_backoff = RetryBackoff::Fixed { delay: S * 90 };
    let concurrency = ConcurrencyPolicy::Forbid;
    let mut desk =
        Desk::with([Job { retries: 1, retry_backoff, concurrency, ..job("a", "0 * * * * *") }]);
    desk.decide("00:01:00");
    desk.finish("a", ExecutionState::Failed);
    check(&desk.decide("00:02:00"), &["00:02:00 start n1 -> 00:03:00"]);

    check(&desk.decide("00:02:30"), &["00:02:30 skip 1 to 00:02:30 Forbidden -> never"]);
}

#[test]
fn a_retry_of_a_disabled_job_is_skipped() {
    let retry_backoff = RetryBackoff::Fixed { delay: S * 5 };
    let mut desk = Desk::with([Job { retries: 1, retry_backoff, ..job("a", "0 * * * * *") }]);
    desk.decide("00:01:00");
    desk.finish("a", ExecutionState::Failed);
    desk.disable("a");

    check(&desk.decide("00:01:05"), &["00:01:05 skip 1 to 00:01:05 Disabled -> never"]);
}

#[test]
fn a_dependent_run_starts_like_any_fire_of_its_job() {
    let parent_job = Some(name("parent"));
    let child = |name, disabled| Job { parent_job: parent_job.clone(), disabled, ..job(name, "") };
    let mut desk =
        Desk::with([job("parent", "0 * * * * *"), child("on", false), child("off", true)]);
    desk.decide("00:01:00");
    desk.finish("parent", ExecutionState::Succeeded);

    let fires = desk.decide("00:01:00");

    let mut lines: Vec<_> =
        fires.iter().map(|fire| format!("{} {}", fire.job, line(fire))).collect();
    lines.sort_unstable();
    let off = "off 00:01:00 skip 1 to 00:01:00 Disabled -> never";
    assert_eq!(lines, [off, "on 00:01:00 start n1 -> never"]);
    let on = fires.iter().find(|fire| fire.job == name("on")).unwrap();
    let kind = &on.due.as_ref().unwrap().kind;
    assert!(matches!(kind, DueKind::Dependent { parent, .. } if *parent == name("parent")));
}

#[test]
fn dependent_runs_start_together() {
    let parent_job = Some(name("parent"));
    let child = |text| Job { parent_job: parent_job.clone(), ..job(text, "") };
    let mut desk = Desk::with([job("parent", "0 * * * * *"), child("b"), child("a")]);
    desk.decide("00:01:00");
    desk.finish("parent", ExecutionState::Succeeded);

    check(&desk.decide("00:01:00"), &["00:01:00 start n1 -> never"; 2]);
}

#[test]
fn a_dependent_run_is_checked_like_any_fire_of_its_job() {
    let parent_job = Some(name("parent"));
    let child = Job { parent_job: parent_job.clone(), ..job("child", "") };
    let early = Job { starts_at: Some(at("01:00:00")), ..child.clone() };
    let late = Job { expires_at: Some(at("00:00:30")), ..child.clone() };
    let alone = Job { concurrency: ConcurrencyPolicy::Forbid, ..child.clone() };
    for (child, want) in [
        (child, "start n1 -> never"),
        (early, "skip 1 to 00:01:00 NotStarted -> never"),
        (late, "skip 1 to 00:01:00 Expired -> never"),
        (alone, "skip 1 to 00:01:00 Forbidden -> never"),
    ] {
        let mut desk = Desk::with([job("parent", "0 * * * * *"), child]);
        desk.now = at("00:00:50");
        let under_way = desk.plan_run("child", true).unwrap();
        desk.apply([Command::Fire(under_way)]);
        desk.decide("00:01:00");
        desk.finish("parent", ExecutionState::Succeeded);

        check(&desk.decide("00:01:00"), &[&format!("00:01:00 {want}")]);
    }
}

#[test]
fn causes_of_fires_are_told_apart() {
    // A run by hand at the very instant of the schedule is another fire.
    let concurrency = ConcurrencyPolicy::Forbid;
    let mut desk = Desk::with([Job { concurrency, ..job("a", "0 * * * * *") }]);
    desk.now = at("00:01:00");
    let fire = desk.plan_run("a", false).unwrap();
    let (_, events) = desk.apply([Command::Fire(fire)]);
    assert!(matches!(&events[0], Event::Claimed(claim) if claim.execution.cause == Cause::Manual));

    check(&desk.decide("00:01:00"), &["00:01:00 skip 1 to 00:01:00 Forbidden -> 00:02:00"]);
}

#[test]
fn a_run_by_hand_is_refused_while_as_many_executions_run_as_may() {
    let mut desk = Desk::with([job("a", "@manually")]);
    // How many there are is all that counts.
    let add = |desk: &mut Desk, key: &[u8]| desk.tables.put(Table::Running, key, b"").unwrap();
    for number in 1..RUNS_MAX {
        add(&mut desk, &[b"b\0", &number.to_be_bytes()[..]].concat());
    }
    assert!(desk.plan_run("a", true).is_ok());

    add(&mut desk, b"c");
    let refused = desk.plan_run("a", true);

    assert_eq!(refused, Err(ManualRunError::Overloaded { job: name("a"), runs_max: RUNS_MAX }));
}
