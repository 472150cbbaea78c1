//! Instants, time zones and the texts in which they are written.
//!
//! Answers: what is a point in time here, how is it written, how is it stored so that byte order is
//! time order, and what does the clock of a zone show at it? Reads no clock: whoever needs "now" is
//! told. The rules of the zones are compiled in and do not change while the process lives.
//!
//! # Where to begin reading
//!
//! [`Timestamp`]; [`Timestamp::parse_rfc3339`] and its `Display` are the text form of our own.
//! [`Zone`] gives offsets and their changes. The `go_*` files read what Go reads, in Go's words,
//! for the texts that Dkron's users have written for it.
//!
//! May use: `error`.

pub(crate) mod civil;
mod go_duration;
mod go_quote;
mod go_time;
mod timestamp;
mod transitions;
mod zone;

pub use go_duration::{GoDurationError, parse_go_duration};
pub(crate) use go_quote::StrconvQuoted;
pub use go_time::{GoTimeError, parse_go_rfc3339};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use zone::{Transition, Zone, ZoneError};
