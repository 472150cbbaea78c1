//! Why a definition is refused.

use std::time::Duration;

use super::{MemLimitError, NameError};
use crate::kernel::time::ZoneError;

/// A definition that is not accepted. The texts up to `ShellMemLimit` are Dkron's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The job is its own parent.
    #[error("the job can not have itself as parent")]
    OwnParent,
    /// The schedule does not parse.
    #[error("can't parse job schedule: {reason}")]
    Schedule {
        /// The parser's words.
        reason: String,
    },
    /// A text that is no concurrency policy.
    #[error("invalid concurrency policy value, use \"allow\" or \"forbid\"")]
    Concurrency,
    /// The time zone is none.
    #[error(transparent)]
    Timezone(#[from] ZoneError),
    /// `timeout` of a shell job is no Go duration.
    #[error("Error parsing job timeout value")]
    ShellTimeout,
    /// `mem_limit` of a shell job is none.
    #[error("Error parsing job memory limit value: {0}")]
    ShellMemLimit(MemLimitError),
    /// A text is too long.
    #[error("{field} has {bytes} bytes, at most {bytes_max} are accepted")]
    TextTooLong {
        /// Where it stands.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A map has too many entries.
    #[error("{field} has {entries} entries, at most {entries_max} are accepted")]
    TooManyEntries {
        /// Which map.
        field: &'static str,
        /// How many it has.
        entries: usize,
        /// The limit.
        entries_max: usize,
    },
    /// A number is out of range.
    #[error("{field} must be within {min}..={max}, found {value}")]
    NumberRange {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The smallest accepted.
        min: u32,
        /// The greatest accepted.
        max: u32,
    },
    /// A span of time is out of range.
    #[error("{field} must be within {min:?}..={max:?}, found {value:?}")]
    SpanRange {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: Duration,
        /// The shortest accepted.
        min: Duration,
        /// The longest accepted.
        max: Duration,
    },
    /// The tag of the declaring program is empty or holds a control character.
    #[error("declared_by must not be empty nor hold a control character")]
    DeclaredBy,
}
