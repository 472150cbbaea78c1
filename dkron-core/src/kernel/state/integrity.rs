//! Is the state consistent with itself? Checks every invariant of the state in one walk over all
//! tables.
//!
//! For tests and the simulator: it reads everything, and keeps a summary of everything in memory.
//!
//! # Where to begin reading
//!
//! [`check_integrity`]; each rule is one function below it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};

use super::codec::{
    Code, Counters, ExecutionRecord, FireProgress, JobRecord, Malformed, OutputRecord, StatusRow,
    decode,
};
use super::invariant::{Invariant, Violation};
use super::{DueKind, DueRow, Order, Table, TableError, Tables, keys, rows};
use crate::kernel::model::{Cause, Execution, Job, JobName};
use crate::kernel::time::Timestamp;
use crate::limits::{PARENT_DEPTH_MAX, REQUEST_IDS_MAX};

/// Returns the rules that do not hold; nothing in a sound state.
///
/// # Errors
///
/// [`TableError`] if the store fails, or a row does not decode.
pub fn check_integrity(tables: &impl Tables) -> Result<Vec<Violation>, TableError> {
    let mut found = Found { content: Content::read(tables)?, violations: Vec::new() };
    found.halves();
    found.schedules();
    found.shadows();
    found.orphans();
    found.counts();
    found.forest();
    found.states();
    found.fires();
    found.numbers(rows::counters(tables)?);
    found.requests();
    Ok(found.violations)
}

/// Everything of the tables that the rules look at.
#[derive(Default)]
struct Content {
    jobs: BTreeMap<JobName, Job>,
    status: BTreeMap<JobName, StatusRow>,
    due: Vec<DueRow>,
    due_keys: BTreeSet<Vec<u8>>,
    pending: BTreeSet<Vec<u8>>,
    fires: BTreeMap<Vec<u8>, u32>,
    running: Vec<Execution>,
    ended: Vec<Execution>,
    outputs_kept: BTreeMap<JobName, u64>,
    /// Length of each output, by key; those that executions claim are taken out again.
    outputs: BTreeMap<Vec<u8>, u64>,
    skips: BTreeMap<JobName, u32>,
    children: BTreeSet<Vec<u8>>,
    declared: BTreeSet<Vec<u8>>,
    deleted: BTreeSet<JobName>,
    requests: BTreeSet<Vec<u8>>,
    request_order: Vec<Vec<u8>>,
}

impl Content {
    fn read(tables: &impl Tables) -> Result<Self, TableError> {
        let mut content = Self::default();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
            let all = (Bound::Unbounded, Bound::Unbounded);
            rows::scan(tables, table, all, Order::Ascending, |key, value| {
                rows::check_row(table, key, value)?;
                content.take(table, key, value)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(content)
    }

    fn take(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match table {
            Table::Meta | Table::Stats => {}
            Table::Jobs => {
                let name = keys::job_name(key)?;
                let job = JobRecord::decode_job(&name, value)?;
                self.jobs.insert(name, job);
            }
            Table::Status => {
                self.status.insert(keys::job_name(key)?, StatusRow::decode(value)?);
            }
            Table::Due => {
                self.due.push(rows::decode_due(key, value)?);
                self.due_keys.insert(key.to_vec());
            }
            Table::Pending => {
                self.pending.insert(keys::due_of_pending(key)?.to_vec());
            }
            Table::Fires => {
                let progress = decode::<FireProgress>(value)?;
                self.fires.insert(key.to_vec(), progress.open);
            }
            Table::Executions => {
                let execution = rows::decode_execution(key, value)?;
                let kept = ExecutionRecord::decode_end(value)?.1;
                *self.outputs_kept.entry(execution.job.clone()).or_default() += kept;
                if kept > 0 {
                    self.outputs.insert(key.to_vec(), kept);
                }
                self.ended.push(execution);
            }
            Table::Running => self.running.push(rows::decode_execution(key, value)?),
            Table::Outputs => {
                let output = decode::<OutputRecord<'_>>(value)?;
                let length = output.to_output().bytes.len() as u64;
                if self.outputs.get(key) == Some(&length) {
                    self.outputs.remove(key);
                } else {
                    self.outputs.insert(key.to_vec(), length);
                }
            }
            Table::Skips => *self.skips.entry(keys::parse_skip(key)?.0).or_default() += 1,
            Table::Children => {
                self.children.insert(key.to_vec());
            }
            Table::Declared => {
                self.declared.insert(key.to_vec());
            }
            Table::Deleted => {
                self.deleted.insert(keys::job_name(key)?);
            }
            Table::Requests if keys::is_request(key) => {
                self.requests.insert(key.to_vec());
            }
            Table::Requests => {
                self.request_order.push(keys::request(keys::parse_request(value)?).to_vec());
            }
        }
        Ok(())
    }
}

struct Found {
    content: Content,
    violations: Vec<Violation>,
}

impl Found {
    fn expect(&mut self, holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(Violation { invariant, detail: detail() });
        }
    }

    fn halves(&mut self) {
        let jobs: Vec<_> = self.content.jobs.keys().cloned().collect();
        let statuses: Vec<_> = self.content.status.keys().cloned().collect();
        self.expect(jobs == statuses, Invariant::S1, || format!("{jobs:?} and {statuses:?}"));
    }

    fn schedules(&mut self) {
        let rows = self.content.due.iter().filter(|row| row.kind == DueKind::Schedule);
        let rows: BTreeSet<_> = rows.map(|row| (row.job.clone(), row.at)).collect();
        let next = |(job, row): (&JobName, &StatusRow)| Some((job.clone(), row.status.next?));
        let wanted: BTreeSet<_> = self.content.status.iter().filter_map(next).collect();
        self.expect(rows == wanted, Invariant::S2, || format!("{rows:?}, not {wanted:?}"));
        for (name, _) in &rows {
            let job = self.content.jobs.get(name);
            let is_scheduled = job.is_some_and(|job| !job.disabled && job.parent_job.is_none());
            self.expect(is_scheduled, Invariant::S3, || format!("{name} is due"));
        }
    }

    fn shadows(&mut self) {
        let others = self.content.due.iter().filter(|row| row.kind != DueKind::Schedule);
        let others: BTreeSet<_> = others.map(|row| keys::due(row).to_vec()).collect();
        let pending = std::mem::take(&mut self.content.pending);
        self.expect(others == pending, Invariant::S4, || {
            format!("{} rows, {} by job", others.len(), pending.len())
        });
    }

    fn orphans(&mut self) {
        let content = &self.content;
        let executions = content.ended.iter().map(|run| &run.job);
        let history: BTreeSet<_> = executions.chain(content.skips.keys()).collect();
        let unswept = history.into_iter().filter(|job| !content.deleted.contains(*job));
        let named = content.due.iter().map(|row| &row.job).chain(unswept);
        let named: BTreeSet<_> = named.cloned().collect();
        for name in named {
            let exists = self.content.jobs.contains_key(&name);
            self.expect(exists, Invariant::S5, || format!("{name} is gone, its rows are not"));
        }
        for name in std::mem::take(&mut self.content.deleted) {
            let exists = self.content.jobs.contains_key(&name);
            self.expect(!exists, Invariant::S5, || format!("{name} is there, and is swept"));
        }
    }

    fn counts(&mut self) {
        let (mut executions, mut running) = (BTreeMap::new(), BTreeMap::new());
        for run in self.content.running.iter().chain(&self.content.ended) {
            *executions.entry(run.job.clone()).or_insert(0_u32) += 1;
        }
        for run in &self.content.running {
            *running.entry(run.job.clone()).or_insert(0_u32) += 1;
        }
        for (job, row) in std::mem::take(&mut self.content.status) {
            let of = |counts: &BTreeMap<JobName, u32>| counts.get(&job).copied().unwrap_or(0);
            let bytes = self.content.outputs_kept.get(&job).copied().unwrap_or(0);
            let held = (of(&executions), of(&running), bytes, of(&self.content.skips));
            let status = &row.status;
            let told = (status.executions, row.running, status.output_bytes, status.skips);
            self.expect(held == told, Invariant::S6, || format!("{job}: {held:?}, not {told:?}"));
            self.content.status.insert(job, row);
        }
        let outputs = std::mem::take(&mut self.content.outputs);
        self.expect(outputs.is_empty(), Invariant::S6, || format!("outputs: {outputs:?}"));
    }

    fn forest(&mut self) {
        let jobs = std::mem::take(&mut self.content.jobs);
        let (mut children, mut declared) = (BTreeSet::new(), BTreeSet::new());
        for (name, job) in &jobs {
            if let Some(parent) = &job.parent_job {
                children.insert(keys::edge(parent.as_str(), name).to_vec());
            }
            if let Some(tag) = &job.declared_by {
                declared.insert(keys::edge(tag, name).to_vec());
            }
            let mut ancestor = job.parent_job.as_ref();
            let mut depth = 0;
            while let Some(current) = ancestor.filter(|_| depth <= PARENT_DEPTH_MAX) {
                depth += 1;
                let exists = jobs.get(current);
                self.expect(exists.is_some(), Invariant::S7, || format!("no parent {current}"));
                ancestor = exists.and_then(|job| job.parent_job.as_ref());
            }
            let is_shallow = depth <= PARENT_DEPTH_MAX;
            self.expect(is_shallow, Invariant::S7, || format!("{name} is in a cycle or too deep"));
        }
        let is_same = children == self.content.children && declared == self.content.declared;
        self.expect(is_same, Invariant::S7, || "edges differ from definitions".to_owned());
        self.content.jobs = jobs;
    }

    fn states(&mut self) {
        let is_wrong = |run: &&Execution, is_final: bool| {
            run.state.is_final() != is_final || run.finished_at.is_some() != is_final
        };
        let running = self.content.running.iter().filter(|run| is_wrong(run, false));
        let ended = self.content.ended.iter().filter(|run| is_wrong(run, true));
        let wrong: Vec<_> = running.chain(ended).map(|run| run.id.to_string()).collect();
        self.expect(wrong.is_empty(), Invariant::S8, || format!("{wrong:?}"));
    }

    fn fires(&mut self) {
        let mut open: BTreeMap<(JobName, Timestamp, u8), u32> = BTreeMap::new();
        let mut count = |job: &JobName, fire_time, cause: Cause| {
            *open.entry((job.clone(), fire_time, cause.to_code())).or_default() += 1;
        };
        for run in &self.content.running {
            count(&run.job, run.fire_time, run.cause);
        }
        for row in &self.content.due {
            if let DueKind::Retry { fire_time, cause, .. } = row.kind {
                count(&row.job, fire_time, cause);
            }
        }
        let mut told = std::mem::take(&mut self.content.fires);
        for ((job, fire_time, cause), rows) in open {
            let cause = Cause::from_code(cause).unwrap_or(Cause::Schedule);
            let key = keys::fire(&job, fire_time, cause).to_vec();
            let told = told.remove(&key).unwrap_or(1);
            self.expect(rows == told, Invariant::S9, || {
                format!("{job} at {fire_time}: {rows} open rows, not {told}")
            });
        }
        self.expect(told.is_empty(), Invariant::S9, || format!("{} fires are over", told.len()));
    }

    fn numbers(&mut self, counters: Counters) {
        let runs = self.content.running.iter().chain(&self.content.ended);
        let tokens: Vec<_> = runs.map(|run| run.token).collect();
        let revisions: Vec<_> =
            self.content.status.values().map(|row| row.status.revision).collect();
        for (numbers, newest) in [(tokens, counters.token), (revisions, counters.revision)] {
            let distinct: BTreeSet<_> = numbers.iter().copied().collect();
            let is_sound = distinct.len() == numbers.len()
                && distinct.iter().all(|number| (1..=newest).contains(number));
            self.expect(is_sound, Invariant::S10, || format!("{numbers:?} up to {newest}"));
        }
    }

    fn requests(&mut self) {
        let order = std::mem::take(&mut self.content.request_order);
        let distinct: BTreeSet<_> = order.iter().cloned().collect();
        let is_sound = distinct == self.content.requests
            && distinct.len() == order.len()
            && order.len() <= REQUEST_IDS_MAX;
        self.expect(is_sound, Invariant::S11, || format!("{} requests", order.len()));
    }
}
