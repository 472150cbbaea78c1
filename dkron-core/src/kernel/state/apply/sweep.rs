//! What is left of deleted jobs: a long history goes a piece at a time.
//!
//! One command that removed a million executions would hold up every fire and every write behind
//! it. So a delete takes away everything that decides, and marks the history; the leader proposes a
//! sweep after the other until nothing is marked. Meanwhile nobody sees it: queries show the
//! history of jobs that exist, and a job made again under the name has the rest swept first.

use std::ops::{Bound, ControlFlow};

use super::{Apply, NotApplied};
use crate::kernel::model::JobName;
use crate::kernel::state::codec::{ExecutionRecord, Malformed, StatusRow};
use crate::kernel::state::keys::{self, Key};
use crate::kernel::state::{Order, Outcome, Table, TableError, TablesMut, rows};
use crate::limits::HISTORY_REMOVALS_MAX;

/// A history of so many executions and skips goes with its job: that costs no more than the rows
/// that the job itself has.
const SHORT_HISTORY_MAX: u32 = 4;

/// What was removed of a history.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Removed {
    pub(super) executions: u32,
    /// Of their outputs, as they were kept.
    pub(super) output_bytes: u64,
    pub(super) skips: u32,
}

impl Removed {
    const fn count(self) -> u32 {
        self.executions.saturating_add(self.skips)
    }
}

impl<T: TablesMut> Apply<'_, T> {
    /// Removes the history of a job that is being deleted, or leaves it to be swept.
    pub(super) fn leave_history(
        &mut self,
        job: &JobName,
        row: &StatusRow,
    ) -> Result<(), TableError> {
        if row.ended().saturating_add(row.status.skips) > SHORT_HISTORY_MAX {
            return self.tables.put(Table::Deleted, job.as_bytes(), &[]);
        }
        self.remove_history(job, SHORT_HISTORY_MAX).map(|_| ())
    }

    /// Removes at most so many executions and skips of deleted jobs.
    pub(super) fn sweep(&mut self, removals_max: u32) -> Result<Outcome, NotApplied> {
        let mut left = removals_max.min(HISTORY_REMOVALS_MAX);
        while left > 0 {
            let Some(job) = self.first_deleted()? else { break };
            let removed = self.remove_history(&job, left)?.count();
            // As many as were wanted: there may be more.
            if removed < left {
                self.tables.delete(Table::Deleted, job.as_bytes())?;
            }
            left = left.saturating_sub(removed);
        }
        Ok(Outcome::Done)
    }

    /// Removes all that is left of a job that was deleted under this name.
    pub(super) fn sweep_now(&mut self, job: &JobName) -> Result<(), TableError> {
        if self.tables.delete(Table::Deleted, job.as_bytes())? {
            while self.remove_history(job, HISTORY_REMOVALS_MAX)?.count() > 0 {}
        }
        Ok(())
    }

    fn first_deleted(&self) -> Result<Option<JobName>, TableError> {
        let mut first = None;
        let all = (Bound::Unbounded, Bound::Unbounded);
        rows::scan(self.tables, Table::Deleted, all, Order::Ascending, |key, _| {
            first = Some(keys::job_name(key)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// Removes at most so many executions that have ended, with their outputs, and skips of a job,
    /// the oldest first; the job's status is the caller's to mend.
    pub(super) fn remove_history(
        &mut self,
        job: &JobName,
        removals_max: u32,
    ) -> Result<Removed, TableError> {
        let kept = |value: &[u8]| Ok(ExecutionRecord::decode_end(value)?.1);
        let executions = self.oldest(Table::Executions, job, removals_max, kept)?;
        let mut removed = Removed { executions: executions.len() as u32, ..Removed::default() };
        for (key, kept) in &executions {
            self.tables.delete(Table::Executions, key)?;
            if *kept > 0 {
                self.tables.delete(Table::Outputs, key)?;
            }
            removed.output_bytes = removed.output_bytes.saturating_add(*kept);
        }
        let left = removals_max.saturating_sub(removed.executions);
        let skips = self.oldest(Table::Skips, job, left, |_| Ok(()))?;
        for (key, ()) in &skips {
            self.tables.delete(Table::Skips, key)?;
        }
        removed.skips = skips.len() as u32;
        Ok(removed)
    }

    /// Reads the first rows of a job in a table: their keys, and what `read` makes of their values.
    fn oldest<R>(
        &self,
        table: Table,
        job: &JobName,
        limit: u32,
        read: impl Fn(&[u8]) -> Result<R, Malformed>,
    ) -> Result<Vec<(Key, R)>, TableError> {
        let mut oldest = Vec::new();
        if limit == 0 {
            return Ok(oldest);
        }
        let rows = keys::rows_of(job.as_str());
        rows::scan(self.tables, table, rows.range(), Order::Ascending, |key, value| {
            oldest.push((Key::of(&[key]), read(value)?));
            let is_enough = oldest.len() == limit as usize;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(oldest)
    }
}

#[cfg(test)]
#[path = "sweep_test.rs"]
mod tests;
