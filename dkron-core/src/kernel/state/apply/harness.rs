//! A small world for the tests of `apply`: tables, a clock, and short ways to say what happens.

use std::time::Duration;

use super::apply;
use crate::kernel::model::{
    Execution, ExecutionId, ExecutionState, Job, JobName, JobStatus, NodeName, RunStatus,
    SkipReason,
};
use crate::kernel::state::{
    Command, DueKind, DueRow, Entry, Envelope, Event, Fire, JobWrite, MemoryTables, Order, Outcome,
    Rejection, Report, StoredOutput, Table, Tables, Target, Verdict, query,
};
use crate::kernel::time::Timestamp;

pub(in super::super) fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

pub(in super::super) fn node(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

/// An instant so many seconds after 2026-01-01.
pub(in super::super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(1_767_225_600 + seconds).unwrap()
}

/// A job that is scheduled each minute.
pub(in super::super) fn job(text: &str) -> Job {
    Job { schedule: "@every 1m".to_owned(), executor: "shell".to_owned(), ..Job::new(name(text)) }
}

pub(in super::super) fn child(text: &str, parent: &str) -> Job {
    Job { parent_job: Some(name(parent)), ..Job::new(name(text)) }
}

/// Tables with a clock.
pub(in super::super) struct World {
    pub(in super::super) tables: MemoryTables,
    pub(in super::super) now: Timestamp,
    pub(in super::super) events: Vec<Event>,
}

impl World {
    pub(in super::super) fn new() -> Self {
        Self { tables: MemoryTables::new(), now: at(0), events: Vec::new() }
    }

    /// Carries out one command; `events` holds what it made known.
    pub(in super::super) fn run(&mut self, command: Command) -> Outcome {
        self.events.clear();
        let commands = vec![Envelope { request: None, command }];
        let entry = Entry { at: self.now, commands };
        let mut outcomes = apply(&mut self.tables, &entry, &mut self.events).unwrap();
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    /// Writes a job that is due first a minute from now.
    pub(in super::super) fn set(&mut self, job: Job) -> u64 {
        let first = self.now.saturating_add(Duration::from_secs(60));
        match self.run(Command::SetJob(Box::new(JobWrite::new(job, Some(first))))) {
            Outcome::Written { revision } => revision,
            other => panic!("{other:?}"),
        }
    }

    pub(in super::super) fn refused(&mut self, command: Command) -> Rejection {
        let before = self.tables.clone();
        match self.run(command) {
            Outcome::Rejected(why) => {
                assert_eq!(self.tables, before, "a rejected command changes nothing");
                assert_eq!(self.events, [], "a rejected command makes nothing known");
                why
            }
            other => panic!("{other:?}"),
        }
    }

    pub(in super::super) fn status(&self, job: &str) -> JobStatus {
        query::status(&self.tables, &name(job)).unwrap().unwrap()
    }

    /// Status of the last run, successes, errors.
    pub(in super::super) fn counts(&self, job: &str) -> (RunStatus, u32, u32) {
        let status = self.status(job);
        (status.status, status.success_count, status.error_count)
    }

    pub(in super::super) fn has(&self, job: &str) -> bool {
        query::job(&self.tables, &name(job)).unwrap().is_some()
    }

    pub(in super::super) fn executions(&self, job: &str) -> Vec<Execution> {
        let part = query::Part { order: Order::Ascending, skip: 0, limit: 10_000 };
        query::executions_page(&self.tables, &name(job), part).unwrap().items
    }

    /// Names of the tables that hold rows of some job.
    pub(in super::super) fn left_over(&self) -> Vec<&'static str> {
        let of_jobs = |table: &Table| !matches!(table, Table::Meta | Table::Stats);
        let is_used = |table: &Table| self.tables.len(*table) != Ok(0);
        Table::ALL.into_iter().filter(of_jobs).filter(is_used).map(Table::as_str).collect()
    }

    /// All due rows: instant, job, kind.
    pub(in super::super) fn due(&self) -> Vec<DueRow> {
        query::due_rows(&self.tables, None, Timestamp::MAX, usize::MAX).unwrap()
    }

    pub(in super::super) fn due_of(&self, job: &str) -> Vec<DueRow> {
        self.due().into_iter().filter(|row| row.job == name(job)).collect()
    }

    /// The decision to start what `row` says on `nodes`; the schedule is due next a minute later.
    pub(in super::super) fn start_of(&self, row: &DueRow, nodes: &[&str]) -> Fire {
        Fire {
            job: row.job.clone(),
            revision: query::revision(&self.tables, &row.job).unwrap(),
            due: Some(row.clone()),
            at: row.at,
            next: Some(row.at.saturating_add(Duration::from_secs(60))),
            is_forced: false,
            verdict: Verdict::Start { targets: targets(nodes).into() },
        }
    }

    /// Starts the first due row of a job on `nodes`.
    pub(in super::super) fn start(&mut self, job: &str, nodes: &[&str]) -> Vec<ExecutionId> {
        let row = self.due_of(job).remove(0);
        self.claimed(self.start_of(&row, nodes))
    }

    pub(in super::super) fn manual_of(&self, job: &str, nodes: &[&str]) -> Fire {
        Fire {
            job: name(job),
            revision: query::revision(&self.tables, &name(job)).unwrap(),
            due: None,
            at: self.now,
            next: None,
            is_forced: true,
            verdict: Verdict::Start { targets: targets(nodes).into() },
        }
    }

    /// Runs a job by hand.
    pub(in super::super) fn start_manual(&mut self, job: &str, nodes: &[&str]) -> Vec<ExecutionId> {
        self.claimed(self.manual_of(job, nodes))
    }

    pub(in super::super) fn claimed(&mut self, fire: Fire) -> Vec<ExecutionId> {
        match self.run(Command::Fire(fire)) {
            Outcome::Claimed { executions } => executions.into(),
            other => panic!("{other:?}"),
        }
    }

    /// Skips the first due row of a job.
    pub(in super::super) fn skip(&mut self, job: &str, reason: SkipReason) -> Outcome {
        let row = self.due_of(job).remove(0);
        let mut fire = self.start_of(&row, &[]);
        fire.verdict = Verdict::Skip { last: row.at, fires: 1, reason };
        self.run(Command::Fire(fire))
    }

    pub(in super::super) fn report(
        &self,
        job: &str,
        id: &ExecutionId,
        state: ExecutionState,
    ) -> Report {
        let execution = query::execution(&self.tables, &name(job), id).unwrap();
        Report {
            job: name(job),
            execution: id.clone(),
            token: execution.map_or(0, |execution| execution.token),
            started_at: Some(self.now),
            finished_at: self.now,
            state,
            output: StoredOutput::default(),
        }
    }

    /// Ends an execution now.
    pub(in super::super) fn finish(&mut self, job: &str, id: &ExecutionId, state: ExecutionState) {
        let report = self.report(job, id, state);
        assert_eq!(self.run(Command::Finish(report)), Outcome::Done);
    }
}

fn targets(nodes: &[&str]) -> Vec<Target> {
    nodes.iter().map(|text| Target { node: node(text), instance: 1 }).collect()
}

/// The kinds of some due rows, in words.
pub(in super::super) fn kinds(rows: &[DueRow]) -> Vec<&'static str> {
    let word = |row: &DueRow| match row.kind {
        DueKind::Schedule => "schedule",
        DueKind::Retry { .. } => "retry",
        DueKind::Dependent { .. } => "dependent",
    };
    rows.iter().map(word).collect()
}
