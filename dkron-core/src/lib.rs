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
mod kernel;

#[cfg(feature = "runtime")]
mod adapters;
#[cfg(feature = "runtime")]
mod ports;

pub use error::{Error, ErrorKind};
pub use kernel::time::{
    GoTimeError, ParseTimestampError, Timestamp, Transition, Zone, ZoneError, parse_go_duration,
    parse_go_rfc3339,
};

/// Schedules: when a job is due, and what an expression means.
pub mod schedule {
    pub use crate::kernel::schedule::{
        ClockRule, ExplainedFire, Explanation, Field, FieldError, FieldFault, GraceFault, Schedule,
        ScheduleContext, ScheduleError, explain,
    };
    pub use crate::kernel::{model::DstPolicy, time::GoDurationError};
}
