//! The computed half of a job, the counters of the whole state, and the counts of a day.

use serde::{Deserialize, Serialize};

use super::scalar::{Time, time, to_optional_time};
use super::{Code, Malformed, Scratch, decode};
use crate::kernel::model::{JobStatus, RunStatus};

/// A job's status, with how many of its executions run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusRow {
    /// The status; its `executions` counts both kinds.
    pub status: JobStatus,
    /// Executions in `Running`.
    pub running: u32,
}

impl StatusRow {
    /// Returns how many executions are in `Executions`.
    pub(in super::super) fn ended(&self) -> u32 {
        self.status.executions.saturating_sub(self.running)
    }

    pub(in super::super) fn encode<'s>(&self, scratch: &'s mut Scratch) -> &'s [u8] {
        scratch.encode(&StatusRecord::new(self))
    }

    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode::<StatusRecord>(bytes)?.to_row()
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StatusRecord {
    revision: u64,
    next: Option<Time>,
    last_fire: Option<Time>,
    success_count: u32,
    error_count: u32,
    last_success: Option<Time>,
    last_error: Option<Time>,
    status: u8,
    executions: u32,
    running: u32,
    output_bytes: u64,
    skips: u32,
}

impl StatusRecord {
    pub(super) fn new(row: &StatusRow) -> Self {
        let status = &row.status;
        Self {
            revision: status.revision,
            next: status.next.map(time),
            last_fire: status.last_fire.map(time),
            success_count: status.success_count,
            error_count: status.error_count,
            last_success: status.last_success.map(time),
            last_error: status.last_error.map(time),
            status: status.status.to_code(),
            executions: status.executions,
            running: row.running,
            output_bytes: status.output_bytes,
            skips: status.skips,
        }
    }

    pub(super) fn to_row(&self) -> Result<StatusRow, Malformed> {
        if self.running > self.executions {
            return Err(Malformed::new("more executions run than there are"));
        }
        let status = JobStatus {
            revision: self.revision,
            next: to_optional_time(self.next)?,
            last_fire: to_optional_time(self.last_fire)?,
            success_count: self.success_count,
            error_count: self.error_count,
            last_success: to_optional_time(self.last_success)?,
            last_error: to_optional_time(self.last_error)?,
            status: RunStatus::from_code(self.status)?,
            executions: self.executions,
            output_bytes: self.output_bytes,
            skips: self.skips,
        };
        Ok(StatusRow { status, running: self.running })
    }
}

/// Numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Counters {
    /// The newest revision of any job.
    pub(in super::super) revision: u64,
    /// The newest fencing token.
    pub(in super::super) token: u64,
    /// The newest number given to a skip or a request.
    pub(in super::super) serial: u64,
}

/// Finished executions of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct DayCounts {
    pub(in super::super) success: u64,
    pub(in super::super) failed: u64,
}

/// How far an open fire has come; the default is what a fire on one node starts with.
///
/// Attempts on one node form a row, of which one runs or is due until its last has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct FireProgress {
    /// Rows of attempts that go on.
    pub(in super::super) open: u32,
    /// Rows whose last attempt succeeded.
    pub(in super::super) succeeded: u32,
    /// Rows whose last attempt did not.
    pub(in super::super) failed: u32,
}

impl Default for FireProgress {
    fn default() -> Self {
        Self { open: 1, succeeded: 0, failed: 0 }
    }
}
