//! Instants and their text form.
//!
//! Answers: what is a point in time here, how is it written, and how is it stored so that byte
//! order is time order? Reads no clock: whoever needs "now" is told.
//!
//! # Where to begin reading
//!
//! [`Timestamp`]; [`Timestamp::parse_rfc3339`] and its `Display` are the only text form.
//!
//! May use: `error`.

mod timestamp;

pub use timestamp::{ParseTimestampError, Timestamp};
