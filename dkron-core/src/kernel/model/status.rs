//! What the cluster computes of a job.

use crate::kernel::time::Timestamp;

/// How the last complete run of a job went: over all its nodes, the last attempt of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It never ran to an end.
    #[default]
    Untriggered,
    /// Every node succeeded.
    Success,
    /// No node succeeded.
    Failed,
    /// Some did, some did not.
    PartiallyFailed,
}

/// The computed half of a job; changes at every fire, and is small for that reason.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct JobStatus {
    /// Grows at every write of the definition (set, toggle); never reused under one name.
    pub revision: u64,
    /// When the next fire is due; `None` = never, disabled, or a child.
    pub next: Option<Timestamp>,
    /// The newest instant of the schedule that was decided since the schedule last changed.
    pub last_fire: Option<Timestamp>,
    /// Finished attempts that succeeded.
    pub success_count: u32,
    /// Finished attempts that did not.
    pub error_count: u32,
    /// When the last success ended.
    pub last_success: Option<Timestamp>,
    /// When the last failure ended.
    pub last_error: Option<Timestamp>,
    /// How the last complete run went.
    pub status: RunStatus,
    /// Executions kept, running ones included.
    pub executions: u32,
    /// Stored bytes of their outputs.
    pub output_bytes: u64,
    /// Skips kept.
    pub skips: u32,
}
