//! An embeddable, replicated, highly available job scheduler.
//!
//! This file is the complete list of public names.
// What tests may do and production code must not: STYLE.md, clippy.toml.
#![cfg_attr(
    not(test),
    warn(
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::too_many_lines,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod error;
pub mod limits;

#[cfg(feature = "testing")]
pub mod kernel;
#[cfg(not(feature = "testing"))]
#[cfg_attr(
    not(feature = "runtime"),
    expect(dead_code, unused_imports, reason = "without a runtime nobody asks it anything")
)]
mod kernel;

#[cfg(feature = "runtime")]
mod adapters;
/// Readers of what comes from outside, for the fuzzers alone.
#[cfg(all(feature = "runtime", feature = "testing"))]
#[doc(hidden)]
pub mod fuzzed {
    pub use crate::adapters::consensus::fuzzed as consensus;
    pub use crate::adapters::executor::fuzzed as executor;
    pub use crate::adapters::storage::fuzzed as storage;
}
#[cfg(feature = "runtime")]
mod cluster;
#[cfg(feature = "runtime")]
mod driver;
#[cfg(feature = "runtime")]
mod ports;

/// The shares of the files, for the daemon, which takes one of them.
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub use adapters::executor::FileShares;
#[cfg(feature = "runtime")]
pub use adapters::executor::HandlerContext;
#[cfg(all(feature = "runtime", target_os = "linux"))]
pub use adapters::executor::reap_orphans;
#[cfg(feature = "runtime")]
pub use cluster::{
    Applied, Cluster, Config, DataLocation, Events, ExecutionOutput, ExecutionPage, ExecutionQuery,
    Health, JobBuilder, JobPage, JobQuery, Member, Metrics, News, Run, RunReceipt,
    RunningExecution, WriteJob,
};
#[cfg(feature = "runtime")]
pub use driver::{EndedExecutions, JobMetrics, SkippedFires, StartedRun};
pub use error::{Error, ErrorKind};
pub use kernel::model::{
    CatchUpPolicy, Cause, ConcurrencyPolicy, Execution, ExecutionId, ExecutionState, Job, JobName,
    JobStatus, LostRunPolicy, ModelError, NameError, NodeName, ParseExecutionIdError,
    PlacementPolicy, Retention, RetryBackoff, RunStatus, Skip, SkipReason, parse_go_bool,
};
pub use kernel::state::query::{DayStats, JobView};
pub use kernel::state::{Claim, Event, JobChange, stored_job_bytes};
pub use kernel::time::{
    GoTimeError, ParseTimestampError, Timestamp, Transition, Zone, ZoneError, parse_go_duration,
    parse_go_rfc3339,
};
#[cfg(feature = "runtime")]
pub use ports::{Histogram, OutputFollower, OutputNews, Progress};

/// Schedules: when a job is due, and what an expression means.
pub mod schedule {
    pub use crate::kernel::schedule::{
        ClockRule, ExplainedFire, Explanation, Field, FieldError, FieldFault, GraceFault, Schedule,
        ScheduleContext, ScheduleError, explain,
    };
    pub use crate::kernel::{model::DstPolicy, time::GoDurationError};
}

/// The guide to embedding, so that its examples are compiled and run.
#[cfg(all(doctest, feature = "runtime"))]
#[doc = include_str!("../../docs/embed/rust.md")]
pub struct EmbedGuide;
