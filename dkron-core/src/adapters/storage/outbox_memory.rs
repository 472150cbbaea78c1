//! An outbox in memory, for a node without a disk: what it holds ends with the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::kernel::state::Report;
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::{Outbox, OutboxMark};

/// An outbox for nodes without a disk.
#[derive(Default)]
pub struct MemoryOutbox(Mutex<Vec<Report>>);

impl MemoryOutbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for MemoryOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        self.lock().extend_from_slice(reports);
        Ok(())
    }

    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error> {
        let kept = self.lock();
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        let left = kept.get(from..).unwrap_or_default();
        let reports: Vec<Report> = left.iter().take(COMMANDS_PER_ENTRY_MAX).cloned().collect();
        let end = OutboxMark((from + reports.len()) as u64);
        Ok((!reports.is_empty()).then_some((reports, end)))
    }

    fn clear(&self) -> Result<(), Error> {
        self.lock().clear();
        Ok(())
    }
}
