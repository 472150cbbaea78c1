//! Which fire of a job something belongs to: a due row, an attempt, an execution.

use super::{DueKind, DueRow};
use crate::kernel::model::{Cause, Execution};
use crate::kernel::time::Timestamp;

/// A fire of a job. A run by hand at the very instant of the schedule is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FireId {
    /// The instant at which it was due first.
    pub fire_time: Timestamp,
    /// Why it was due.
    pub cause: Cause,
}

impl FireId {
    /// Returns the fire that a due row is about.
    pub const fn of_row(row: &DueRow) -> Self {
        match row.kind {
            DueKind::Schedule => Self { fire_time: row.at, cause: Cause::Schedule },
            DueKind::Dependent { .. } => Self { fire_time: row.at, cause: Cause::Parent },
            DueKind::Retry { fire_time, cause, .. } => Self { fire_time, cause },
        }
    }

    /// Returns the fire that an execution belongs to.
    pub const fn of_execution(execution: &Execution) -> Self {
        Self { fire_time: execution.fire_time, cause: execution.cause }
    }
}
