//! Why a body is refused, in Go's words.

use std::fmt;

use super::text::QuotedByte;

/// A text that is not JSON. The messages are Go's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxError {
    /// There is nothing but white space.
    Empty,
    /// The text ends inside a value.
    Unfinished,
    /// A byte stands where it cannot.
    Unexpected {
        /// The byte.
        byte: u8,
        /// Where it stands, as Go says it: `in string literal`.
        place: &'static str,
    },
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("EOF"),
            Self::Unfinished => f.write_str("unexpected EOF"),
            Self::Unexpected { byte, place } => {
                write!(f, "invalid character {} {place}", QuotedByte(*byte))
            }
        }
    }
}

impl std::error::Error for SyntaxError {}

/// A value whose type does not fit the field it is meant for. The message is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("json: cannot unmarshal {value} into Go {place} of type {go_type}")]
pub struct TypeError {
    /// What was found: `string`, `number -1`.
    pub value: String,
    /// What it was meant for: `struct field Job.name`.
    pub place: String,
    /// The type it should have had.
    pub go_type: String,
}

/// A body that could not be read. The messages are Go's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is not JSON.
    Syntax(SyntaxError),
    /// A value has the wrong type.
    Type(TypeError),
    /// A value has a reading of its own, a time for instance, and refused the text.
    Value(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::Type(error) => error.fmt(f),
            Self::Value(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<SyntaxError> for DecodeError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}
