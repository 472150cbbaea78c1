//! What is left of deleted jobs is swept behind everything else.
//!
//! A sweep travels alone while nothing is due, so that nothing waits for it but what falls due
//! while it is under way, and that is decided as long ahead as a round takes. While there is no end
//! of what is due, a sweep travels behind it every now and then, so that the disk does not fill.

use std::time::Duration;

use super::scene::Scene;
use super::term::Term;
use crate::kernel::state::{Command, TableError, Tables, query};
use crate::kernel::time::Timestamp;
use crate::limits::HISTORY_REMOVALS_MAX;

/// How long a sweep waits for a moment in which nothing is due.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a leader knows of what is left to sweep.
#[derive(Debug)]
pub(super) struct Sweeper {
    /// Since when the next sweep has been waiting; `None` if nothing is left.
    waiting_since: Option<Timestamp>,
}

impl Sweeper {
    /// Begins with a look whether anything is left.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { waiting_since: Some(now) }
    }

    /// Notes that a job was deleted.
    pub(super) fn call(&mut self, now: Timestamp) {
        self.waiting_since.get_or_insert(now);
    }
}

impl Term {
    /// Returns the sweep that a round takes along, behind what `is_due`, if there is one.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the view cannot be read.
    pub(super) fn sweep<T: Tables>(
        &mut self,
        scene: &Scene<'_, T>,
        is_due: bool,
    ) -> Result<Option<Command>, TableError> {
        let Some(since) = &mut self.sweeper.waiting_since else { return Ok(None) };
        let now = scene.now();
        // The clock may have been put back.
        *since = now.min(*since);
        if is_due && now.since(*since) < PATIENCE {
            return Ok(None);
        }
        let is_left = query::has_unswept(scene.view)?;
        self.sweeper.waiting_since = is_left.then_some(now);
        Ok(is_left.then_some(Command::Sweep { removals_max: HISTORY_REMOVALS_MAX }))
    }
}
