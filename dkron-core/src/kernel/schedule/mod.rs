//! When is a job due? Expressions to fire times, as strictly pure functions.
//!
//! A [`Schedule`] is parsed once from its text and then asked for the next fire time after any
//! instant. It reads no clock and remembers nothing: what is due, what was missed and what is done
//! about it is for `dispatch` to say.
//!
//! # Where to begin reading
//!
//! [`Schedule`] is the face. `parse` takes the text apart, `field_text` reads one field, `cron`
//! searches the calendar for a matching local time, `clock_changes` lays that over the changes of a
//! zone's clock. [`explain()`] says in English what a schedule means.
//!
//! # Invariants
//!
//! * A fire time is strictly later than the instant asked about.
//! * Equal text, context, instant and zone database give an equal answer.
//! * The work is bounded whatever the schedule: the search ends with the fifth calendar year after
//!   the one of the reference, and takes one step per month at most.
//! * Parsing never panics, and what it refuses says why in Dkron's words.
//!
//! Checked by `corpus_test` (known answers that other programs agree on), `property_test` (naive
//! oracles, random expressions, zones and dates) and `transitions_test` (every zone, every change).
//!
//! May use: `model`, `time`, `limits`, `error`.

mod clock_changes;
mod cron;
mod error;
mod explain;
mod field;
mod field_error;
mod field_text;
mod fire_times;
mod grace;
mod hint;
mod parse;
mod words;

pub use clock_changes::ClockRule;
pub use error::ScheduleError;
pub use explain::{ExplainedFire, Explanation, explain};
pub use field::Field;
pub use field_error::{FieldError, FieldFault};
pub use fire_times::{Schedule, ScheduleContext};
pub use grace::GraceFault;

#[cfg(test)]
mod corpus_test;
#[cfg(test)]
mod grammar_test;
#[cfg(test)]
mod next_test;
#[cfg(test)]
mod oracle_test;
#[cfg(test)]
mod property_test;
#[cfg(test)]
mod transitions_test;
