//! Where plans are tried out: tables, living nodes and a leader, and plans in words.

use std::time::Duration;

use super::{
    Circumstances, ManualRun, ManualRunError, Plan, Schedules, WaitingRows, first_due, plan_due,
    plan_manual,
};
use crate::kernel::model::{ExecutionState, Job, JobName, NodeName, NodeView};
use crate::kernel::state::{
    Command, Entry, Envelope, Event, Fire, JobWrite, MemoryTables, Outcome, Report, StoredOutput,
    Verdict, apply, query,
};
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::FIRES_PER_ROUND_MAX;

pub(super) const S: Duration = Duration::from_secs(1);

pub(super) fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2030-01-01T{text}Z")).unwrap()
}

pub(super) fn job(text: &str, schedule: &str) -> Job {
    Job { schedule: schedule.to_owned(), ..Job::new(name(text)) }
}

pub(super) fn node(text: &str) -> NodeView {
    let tags = [("region", "global"), ("name", text)];
    NodeView {
        name: NodeName::parse(text).unwrap(),
        instance: 1,
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        handlers: Default::default(),
    }
}

/// Tables, the living nodes, and a leader that has been watching since midnight.
pub(super) struct Desk {
    pub(super) tables: MemoryTables,
    pub(super) nodes: Vec<NodeView>,
    pub(super) schedules: Schedules,
    pub(super) waiting: WaitingRows,
    pub(super) watch_start: Timestamp,
    pub(super) now: Timestamp,
    pub(super) ahead: Duration,
    pub(super) decisions_max: usize,
    pub(super) seed: u64,
}

impl Desk {
    pub(super) fn new() -> Self {
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

    pub(super) fn with(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut desk = Self::new();
        for job in jobs {
            desk.set(job);
        }
        desk
    }

    pub(super) fn set(&mut self, job: Job) {
        let first = first_due(&job, self.now, Zone::UTC).unwrap();
        self.write(job, first);
    }

    pub(super) fn write(&mut self, job: Job, first: Option<Timestamp>) {
        let write = JobWrite::new(job, first);
        let outcome = self.apply([Command::SetJob(Box::new(write))]).0.remove(0);
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }

    pub(super) fn apply(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
    ) -> (Vec<Outcome>, Vec<Event>) {
        let envelope = |command| Envelope { request: None, command };
        let entry = Entry { at: self.now, commands: commands.into_iter().map(envelope).collect() };
        let mut events = Vec::new();
        (apply(&mut self.tables, &entry, &mut events).unwrap(), events)
    }

    pub(super) fn plan(&mut self, now: &str) -> Plan {
        self.now = at(now);
        let circumstances = Circumstances {
            nodes: &self.nodes,
            region: "global",
            watch_start: self.watch_start,
            now: self.now,
            passed: self.now,
            horizon: self.now.saturating_add(self.ahead),
            seed: self.seed,
            decisions_max: self.decisions_max,
        };
        plan_due(&self.tables, &mut self.schedules, &circumstances, &self.waiting).unwrap()
    }

    /// Plans and applies; all of it must be accepted.
    pub(super) fn decide(&mut self, now: &str) -> Vec<Fire> {
        let plan = self.plan(now);
        let commands = plan.fires.iter().map(|fire| Command::Fire(fire.clone()));
        let (outcomes, _) = self.apply(commands);
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected(_));
        assert!(!outcomes.iter().any(refused), "{outcomes:?}");
        plan.fires
    }

    /// Disables a job.
    pub(super) fn disable(&mut self, job: &str) {
        let job = name(job);
        let revision = query::revision(&self.tables, &job).unwrap();
        let (first, overdue) = (None, None);
        self.apply([Command::SetDisabled { job, revision, disabled: true, first, overdue }]);
    }

    /// Plans a run by hand.
    pub(super) fn plan_run(&self, job: &str, is_forced: bool) -> Result<Fire, ManualRunError> {
        let run = ManualRun {
            job: &name(job),
            now: self.now,
            nodes: &self.nodes,
            region: "global",
            seed: self.seed,
            is_forced,
        };
        plan_manual(&self.tables, &run)
    }

    /// Ends the running executions of a job.
    pub(super) fn finish(&mut self, job: &str, state: ExecutionState) {
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
            self.apply([Command::Finish(report)]);
        }
    }
}

/// What a decision says, in a line: `00:01:00 start n1 -> 00:02:00`.
pub(super) fn line(fire: &Fire) -> String {
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
pub(super) fn check(fires: &[Fire], want: &[&str]) {
    let lines: Vec<_> = fires.iter().map(line).collect();
    assert_eq!(lines, want);
}
