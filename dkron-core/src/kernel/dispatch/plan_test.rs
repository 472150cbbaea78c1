//! One test for each rule and each reason of a plan: what it decides, and that `apply` takes it.

use super::desk::{Desk, S, at, check, job, line, name, node};
use super::{Circumstances, Plan, plan_due};
use crate::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, ExecutionId, ExecutionState, Job, NodeName, SkipReason,
};
use crate::kernel::state::{Command, Outcome, Rejection, TableError, Verdict, query};
use crate::limits::NODES_RETURN_MAX;

#[test]
fn what_is_due_starts_and_the_phase_holds() {
    let mut desk = Desk::with([job("a", "@every 7s"), job("b", "*/5 * * * * *")]);

    check(&desk.decide("00:00:04.9"), &[]);
    check(&desk.decide("00:00:06"), &["00:00:05 start n1 -> 00:00:10"]);
    // Late, but not missed: next counts from the instant, not from now.
    check(&desk.decide("00:00:08.3"), &["00:00:07 start n1 -> 00:00:14"]);
}

#[test]
fn a_horizon_looks_ahead_and_a_chain_runs_up_to_it() {
    let mut desk = Desk::with([job("a", "* * * * * *")]);
    desk.ahead = S * 2;

    check(
        &desk.decide("00:00:01.5"),
        &[
            "00:00:01 start n1 -> 00:00:02",
            "00:00:02 start n1 -> 00:00:03",
            "00:00:03 start n1 -> 00:00:04",
        ],
    );
    check(&desk.decide("00:00:01.9"), &[]);
}

#[test]
fn a_plan_ends_at_its_size_and_the_next_goes_on() {
    let mut desk = Desk::with([job("a", "* * * * * *"), job("b", "* * * * * *")]);
    desk.decisions_max = 3;

    assert_eq!(desk.decide("00:00:02").len(), 3);
    assert_eq!(desk.decide("00:00:02").len(), 1);
    assert_eq!(desk.decide("00:00:02").len(), 0);
}

#[test]
fn a_disabled_job_is_not_due() {
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.disable("a");

    check(&desk.decide("00:01:00"), &[]);
}

#[test]
fn before_starts_at_one_instant_is_skipped_and_the_rest_passed_over() {
    let mut desk = Desk::new();
    let starts_at = Some(at("00:10:00"));
    desk.write(Job { starts_at, ..job("a", "0 * * * * *") }, Some(at("00:01:00")));

    check(&desk.decide("00:01:00"), &["00:01:00 skip 1 to 00:01:00 NotStarted -> 00:10:00"]);
    check(&desk.decide("00:10:00"), &["00:10:00 start n1 -> 00:11:00"]);
}

#[test]
fn after_expires_at_nothing_is_due() {
    let mut desk = Desk::new();
    let expires_at = Some(at("00:01:00"));
    desk.set(Job { expires_at, ..job("a", "0 * * * * *") });
    desk.write(Job { expires_at, ..job("b", "0 * * * * *") }, Some(at("00:02:00")));

    check(&desk.decide("00:01:00"), &["00:01:00 start n1 -> never"]);
    check(&desk.decide("00:02:00"), &["00:02:00 skip 1 to 00:02:00 Expired -> never"]);
    let expired = query::job(&desk.tables, &name("a")).unwrap().unwrap();
    assert!(!expired.job.disabled, "it stays, and stays enabled");
}

#[test]
fn the_bounds_go_before_an_overlap_among_the_reasons() {
    for (starts_at, expires_at, want) in [
        (Some(at("00:05:00")), None, "00:02:00 skip 1 to 00:02:00 NotStarted -> 00:05:00"),
        (None, Some(at("00:01:30")), "00:02:00 skip 1 to 00:02:00 Expired -> never"),
        (None, None, "00:02:00 skip 1 to 00:02:00 Forbidden -> 00:03:00"),
    ] {
        let concurrency = ConcurrencyPolicy::Forbid;
        let forbidding = Job { concurrency, ..job("a", "0 * * * * *") };
        let mut desk = Desk::with([forbidding.clone()]);
        desk.decide("00:01:00");
        desk.write(Job { starts_at, expires_at, ..forbidding }, Some(at("00:02:00")));
        check(&desk.decide("00:02:00"), &[want]);
    }
}

#[test]
fn a_pause_of_the_cluster_stops_no_fire() {
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.apply([Command::SetPaused { paused: true }]);

    check(&desk.decide("00:01:00"), &["00:01:00 start n1 -> 00:02:00"]);
}

#[test]
fn a_forbidden_overlap_waits_for_its_instant_and_is_skipped_then() {
    let concurrency = ConcurrencyPolicy::Forbid;
    let mut desk = Desk::with([Job { concurrency, ..job("a", "0 * * * * *") }]);
    check(&desk.decide("00:01:00"), &["00:01:00 start n1 -> 00:02:00"]);
    desk.ahead = S;

    let plan = desk.plan("00:01:59.5");
    assert_eq!(plan.fires, []);
    assert_eq!(plan.waiting[0].until, at("00:02:00"));
    desk.waiting.add(plan.waiting[0].clone());
    assert_eq!(desk.plan("00:01:59.7"), Plan::default(), "nobody looks at it again");

    let fires = desk.decide("00:02:00");
    check(&fires, &["00:02:00 skip 1 to 00:02:00 Forbidden -> 00:03:00"]);
    let due_ns = at("00:01:00").as_unix_ns() as u64;
    let running = ExecutionId { due_ns, node: NodeName::parse("n1").unwrap() };
    let Verdict::Skip { reason, .. } = &fires[0].verdict else { panic!() };
    assert_eq!(*reason, SkipReason::Forbidden { running });
}

#[test]
fn of_several_fires_in_one_plan_a_forbidding_job_starts_the_first() {
    let concurrency = ConcurrencyPolicy::Forbid;
    let catch_up = CatchUpPolicy::All { fires_max: 10 };
    let mut desk = Desk::with([Job { concurrency, catch_up, ..job("a", "0 * * * * *") }]);
    desk.watch_start = at("00:05:30");

    check(
        &desk.decide("00:05:31"),
        &["00:01:00 start n1 -> 00:02:00", "00:02:00 skip 4 to 00:05:00 Forbidden -> 00:06:00"],
    );
    desk.finish("a", ExecutionState::Succeeded);
    check(&desk.decide("00:06:00"), &["00:06:00 start n1 -> 00:07:00"]);
}

#[test]
fn no_capable_node_is_a_reason_at_the_instant_and_after_a_start_not_before_nodes_can_be_back() {
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.nodes.clear();
    desk.ahead = S;
    assert_eq!(desk.plan("00:00:59.5").waiting[0].until, at("00:01:00"));
    check(&desk.decide("00:01:00"), &["00:01:00 skip 1 to 00:01:00 NoCapableNode -> 00:02:00"]);

    desk.watch_start = at("00:01:59");
    let until = desk.watch_start.saturating_add(NODES_RETURN_MAX);
    assert_eq!(desk.plan("00:02:00").waiting[0].until, until);
    check(&desk.decide("00:02:09"), &["00:02:00 skip 1 to 00:02:00 NoCapableNode -> 00:03:00"]);
}

#[test]
fn a_schedule_that_does_not_parse_stays_due_until_somebody_understands_it() {
    let mut desk = Desk::new();
    desk.write(job("a", "@lunar"), Some(at("00:01:00")));

    let plan = desk.plan("00:01:00");
    check(&plan.fires, &[]);
    assert_eq!(plan.unreadable[0].0, name("a"));
    assert_eq!(plan.waiting[0].until, at("01:01:00"));
    desk.waiting.add(plan.waiting[0].clone());
    assert_eq!(desk.plan("00:59:00"), Plan::default(), "it is not looked at all the time");

    desk.waiting.release_until(at("01:01:00"));
    assert_eq!(desk.plan("01:01:00").unreadable.len(), 1);
}

#[test]
fn a_plan_for_another_state_is_refused_by_apply() {
    let mut desk = Desk::with([job("a", "* * * * * *")]);
    let stale = desk.plan("00:00:03").fires;
    assert_eq!(stale.len(), 3);
    let commands = || stale.iter().map(|fire| Command::Fire(fire.clone()));

    // The same plan twice is applied once.
    desk.apply(commands());
    let refused = Outcome::Rejected(Rejection::FireDecided { job: name("a") });
    assert_eq!(desk.apply(commands()).0, vec![refused; 3]);

    // A chain whose first link is refused is refused as a whole.
    let mut desk = Desk::with([job("a", "* * * * * *")]);
    desk.set(Job { owner: "somebody".to_owned(), ..job("a", "* * * * * *") });
    let outcomes = desk.apply(commands()).0;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))));
}

#[test]
fn equal_circumstances_give_equal_plans_and_seeds_tell_targets_apart() {
    let mut one = job("a", "0 * * * * *");
    one.tags.insert("region".to_owned(), "global:1".to_owned());
    let mut desk = Desk::with([one]);
    desk.nodes = (0..10).map(|number| node(&format!("n{number}"))).collect();
    assert_eq!(desk.plan("00:01:00"), desk.plan("00:01:00"));

    let mut lines = std::collections::BTreeSet::new();
    for seed in 0..50 {
        desk.seed = seed;
        lines.insert(line(&desk.plan("00:01:00").fires[0]));
    }
    assert_eq!(lines.len(), 10);
}

#[test]
fn a_run_by_hand_needs_a_job_that_is_enabled_and_a_node() {
    let mut desk = Desk::with([job("on", "@manually")]);
    desk.write(Job { disabled: true, ..job("off", "@hourly") }, None);
    desk.write(Job { parent_job: Some(name("on")), disabled: true, ..job("child", "") }, None);
    let expires_at = Some(at("00:00:00"));
    desk.write(Job { expires_at, ..job("expired", "@hourly") }, None);
    desk.now = at("00:30:00");

    for job in ["on", "child", "expired"] {
        let fire = desk.plan_run(job, true).unwrap();
        assert_eq!((fire.due, fire.is_forced, fire.at), (None, true, at("00:30:00")), "{job}");
    }
    let error = |desk: &Desk, job: &str| desk.plan_run(job, true).unwrap_err().to_string();
    assert_eq!(error(&desk, "off"), "job \"off\" is disabled");
    assert_eq!(error(&desk, "none"), "job \"none\" not found");
    desk.nodes.clear();
    assert_eq!(error(&desk, "on"), "no target nodes found to run job on: tag region=global");
}

#[test]
fn a_view_that_cannot_be_read_is_an_error() {
    use crate::kernel::state::{Table, TablesMut};
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.tables.put(Table::Jobs, b"a", &[0xFF]).unwrap();
    let circumstances = Circumstances {
        nodes: &desk.nodes,
        region: "global",
        watch_start: desk.watch_start,
        now: at("00:01:00"),
        passed: at("00:01:00"),
        horizon: at("00:01:00"),
        seed: 1,
        decisions_max: 1,
    };
    let plan = plan_due(&desk.tables, &mut desk.schedules, &circumstances, &desk.waiting);
    assert!(matches!(plan, Err(TableError::Corrupt { table: "jobs", .. })), "{plan:?}");
}
