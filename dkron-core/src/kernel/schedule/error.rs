//! Why a schedule is refused: in Dkron's words, with what our own diagnostics need beside them.

use crate::error::ErrorKind;
use crate::kernel::time::{GoDurationError, StrconvQuoted, ZoneError};
use crate::limits::SCHEDULE_BYTES_MAX;

use super::field::Field;

/// A schedule that is refused.
///
/// `Display` gives the text that Dkron shows after `can't parse job schedule: `, byte for byte;
/// only [`ScheduleError::TooLong`] and [`ScheduleError::NeverFires`] have none, as Dkron accepts
/// those. The methods give what a UI needs to point at the culprit: [`field`](Self::field),
/// [`value`](Self::value), [`accepted`](Self::accepted), [`at`](Self::at) and a
/// [`hint`](Self::hint). Where `~` was replaced, Dkron's text shows the replacement, and the offset
/// still refers to the text that the caller passed.
///
/// # Examples
///
/// ```
/// use dkron_core::schedule::{Field, Schedule, ScheduleContext};
///
/// let error = Schedule::parse("0 61 4 * * *", &ScheduleContext::default()).unwrap_err();
///
/// assert_eq!(error.to_string(), "end of range (61) above maximum (59): 61");
/// assert_eq!(error.field(), Some(Field::Minute));
/// assert_eq!(error.accepted(), Some("0-59"));
/// assert_eq!(error.at(), Some(2));
/// assert_eq!(error.hint(), "the minute takes 0-59");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The expression is empty.
    #[error("empty spec string")]
    Empty,
    /// The expression is longer than [`SCHEDULE_BYTES_MAX`].
    #[error("schedule of {bytes} bytes is longer than {SCHEDULE_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The expression has neither five nor six fields.
    #[error("expected exactly 6 fields, found {found}: [{fields}]")]
    FieldCount {
        /// How many fields there are, the zone's prefix not counted.
        found: usize,
        /// The fields, with `~` replaced, separated by single blanks.
        fields: String,
        /// Where the fields begin, in bytes.
        at: usize,
    },
    /// A field does not hold what it may.
    #[error(transparent)]
    Field(FieldError),
    /// A text that begins with `@` is no descriptor.
    #[error("unrecognized descriptor: {descriptor}")]
    UnknownDescriptor {
        /// The text from the `@` on.
        descriptor: String,
        /// Where it begins, in bytes.
        at: usize,
    },
    /// The duration of `@every` is none.
    #[error("failed to parse duration {descriptor}: {reason}")]
    Every {
        /// The text from the `@` on.
        descriptor: String,
        /// What is wrong with the duration.
        reason: GoDurationError,
        /// Where the duration begins, in bytes.
        at: usize,
    },
    /// The date of `@at` is none.
    #[error("failed to parse date {descriptor}: {reason}")]
    At {
        /// The whole schedule.
        descriptor: String,
        /// What is wrong with the date, in Go's words.
        reason: String,
        /// Where the date stops being one, in bytes.
        at: usize,
    },
    /// `@after` is not followed by exactly a date and a grace period.
    #[error(
        "@after requires format: @after <RFC3339 datetime> <ISO8601 duration>, got: {descriptor}"
    )]
    AfterFormat {
        /// The whole schedule.
        descriptor: String,
    },
    /// The date of `@after` is none.
    #[error("failed to parse date in @after: {date}: {reason}")]
    AfterDate {
        /// The date as written.
        date: String,
        /// What is wrong with it, in Go's words.
        reason: String,
        /// Where the date stops being one, in bytes.
        at: usize,
    },
    /// The grace period of `@after` does not begin with `<`.
    #[error("grace period must start with '<', got: {grace}")]
    AfterMark {
        /// The grace period as written.
        grace: String,
        /// Where it begins, in bytes.
        at: usize,
    },
    /// The grace period of `@after` is no duration.
    #[error("failed to parse grace period in @after: {grace}: {fault}")]
    AfterGrace {
        /// The duration as written, without the `<`.
        grace: String,
        /// What is wrong with it.
        fault: GraceFault,
        /// Where the duration begins, in bytes.
        at: usize,
    },
    /// The zone after `TZ=` or `CRON_TZ=` is none.
    #[error("provided bad location {name}: {reason}")]
    PrefixZone {
        /// The zone as written.
        name: String,
        /// What is wrong with it.
        reason: ZoneError,
        /// Where it begins, in bytes.
        at: usize,
    },
    /// The job's `timezone` is none; nothing is wrong with the schedule.
    ///
    /// Dkron reports this without its `can't parse job schedule: `.
    #[error(transparent)]
    JobZone(ZoneError),
    /// Well formed, yet no date satisfies it, such as 30 February.
    #[error("no date can satisfy this schedule")]
    NeverFires {
        /// The field that cannot be met.
        field: Field,
        /// Where that field begins, in bytes.
        at: usize,
    },
}

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

/// What is wrong with the grace period of `@after`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraceFault {
    /// Nothing follows the `<`.
    #[error("empty duration string")]
    Empty,
    /// The text is no ISO 8601 duration of the accepted form.
    #[error("invalid ISO8601 duration format: {text}")]
    Format {
        /// The text as written.
        text: String,
    },
    /// All parts are zero, or there are none.
    #[error("duration must be greater than zero")]
    Zero,
    /// A part is a number beyond an `i64`.
    #[error("invalid {unit} value: {digits}")]
    Number {
        /// Which part: `year`, `month`, `day`, `hour` or `minute`.
        unit: &'static str,
        /// Its digits.
        digits: String,
    },
}

impl ScheduleError {
    /// Returns the class of the error: always that of a request wrong as written.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidArgument
    }

    /// Returns where the culprit begins, in bytes of the expression as passed.
    ///
    /// `None` if no one place is to blame, or if the job's time zone is.
    pub const fn at(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::TooLong { .. } | Self::AfterFormat { .. } | Self::JobZone(_) => {
                None
            }
            Self::Field(error) => Some(error.at),
            Self::FieldCount { at, .. }
            | Self::UnknownDescriptor { at, .. }
            | Self::Every { at, .. }
            | Self::At { at, .. }
            | Self::AfterDate { at, .. }
            | Self::AfterMark { at, .. }
            | Self::AfterGrace { at, .. }
            | Self::PrefixZone { at, .. }
            | Self::NeverFires { at, .. } => Some(*at),
        }
    }

    /// Returns the field to blame, if it is one of the six.
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::Field(error) => Some(error.field),
            Self::NeverFires { field, .. } => Some(*field),
            _ => None,
        }
    }

    /// Returns the values that the field to blame takes.
    pub const fn accepted(&self) -> Option<&'static str> {
        match self {
            Self::Field(error) => Some(error.accepted()),
            _ => None,
        }
    }

    /// Returns the part that is refused, as written but for `~`.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Empty | Self::TooLong { .. } | Self::NeverFires { .. } => None,
            Self::FieldCount { fields, .. } => Some(fields),
            Self::Field(error) => match &error.fault {
                FieldFault::NotANumber { text, .. } | FieldFault::Negative { text, .. } => {
                    Some(text)
                }
                _ => Some(&error.item),
            },
            Self::UnknownDescriptor { descriptor, .. }
            | Self::Every { descriptor, .. }
            | Self::At { descriptor, .. }
            | Self::AfterFormat { descriptor } => Some(descriptor),
            Self::AfterDate { date, .. } => Some(date),
            Self::AfterMark { grace, .. } | Self::AfterGrace { grace, .. } => Some(grace),
            Self::PrefixZone { name, .. } => Some(name),
            Self::JobZone(ZoneError::Unknown { name } | ZoneError::Path { name }) => Some(name),
        }
    }
}
