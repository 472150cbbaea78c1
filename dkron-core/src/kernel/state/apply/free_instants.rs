//! Instants that are free: no two executions of a job are named after the same one.

use std::ops::ControlFlow;
use std::time::Duration;

use super::Apply;
use crate::kernel::model::{ExecutionId, JobName};
use crate::kernel::state::{Order, Table, TableError, TablesMut, keys, rows};
use crate::kernel::time::Timestamp;

impl<T: TablesMut> Apply<'_, T> {
    /// Returns the first nanosecond from `due_ns` on that no execution of the job is named after.
    pub(super) fn free_instant(&self, job: &JobName, due_ns: u64) -> Result<u64, TableError> {
        let mut free = due_ns;
        loop {
            let before = free;
            for table in [Table::Running, Table::Executions] {
                let taken = keys::executions_from(job, free);
                rows::scan(self.tables, table, taken.range(), Order::Ascending, |key, _| {
                    let taken_ns = keys::parse_execution_instant(key)?;
                    if taken_ns > free {
                        return Ok(ControlFlow::Break(()));
                    }
                    free = taken_ns.saturating_add(1);
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            if free == before {
                return Ok(free);
            }
        }
    }

    /// Returns the first instant from now on at which nothing of the job is due that is a child's
    /// run: two successes of the parent are two fires of the child.
    pub(super) fn free_dependent_instant(&self, job: &JobName) -> Result<Timestamp, TableError> {
        let mut at = self.at;
        loop {
            let due_ns = ExecutionId::due_ns_of(at);
            let free_ns = self.free_instant(job, due_ns)?;
            at = at.saturating_add(Duration::from_nanos(free_ns - due_ns));
            let waiting = keys::pending_dependents(job, at);
            if at == Timestamp::MAX || rows::is_empty(self.tables, Table::Pending, waiting.range())?
            {
                return Ok(at);
            }
            at = at.saturating_add(Duration::from_nanos(1));
        }
    }
}
