//! Fires: claimed for their nodes, or skipped.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::finish::Settled;
use super::jobs::is_one_shot;
use super::{Apply, NotApplied, half_a_job};
use crate::kernel::model::{
    Cause, ConcurrencyPolicy, Execution, ExecutionId, ExecutionState, Few, Job, JobName, Skip,
    SkipReason,
};
use crate::kernel::state::codec::{ExecutionRecord, FireProgress, StatusRow};
use crate::kernel::state::{
    Claim, DueKind, Event, Fire, FireId, Order, Outcome, Rejection, Table, TableError, TablesMut,
    Target, Verdict, keys, rows,
};
use crate::kernel::time::Timestamp;

/// An attempt that a decision is about.
struct Attempt {
    fire: FireId,
    /// Counts from 1.
    number: u32,
    /// When it is due.
    at: Timestamp,
}

impl Attempt {
    /// Reads off the decision which attempt it is about.
    fn of(fire: &Fire) -> Self {
        let Some(row) = &fire.due else {
            let by_hand = FireId { fire_time: fire.at, cause: Cause::Manual };
            return Self { fire: by_hand, number: 1, at: fire.at };
        };
        let number = match row.kind {
            DueKind::Retry { attempt, .. } => attempt,
            DueKind::Schedule | DueKind::Dependent { .. } => 1,
        };
        Self { fire: FireId::of_row(row), number, at: row.at }
    }
}

impl<T: TablesMut> Apply<'_, T> {
    pub(super) fn fire(&mut self, fire: &Fire) -> Result<Outcome, NotApplied> {
        let row = self.status_of(&fire.job)?;
        self.check_due(fire, &row)?;
        let job = self.tables.job(&fire.job)?.ok_or_else(half_a_job)?;
        let attempt = Attempt::of(fire);
        match &fire.verdict {
            Verdict::Start { targets } if !targets.is_empty() => {
                if job.concurrency == ConcurrencyPolicy::Forbid && !fire.is_forced {
                    let own = (attempt.number > 1).then_some(attempt.fire);
                    self.check_overlap(&fire.job, own)?;
                }
                self.start(fire, row, job, attempt, targets)
            }
            // No instant goes without an outcome, not even for a proposer that forgot its targets.
            Verdict::Start { .. } => {
                let reason = SkipReason::NoCapableNode { wanted: "a target".to_owned() };
                self.skip(fire, row, &job, &attempt, (fire.at, 1, reason))
            }
            Verdict::Skip { last, fires, reason } => {
                self.skip(fire, row, &job, &attempt, (*last, *fires, reason.clone()))
            }
        }
    }

    /// Checks that the decision was made for what is stored.
    fn check_due(&self, fire: &Fire, row: &StatusRow) -> Result<(), NotApplied> {
        let revision = row.status.revision;
        if revision != fire.revision {
            return Err(Rejection::Moved { job: fire.job.clone(), revision }.into());
        }
        let is_there = match &fire.due {
            None => true,
            Some(due) if due.job != fire.job => false,
            Some(due) if due.kind == DueKind::Schedule => row.status.next == Some(due.at),
            Some(due) => rows::exists(self.tables, Table::Due, &keys::due(due))?,
        };
        if is_there { Ok(()) } else { Err(Rejection::FireDecided { job: fire.job.clone() }.into()) }
    }

    /// Checks that no execution of the job runs, but for those of its `own` fire.
    fn check_overlap(&self, job: &JobName, own: Option<FireId>) -> Result<(), NotApplied> {
        let mut in_the_way = None;
        let rows = keys::rows_of(job.as_str());
        rows::scan(self.tables, Table::Running, rows.range(), Order::Ascending, |key, value| {
            let (fire_time, cause) = ExecutionRecord::decode_fire(value)?;
            if own == Some(FireId { fire_time, cause }) {
                return Ok(ControlFlow::Continue(()));
            }
            in_the_way = Some(keys::parse_execution(key)?.1);
            Ok(ControlFlow::Break(()))
        })?;
        match in_the_way {
            Some(running) => Err(Rejection::Overlap { job: job.clone(), running }.into()),
            None => Ok(()),
        }
    }

    /// Takes away the due row that the decision is about, and sets the schedule's next one.
    fn consume(
        &mut self,
        fire: &Fire,
        row: &mut StatusRow,
        job: &Job,
        last: Timestamp,
    ) -> Result<(), TableError> {
        let Some(due) = &fire.due else { return Ok(()) };
        if due.kind != DueKind::Schedule {
            return self.delete_due(due);
        }
        let next = if is_one_shot(&job.schedule) { None } else { fire.next };
        self.move_schedule(&fire.job, row.status.next, next)?;
        row.status.next = next;
        row.status.last_fire = row.status.last_fire.max(Some(last));
        Ok(())
    }

    fn start(
        &mut self,
        fire: &Fire,
        mut row: StatusRow,
        job: Arc<Job>,
        mut attempt: Attempt,
        targets: &[Target],
    ) -> Result<Outcome, NotApplied> {
        self.consume(fire, &mut row, &job, attempt.at)?;
        let mut due_ns = ExecutionId::due_ns_of(attempt.at);
        let free_ns = self.free_instant(&fire.job, due_ns)?;
        if fire.due.is_none() && free_ns > due_ns {
            let later = Duration::from_nanos(free_ns - due_ns);
            attempt.at = attempt.at.saturating_add(later);
            attempt.fire.fire_time = attempt.at;
        }
        // An execution has this instant already: of a job that was deleted under the name, say.
        let is_shared = fire.due.is_some() && attempt.number == 1 && free_ns > due_ns;
        due_ns = free_ns;

        let mut executions = Few::default();
        for target in targets {
            let id = ExecutionId { due_ns, node: target.node.clone() };
            let key = keys::execution(&fire.job, &id);
            if !executions.is_empty() && rows::exists(self.tables, Table::Running, &key)? {
                continue; // The same node twice is one target.
            }
            self.claim(&job, row.status.revision, &attempt, id.clone(), target.instance)?;
            executions.push(id);
        }
        let claimed = executions.len() as u32;
        if is_shared {
            self.open_fires_of_running(&fire.job, Some(attempt.fire))?;
        } else {
            self.open_rows(&fire.job, &attempt, claimed)?;
        }
        row.running = row.running.saturating_add(claimed);
        row.status.executions = row.status.executions.saturating_add(claimed);
        self.save_status(&fire.job, &row)?;
        Ok(Outcome::Claimed { executions })
    }

    fn claim(
        &mut self,
        job: &Arc<Job>,
        revision: u64,
        attempt: &Attempt,
        id: ExecutionId,
        instance: u64,
    ) -> Result<(), TableError> {
        self.counters.token = self.counters.token.saturating_add(1);
        let execution = Execution {
            job: job.name.clone(),
            id,
            fire_time: attempt.fire.fire_time,
            cause: attempt.fire.cause,
            attempt: attempt.number,
            token: self.counters.token,
            instance,
            // Not before it was claimed: a fire that is caught up starts later than it was due.
            started_at: attempt.at.max(self.at),
            finished_at: None,
            state: ExecutionState::Running,
            is_cancel_requested: false,
            output_bytes_total: 0,
        };
        let key = keys::execution(&execution.job, &execution.id);
        let value = self.scratch.encode(&ExecutionRecord::new(&execution, 0));
        self.tables.put(Table::Running, &key, value)?;
        let (job, start_at) = (Arc::clone(job), attempt.at);
        self.events.push(Event::Claimed(Claim { execution, job, revision, start_at }));
        Ok(())
    }

    /// Notes on how many nodes a fire goes on, if that is not one.
    fn open_rows(
        &mut self,
        job: &JobName,
        attempt: &Attempt,
        claimed: u32,
    ) -> Result<(), TableError> {
        let gained = claimed.saturating_sub(1);
        if gained == 0 {
            return Ok(());
        }
        let FireId { fire_time, cause } = attempt.fire;
        let mut progress = if attempt.number == 1 {
            FireProgress::default()
        } else {
            rows::fire_progress(self.tables, job, fire_time, cause)?
        };
        progress.open = progress.open.saturating_add(gained);
        self.put_progress(job, attempt.fire, &progress)
    }

    fn skip(
        &mut self,
        fire: &Fire,
        mut row: StatusRow,
        job: &Job,
        attempt: &Attempt,
        (last, fires, reason): (Timestamp, u32, SkipReason),
    ) -> Result<Outcome, NotApplied> {
        let is_retry = attempt.number > 1;
        let (first, last) = match attempt.fire.fire_time {
            first if is_retry => (first, first),
            first => (first, last.max(first)),
        };
        let before = row.status.last_fire;
        self.consume(fire, &mut row, job, last)?;
        let (job_name, number) = (fire.job.clone(), attempt.number);
        let fires = fires.max(1);
        let skip = Skip { job: job_name, first, last, attempt: number, fires, reason };
        let is_scheduled = fire.due.as_ref().is_some_and(|due| due.kind == DueKind::Schedule);
        let is_continued = if is_scheduled {
            self.file_scheduled_skip(&mut row, &skip, before)?
        } else {
            self.file_skip(&mut row, &skip)?;
            false
        };
        let settled = if is_retry {
            self.settle(&fire.job, attempt.fire, Some(false))?
        } else {
            // Nothing of the fire was ever claimed.
            Settled::Over(None)
        };
        self.events.push(Event::Skipped {
            skip,
            cause: attempt.fire.cause,
            is_continued,
            is_fire_complete: settled.is_over(),
        });
        self.conclude(&fire.job, row, attempt.fire, settled.status(), None)?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
#[path = "fires_test.rs"]
mod tests;
