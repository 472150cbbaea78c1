//! Fires that are under way: how far each has come, and on how many nodes it goes on.

use std::ops::ControlFlow;

use super::Apply;
use crate::kernel::model::JobName;
use crate::kernel::state::codec::{ExecutionRecord, FireProgress};
use crate::kernel::state::{FireId, Order, Table, TableError, TablesMut, keys, rows};

impl<T: TablesMut> Apply<'_, T> {
    /// Notes how far an open fire has come; what every fire begins with is not written down.
    pub(super) fn put_progress(
        &mut self,
        job: &JobName,
        fire: FireId,
        progress: &FireProgress,
    ) -> Result<(), TableError> {
        let key = keys::fire(job, fire.fire_time, fire.cause);
        if *progress == FireProgress::default() {
            return self.tables.delete(Table::Fires, &key).map(|_| ());
        }
        self.tables.put(Table::Fires, &key, self.scratch.encode(progress))
    }

    /// Notes on how many nodes each fire of a job goes on, or `only` this one, told by what runs:
    /// for a job that is deleted, and one made again while a fire of its past has the same instant.
    pub(super) fn open_fires_of_running(
        &mut self,
        job: &JobName,
        only: Option<FireId>,
    ) -> Result<(), TableError> {
        let mut fires: Vec<(FireId, u32)> = Vec::new();
        let rows = keys::rows_of(job.as_str());
        rows::scan(self.tables, Table::Running, rows.range(), Order::Ascending, |_, value| {
            let (fire_time, cause) = ExecutionRecord::decode_fire(value)?;
            let fire = FireId { fire_time, cause };
            // Attempts that are due at one instant stand side by side.
            match fires.iter_mut().rev().find(|(known, _)| *known == fire) {
                Some((_, open)) => *open = open.saturating_add(1),
                None => fires.push((fire, 1)),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (fire, open) in fires {
            if only.is_none_or(|only| only == fire) {
                self.put_progress(job, fire, &FireProgress { open, ..FireProgress::default() })?;
            }
        }
        Ok(())
    }
}
