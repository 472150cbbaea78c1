//! Why a schedule is refused: in Dkron's words, with what our own diagnostics need beside them.

use super::field::Field;
use super::field_error::{FieldError, FieldFault};
use super::grace::GraceFault;
use crate::error::ErrorKind;
use crate::kernel::time::{GoDurationError, ZoneError};
use crate::limits::SCHEDULE_BYTES_MAX;

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
