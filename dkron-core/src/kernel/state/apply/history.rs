//! What is kept of what happened.

use std::ops::ControlFlow;

use super::{Apply, NotApplied};
use crate::kernel::model::{Execution, JobName, Retention, Skip};
use crate::kernel::state::codec::{ExecutionRecord, OutputRecord, SkipRecord, StatusRow};
use crate::kernel::state::keys::{self, Key};
use crate::kernel::state::{
    Event, JobChange, Order, Outcome, StoredOutput, Table, TableError, TablesMut, rows,
};
use crate::kernel::time::Timestamp;
use crate::limits::{HISTORY_REMOVALS_MAX, RETENTION_REMOVALS_MAX, SKIPS_PER_JOB_MAX};

impl<T: TablesMut> Apply<'_, T> {
    /// Deletes the executions that have ended and the skips, as many as one command may, and zeroes
    /// the counters.
    ///
    /// The status of the last run, daily statistics and running executions stay.
    pub(super) fn delete_executions(&mut self, job: &JobName) -> Result<Outcome, NotApplied> {
        let mut row = self.status_of(job)?;
        let removed = self.remove_history(job, HISTORY_REMOVALS_MAX)?;
        let status = &mut row.status;
        status.executions = status.executions.saturating_sub(removed.executions);
        status.output_bytes = status.output_bytes.saturating_sub(removed.output_bytes);
        status.skips = status.skips.saturating_sub(removed.skips);
        status.success_count = 0;
        status.error_count = 0;
        status.last_success = None;
        status.last_error = None;
        let is_over = row.ended() == 0 && row.status.skips == 0;
        self.save_status(job, &row)?;
        self.events.push(Event::JobChanged { job: job.clone(), change: JobChange::Updated });
        Ok(if is_over { Outcome::Done } else { Outcome::Unfinished })
    }

    /// Files an execution that has ended, with its output.
    pub(super) fn file_execution(
        &mut self,
        row: &mut StatusRow,
        execution: &Execution,
        output: &StoredOutput,
    ) -> Result<(), TableError> {
        let key = keys::execution(&execution.job, &execution.id);
        let kept = output.bytes.len() as u64;
        self.tables.delete(Table::Running, &key)?;
        let value = self.scratch.encode(&ExecutionRecord::new(execution, kept));
        self.tables.put(Table::Executions, &key, value)?;
        if kept > 0 {
            let value = self.scratch.encode(&OutputRecord::new(output));
            self.tables.put(Table::Outputs, &key, value)?;
        }
        row.running = row.running.saturating_sub(1);
        row.status.output_bytes = row.status.output_bytes.saturating_add(kept);
        Ok(())
    }

    /// Removes the oldest executions that `retention` does not keep, now that one has ended.
    ///
    /// Ages count from the end of that one: the times of entries may be far ahead of the clocks by
    /// which executions end. Should its node's clock be ahead, they count from the entry.
    pub(super) fn retain(
        &mut self,
        job: &JobName,
        row: &mut StatusRow,
        retention: &Retention,
        finished_at: Timestamp,
    ) -> Result<(), TableError> {
        let executions_max = retention.executions_max.max(1);
        let bytes_max = retention.output_bytes_max.unwrap_or(u64::MAX);
        let now = self.at.min(finished_at);
        let oldest = retention.age_max.map(|age_max| now.saturating_sub(age_max));
        let (mut ended, mut bytes) = (row.ended(), row.status.output_bytes);
        if ended <= executions_max && bytes <= bytes_max && oldest.is_none() {
            return Ok(());
        }

        let mut removed: Vec<(Key, u64)> = Vec::new();
        let rows = keys::rows_of(job.as_str());
        rows::scan(
            self.tables,
            Table::Executions,
            rows.range(),
            Order::Ascending,
            |key, value| {
                let (finished_at, kept) = ExecutionRecord::decode_end(value)?;
                let is_too_old = oldest.is_some_and(|oldest| finished_at < Some(oldest));
                let is_too_much = ended > executions_max || (bytes > bytes_max && ended > 1);
                if !(is_too_old || is_too_much) || removed.len() == RETENTION_REMOVALS_MAX as usize
                {
                    return Ok(ControlFlow::Break(()));
                }
                ended = ended.saturating_sub(1);
                bytes = bytes.saturating_sub(kept);
                removed.push((Key::of(&[key]), kept));
                Ok(ControlFlow::Continue(()))
            },
        )?;
        for (key, kept) in &removed {
            self.tables.delete(Table::Executions, key)?;
            if *kept > 0 {
                self.tables.delete(Table::Outputs, key)?;
            }
        }
        row.status.executions = row.running.saturating_add(ended);
        row.status.output_bytes = bytes;
        Ok(())
    }

    /// Files a skip of a fire of the schedule. If nothing else became of the job's fires since the
    /// one before, at `before`, was skipped for the same reason, the record of that takes it in:
    /// returns whether it did.
    pub(super) fn file_scheduled_skip(
        &mut self,
        row: &mut StatusRow,
        skip: &Skip,
        before: Option<Timestamp>,
    ) -> Result<bool, TableError> {
        let newest = if row.status.skips == 0 { None } else { self.newest_skip(&skip.job)? };
        if let Some((key, mut newest)) = newest
            && Some(newest.last) == before
            && (newest.attempt, &newest.reason) == (skip.attempt, &skip.reason)
        {
            newest.last = skip.last;
            newest.fires = newest.fires.saturating_add(skip.fires);
            let value = self.scratch.encode(&SkipRecord::new(&newest));
            self.tables.put(Table::Skips, &key, value)?;
            return Ok(true);
        }
        self.file_skip(row, skip)?;
        Ok(false)
    }

    fn newest_skip(&self, job: &JobName) -> Result<Option<(Key, Skip)>, TableError> {
        let mut newest = None;
        let rows = keys::rows_of(job.as_str());
        rows::scan(self.tables, Table::Skips, rows.range(), Order::Descending, |key, value| {
            let (job, first) = keys::parse_skip(key)?;
            newest = Some((Key::of(&[key]), SkipRecord::decode_skip(job, first, value)?));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(newest)
    }

    /// Files a skip, and removes the oldest one if there are too many.
    pub(super) fn file_skip(&mut self, row: &mut StatusRow, skip: &Skip) -> Result<(), TableError> {
        self.counters.serial = self.counters.serial.saturating_add(1);
        let key = keys::skip(&skip.job, skip.first, self.counters.serial);
        let value = self.scratch.encode(&SkipRecord::new(skip));
        self.tables.put(Table::Skips, &key, value)?;
        if row.status.skips < SKIPS_PER_JOB_MAX {
            row.status.skips += 1;
            return Ok(());
        }

        let mut oldest = None;
        let rows = keys::rows_of(skip.job.as_str());
        self.tables.walk(Table::Skips, rows.range(), Order::Ascending, |key, _| {
            oldest = Some(Key::of(&[key]));
            ControlFlow::Break(())
        })?;
        if let Some(oldest) = oldest {
            self.tables.delete(Table::Skips, &oldest)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "history_test.rs"]
mod tests;
