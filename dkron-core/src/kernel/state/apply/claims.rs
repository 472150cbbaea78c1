//! Claims that end before their run does: taken back, or asked to stop.

use super::{Apply, NotApplied};
use crate::kernel::model::{Execution, ExecutionId, JobName, Skip, SkipReason};
use crate::kernel::state::codec::ExecutionRecord;
use crate::kernel::state::{Event, FireId, Outcome, Rejection, Table, TablesMut, keys, rows};

impl<T: TablesMut> Apply<'_, T> {
    /// Takes back a claim that its node never heard of.
    pub(super) fn withdraw(
        &mut self,
        job: &JobName,
        id: &ExecutionId,
        token: u64,
        reason: &SkipReason,
    ) -> Result<Outcome, NotApplied> {
        let execution = self.running(job, id)?;
        if execution.token != token {
            let (job, execution) = (job.clone(), id.clone());
            return Err(Rejection::Fenced { job, execution }.into());
        }
        self.tables.delete(Table::Running, &keys::execution(job, id))?;
        let (first, last) = (execution.fire_time, execution.fire_time);
        let attempt = execution.attempt;
        let skip =
            Skip { job: job.clone(), first, last, attempt, fires: 1, reason: reason.clone() };
        let fire = FireId::of_execution(&execution);
        let row = self.tables.status(job)?;
        // A first attempt leaves no result; a later one leaves that of the attempt before it.
        let result = (row.is_some() && execution.attempt > 1).then_some(false);
        let settled = self.settle(job, fire, result)?;
        let is_fire_complete = settled.is_over();
        self.events.push(Event::Withdrawn { execution, skip: skip.clone(), is_fire_complete });
        // The history of a deleted job is gone.
        if let Some(mut row) = row {
            row.running = row.running.saturating_sub(1);
            row.status.executions = row.status.executions.saturating_sub(1);
            self.file_skip(&mut row, &skip)?;
            self.conclude(job, row, fire, settled.status(), None)?;
        }
        Ok(Outcome::Done)
    }

    /// Notes that a running execution shall end. Asking again asks its node again.
    pub(super) fn cancel(
        &mut self,
        job: &JobName,
        id: &ExecutionId,
    ) -> Result<Outcome, NotApplied> {
        let mut execution = self.running(job, id)?;
        if !execution.is_cancel_requested {
            execution.is_cancel_requested = true;
            let key = keys::execution(job, id);
            let value = self.scratch.encode(&ExecutionRecord::new(&execution, 0));
            self.tables.put(Table::Running, &key, value)?;
        }
        self.events.push(Event::CancelRequested(execution));
        Ok(Outcome::Done)
    }

    fn running(&self, job: &JobName, id: &ExecutionId) -> Result<Execution, NotApplied> {
        let running = rows::execution(self.tables, Table::Running, job, id)?;
        running.ok_or_else(|| {
            let (job, execution) = (job.clone(), id.clone());
            Rejection::ExecutionNotRunning { job, execution }.into()
        })
    }
}
