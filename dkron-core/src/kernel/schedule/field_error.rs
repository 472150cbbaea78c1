//! Why a field of a cron expression is refused, in Dkron's words.

use super::field::Field;
use crate::kernel::time::StrconvQuoted;

/// A field that does not hold what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// The item of the field's list that is wrong, with `~` replaced.
    pub item: String,
    /// Where in the expression the wrong part of the item begins, in bytes.
    pub at: usize,
    /// Whether the expression is a five-field line, where 7 is Sunday too.
    pub is_five_field: bool,
    /// What is wrong with the item.
    pub fault: FieldFault,
}

/// What is wrong with an item of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldFault {
    /// A value or step is neither a number nor a name of the field.
    NotANumber {
        /// The text as written.
        text: String,
        /// Whether it is a number that exceeds an `i64`.
        is_too_large: bool,
    },
    /// A step is negative.
    Negative {
        /// Its value.
        value: i64,
        /// The text as written.
        text: String,
    },
    /// A range has more than two ends.
    TooManyHyphens,
    /// An item has more than one step.
    TooManySlashes,
    /// A value is too small.
    BelowMinimum {
        /// The value.
        value: i64,
        /// The smallest that is accepted.
        min: u32,
    },
    /// A value is too large.
    AboveMaximum {
        /// The value.
        value: i64,
        /// The largest that is accepted.
        max: u32,
    },
    /// A range ends before it begins.
    Backwards {
        /// Its first value.
        start: i64,
        /// Its last value.
        end: i64,
    },
    /// A step is zero.
    ZeroStep,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let item = &self.item;
        match &self.fault {
            FieldFault::NotANumber { text, is_too_large } => {
                let reason = if *is_too_large { "value out of range" } else { "invalid syntax" };
                let quoted = StrconvQuoted(text);
                write!(
                    f,
                    "failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {reason}"
                )
            }
            FieldFault::Negative { value, text } => {
                write!(f, "negative number ({value}) not allowed: {text}")
            }
            FieldFault::TooManyHyphens => write!(f, "too many hyphens: {item}"),
            FieldFault::TooManySlashes => write!(f, "too many slashes: {item}"),
            FieldFault::BelowMinimum { value, min } => {
                write!(f, "beginning of range ({value}) below minimum ({min}): {item}")
            }
            FieldFault::AboveMaximum { value, max } => {
                write!(f, "end of range ({value}) above maximum ({max}): {item}")
            }
            FieldFault::Backwards { start, end } => {
                write!(f, "beginning of range ({start}) beyond end of range ({end}): {item}")
            }
            FieldFault::ZeroStep => {
                write!(f, "step of range should be a positive number: {item}")
            }
        }
    }
}

impl std::error::Error for FieldError {}

impl FieldError {
    /// Returns the values that the field takes.
    pub const fn accepted(&self) -> &'static str {
        match self.field {
            Field::Second | Field::Minute => "0-59",
            Field::Hour => "0-23",
            Field::DayOfMonth => "1-31",
            Field::Month => "1-12 or JAN-DEC",
            Field::DayOfWeek if self.is_five_field => "0-7 or SUN-SAT",
            Field::DayOfWeek => "0-6 or SUN-SAT",
        }
    }
}
