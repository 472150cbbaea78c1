//! An embeddable, replicated, highly available job scheduler.
//!
//! This file is the complete list of public names.

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
pub use kernel::time::{ParseTimestampError, Timestamp, Transition, Zone, ZoneError};
