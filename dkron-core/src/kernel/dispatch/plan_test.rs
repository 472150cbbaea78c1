//! One test for each rule and each reason of a plan: what it decides, and that `apply` takes it.

use std::time::Duration;

use super::*;
use crate::kernel::model::{
    CatchUpPolicy, Cause, ConcurrencyPolicy, ExecutionId, ExecutionState, Job, JobName, NodeName,
    NodeView, PlacementPolicy, RetryBackoff, SkipReason,
};
use crate::kernel::state::{
    Command, DueKind, Entry, Envelope, Event, Fire, JobWrite, MemoryTables, Outcome, Rejection,
    Report, StoredOutput, TableError, Verdict, apply, query,
};
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::{FIRES_PER_ROUND_MAX, NODES_RETURN_MAX, RETRY_NODE_WAIT_MAX};

const S: Duration = Duration::from_secs(1);

fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2030-01-01T{text}Z")).unwrap()
}

fn job(text: &str, schedule: &str) -> Job {
    Job { schedule: schedule.to_owned(), ..Job::new(name(text)) }
}

fn node(text: &str) -> NodeView {
    let tags = [("region", "global"), ("name", text)];
    NodeView {
        name: NodeName::parse(text).unwrap(),
        instance: 1,
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        handlers: Default::default(),
    }
}

/// Tables, the living nodes, and a leader that has been watching since midnight.
struct Desk {
    tables: MemoryTables,
    nodes: Vec<NodeView>,
    schedules: Schedules,
    waiting: WaitingRows,
    watch_start: Timestamp,
    now: Timestamp,
    ahead: Duration,
    decisions_max: usize,
    seed: u64,
}

impl Desk {
    fn new() -> Self {
        Self {
            tables: MemoryTables::new(),
            nodes: vec![node("n1")],
            schedules: Schedules::new(Zone::UTC),
            waiting: WaitingRows::default(),
            watch_start: at("00:00:00"),
            now: at("00:00:00"),
            ahead: Duration::ZERO,
            decisions_max: FIRES_PER_ROUND_MAX,
            seed: 7,
        }
    }

    fn with(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut desk = Self::new();
        for job in jobs {
            desk.set(job);
        }
        desk
    }

    fn set(&mut self, job: Job) {
        let first = first_due(&job, self.now, Zone::UTC).unwrap();
        self.write(job, first);
    }

    fn write(&mut self, job: Job, first: Option<Timestamp>) {
        let write = JobWrite { job, first, overdue: None, if_revision: None, restored: None };
        let outcome = self.apply([Command::SetJob(Box::new(write))]).0.remove(0);
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }

    fn apply(&mut self, commands: impl IntoIterator<Item = Command>) -> (Vec<Outcome>, Vec<Event>) {
        let envelope = |command| Envelope { request: None, command };
        let entry = Entry { at: self.now, commands: commands.into_iter().map(envelope).collect() };
        let mut events = Vec::new();
        (apply(&mut self.tables, &entry, &mut events).unwrap(), events)
    }

    fn plan(&mut self, now: &str) -> Plan {
        self.now = at(now);
        let circumstances = Circumstances {
            nodes: &self.nodes,
            region: "global",
            watch_start: self.watch_start,
            now: self.now,
            horizon: self.now.saturating_add(self.ahead),
            seed: self.seed,
            decisions_max: self.decisions_max,
        };
        plan_due(&self.tables, &mut self.schedules, &circumstances, &self.waiting).unwrap()
    }

    /// Plans and applies; all of it must be accepted.
    fn decide(&mut self, now: &str) -> Vec<Fire> {
        let plan = self.plan(now);
        let commands = plan.fires.iter().map(|fire| Command::Fire(Box::new(fire.clone())));
        let (outcomes, _) = self.apply(commands);
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected(_));
        assert!(!outcomes.iter().any(refused), "{outcomes:?}");
        plan.fires
    }

    /// Ends the running executions of a job.
    fn finish(&mut self, job: &str, state: ExecutionState) {
        for execution in query::running(&self.tables, Some(&name(job)), 100).unwrap() {
            let report = Report {
                job: execution.job,
                execution: execution.id,
                token: execution.token,
                started_at: Some(execution.started_at),
                finished_at: self.now,
                state,
                output: StoredOutput::default(),
            };
            self.apply([Command::Finish(Box::new(report))]);
        }
    }
}

/// What a decision says, in a line: `00:01:00 start n1 -> 00:02:00`.
fn line(fire: &Fire) -> String {
    let time = |instant: Timestamp| instant.to_string().replace("2030-01-01T", "").replace('Z', "");
    let next = fire.next.map_or("never".to_owned(), time);
    let what = match &fire.verdict {
        Verdict::Start { targets } => {
            let nodes: Vec<_> = targets.iter().map(|target| target.node.as_str()).collect();
            format!("start {}", nodes.join("+"))
        }
        Verdict::Skip { last, fires, reason } => {
            let reason = format!("{reason:?}");
            let reason = reason.split([' ', '{']).next().unwrap();
            format!("skip {fires} to {} {reason}", time(*last))
        }
    };
    format!("{} {what} -> {next}", time(fire.at))
}

#[track_caller]
fn check(fires: &[Fire], want: &[&str]) {
    let lines: Vec<_> = fires.iter().map(line).collect();
    assert_eq!(lines, want);
}

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
    let revision = query::revision(&desk.tables, &name("a")).unwrap();
    desk.apply([Command::SetDisabled {
        job: name("a"),
        revision,
        disabled: true,
        first: None,
        overdue: None,
    }]);

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
fn missed_fires_are_one_skip_and_then_what_the_policy_starts() {
    let all = CatchUpPolicy::All { fires_max: 2 };
    for (catch_up, want) in [
        (CatchUpPolicy::None, &["00:01:00 skip 5 to 00:05:00 CaughtUp -> 00:06:00"][..]),
        (
            CatchUpPolicy::Latest,
            &["00:01:00 skip 4 to 00:04:00 CaughtUp -> 00:05:00", "00:05:00 start n1 -> 00:06:00"],
        ),
        (
            all,
            &[
                "00:01:00 skip 3 to 00:03:00 CaughtUp -> 00:04:00",
                "00:04:00 start n1 -> 00:05:00",
                "00:05:00 start n1 -> 00:06:00",
            ],
        ),
    ] {
        let mut desk = Desk::with([Job { catch_up, ..job("a", "0 * * * * *") }]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), want);
        check(&desk.decide("00:06:00"), &["00:06:00 start n1 -> 00:07:00"]);
    }
}

#[test]
fn a_catch_up_larger_than_a_plan_is_continued_by_the_next() {
    let catch_up = CatchUpPolicy::All { fires_max: 4 };
    let mut desk = Desk::with([Job { catch_up, ..job("a", "0 * * * * *") }]);
    desk.watch_start = at("00:10:30");
    desk.decisions_max = 2;

    let skip = "00:01:00 skip 6 to 00:06:00 CaughtUp -> 00:07:00";
    check(&desk.decide("00:10:31"), &[skip, "00:07:00 start n1 -> 00:08:00"]);
    let two = ["00:08:00 start n1 -> 00:09:00", "00:09:00 start n1 -> 00:10:00"];
    check(&desk.decide("00:10:31"), &two);
    check(&desk.decide("00:10:31"), &["00:10:00 start n1 -> 00:11:00"]);
}

#[test]
fn a_single_date_is_caught_up_like_any_other_fire() {
    let date = "@at 2030-01-01T00:01:00Z";
    for (catch_up, want) in [
        (CatchUpPolicy::None, "00:01:00 skip 1 to 00:01:00 CaughtUp -> never"),
        (CatchUpPolicy::Latest, "00:01:00 start n1 -> never"),
    ] {
        let mut desk = Desk::with([Job { catch_up, ..job("a", date) }]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), &[want]);
    }
}

#[test]
fn a_missed_date_with_a_grace_period_starts_within_it() {
    for (grace, want) in [
        ("PT4M30S", "00:01:00 start n1 -> never"),
        ("PT4M29.9S", "00:01:00 skip 1 to 00:01:00 CaughtUp -> never"),
        ("P1D", "00:01:00 start n1 -> never"),
    ] {
        let mut desk = Desk::with([job("a", &format!("@after 2030-01-01T00:01:00Z <{grace}"))]);
        desk.watch_start = at("00:05:30");
        check(&desk.decide("00:05:31"), &[want]);
        check(&desk.decide("00:05:32"), &[]);
    }
}

#[test]
fn the_newest_missed_fire_starts_within_the_time_of_a_restart() {
    for (watch_start, want) in [
        ("00:01:10", "00:01:00 start n1 -> 00:02:00"),
        ("00:01:10.1", "00:01:00 skip 1 to 00:01:00 CaughtUp -> 00:02:00"),
    ] {
        let mut desk = Desk::with([job("a", "0 * * * * *")]);
        desk.watch_start = at(watch_start);
        // How late the plan itself comes does not matter.
        check(&desk.decide("00:01:50"), &[want]);
    }
}

#[test]
fn what_is_found_too_late_is_skipped_whoever_watched() {
    let misfire_deadline = Some(S * 30);
    let mut desk = Desk::with([Job { misfire_deadline, ..job("a", "*/20 * * * * *") }]);

    check(
        &desk.decide("00:01:25"),
        &[
            "00:00:20 skip 2 to 00:00:40 TooLate -> 00:01:00",
            "00:01:00 start n1 -> 00:01:20",
            "00:01:20 start n1 -> 00:01:40",
        ],
    );
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
fn an_instant_that_was_decided_before_is_not_decided_again() {
    let mut desk = Desk::with([job("a", "0 * * * * *")]);
    desk.now = at("00:05:00");
    desk.decide("00:05:00");
    // The clock goes back, and the job is written anew: its bounds, not its schedule.
    let starts_at = Some(at("00:00:00"));
    desk.write(Job { starts_at, ..job("a", "0 * * * * *") }, Some(at("00:03:00")));

    check(
        &desk.decide("00:06:00"),
        &[
            "00:03:00 skip 3 to 00:05:00 AlreadyDecided -> 00:06:00",
            "00:06:00 start n1 -> 00:07:00",
        ],
    );
}

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
    let revision = query::revision(&desk.tables, &name("a")).unwrap();
    desk.apply([Command::SetDisabled {
        job: name("a"),
        revision,
        disabled: true,
        first: None,
        overdue: None,
    }]);

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
        let run = ManualRun {
            job: &name("child"),
            now: desk.now,
            nodes: &desk.nodes,
            region: "global",
            seed: 1,
            is_forced: true,
        };
        let under_way = plan_manual(&desk.tables, &run).unwrap();
        desk.apply([Command::Fire(Box::new(under_way))]);
        desk.decide("00:01:00");
        desk.finish("parent", ExecutionState::Succeeded);

        check(&desk.decide("00:01:00"), &[&format!("00:01:00 {want}")]);
    }
}

#[test]
fn a_plan_for_another_state_is_refused_by_apply() {
    let mut desk = Desk::with([job("a", "* * * * * *")]);
    let stale = desk.plan("00:00:03").fires;
    assert_eq!(stale.len(), 3);
    let commands = || stale.iter().map(|fire| Command::Fire(Box::new(fire.clone())));

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
    let plan = |job: &str, nodes: &[NodeView]| {
        let job = &name(job);
        let now = at("00:30:00");
        let run = ManualRun { job, now, nodes, region: "global", seed: 1, is_forced: true };
        plan_manual(&desk.tables, &run)
    };

    for job in ["on", "child", "expired"] {
        let fire = plan(job, &desk.nodes).unwrap();
        assert_eq!((fire.due, fire.is_forced, fire.at), (None, true, at("00:30:00")), "{job}");
    }
    let error = |job: &str, nodes: &[NodeView]| plan(job, nodes).unwrap_err().to_string();
    assert_eq!(error("off", &desk.nodes), "job \"off\" is disabled");
    assert_eq!(error("none", &desk.nodes), "job \"none\" not found");
    assert_eq!(error("on", &[]), "no target nodes found to run job on: tag region=global");
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
        horizon: at("00:01:00"),
        seed: 1,
        decisions_max: 1,
    };
    let plan = plan_due(&desk.tables, &mut desk.schedules, &circumstances, &desk.waiting);
    assert!(matches!(plan, Err(TableError::Corrupt { table: "jobs", .. })), "{plan:?}");
}

#[test]
fn causes_of_fires_are_told_apart() {
    // A run by hand at the very instant of the schedule is another fire.
    let concurrency = ConcurrencyPolicy::Forbid;
    let mut desk = Desk::with([Job { concurrency, ..job("a", "0 * * * * *") }]);
    desk.now = at("00:01:00");
    let run = ManualRun {
        job: &name("a"),
        now: desk.now,
        nodes: &desk.nodes,
        region: "global",
        seed: 1,
        is_forced: false,
    };
    let fire = plan_manual(&desk.tables, &run).unwrap();
    let (_, events) = desk.apply([Command::Fire(Box::new(fire))]);
    assert!(matches!(&events[0], Event::Claimed(claim) if claim.execution.cause == Cause::Manual));

    check(&desk.decide("00:01:00"), &["00:01:00 skip 1 to 00:01:00 Forbidden -> 00:02:00"]);
}
