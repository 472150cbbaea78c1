//! What can go wrong, at the granularity a caller can act on.
//!
//! The kernel has small exact enums of its own; everything the public API returns is an [`Error`]:
//! a closed [`ErrorKind`], a message that names what was being done to what, an optional source,
//! and whether a failed write may have happened all the same.

use std::fmt;

/// What went wrong, at the granularity a caller can act on.
///
/// The numbers are part of the ABI: they are the C status codes, they select the Python exception
/// class, the HTTP status and the exit code, and they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorKind {
    /// The request itself is wrong; sending it again unchanged cannot help.
    InvalidArgument = 1,
    /// There is no such job, execution or node.
    NotFound = 2,
    /// What the call is about is not as the call needs it: it has moved on since it was read,
    /// exists already, is disabled, in use, or somebody else's.
    Conflict = 3,
    /// Another node leads.
    NotLeader = 4,
    /// Something that the call needs is not there at present: a quorum or a leader, a node that can
    /// run the job, or of the local system a thread or randomness. The text says what.
    Unavailable = 5,
    /// A time limit passed: the caller's, or one of the [`limits`](crate::limits).
    DeadlineExceeded = 6,
    /// There is too much of something at present, measured by one of the [`limits`](crate::limits).
    /// What is too large in itself is an [`ErrorKind::InvalidArgument`].
    LimitExceeded = 7,
    /// The node was shut down, or has stopped itself; or this is a forked child, which cannot use
    /// it.
    Stopped = 8,
    /// The local disk failed, or holds what it should not.
    Storage = 9,
    /// A bug of ours.
    Internal = 10,
    // 11 is kept for requests of somebody who is not allowed to make them.
    /// The local disk is full, or all but a reserve; the node takes writes again once there is
    /// space.
    DiskFull = 12,
}

impl ErrorKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::InvalidArgument,
        Self::NotFound,
        Self::Conflict,
        Self::NotLeader,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::LimitExceeded,
        Self::Stopped,
        Self::Storage,
        Self::Internal,
        Self::DiskFull,
    ];

    /// Returns whether the same call may succeed later without the caller changing anything.
    ///
    /// Says nothing of whether a failed write took effect: [`Error::may_have_happened`] tells.
    pub const fn is_retriable(self) -> bool {
        matches!(
            self,
            Self::NotLeader
                | Self::Unavailable
                | Self::DeadlineExceeded
                | Self::LimitExceeded
                | Self::DiskFull
        )
    }

    /// Returns the name used on every surface, in words: `not found`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid argument",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::NotLeader => "not leader",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::LimitExceeded => "limit exceeded",
            Self::Stopped => "stopped",
            Self::Storage => "storage",
            Self::Internal => "internal",
            Self::DiskFull => "disk full",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The source of an [`Error`], as a caller may want to walk it.
type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The one error of the public API.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    may_have_happened: bool,
    source: Option<Source>,
}

impl Error {
    /// Makes an error of `kind`; `message` names what was being done to what.
    ///
    /// Lower case, no full stop, without the text of the source.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), may_have_happened: false, source: None }
    }

    /// Attaches what caused the error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks that the write had been handed to the log, or had taken effect, when the call failed.
    #[must_use]
    pub fn maybe_happened(mut self) -> Self {
        self.may_have_happened = true;
        self
    }

    /// Returns the class of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the message without that of the source.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns whether the write may have taken effect although this call failed.
    ///
    /// True once the command had been handed to the log and no answer came back, and if something
    /// failed after it had taken effect. A caller that retries must then make the retry harmless,
    /// or read first.
    pub fn may_have_happened(&self) -> bool {
        self.may_have_happened
    }

    /// Returns the message followed by those of all sources, joined by `: `.
    ///
    /// A source that says what stands there already is left out: it is there for its type.
    pub fn report(&self) -> String {
        let mut text = self.message.clone();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let next = error.to_string();
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            source = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_every_link_of_the_chain() {
        let inner = Error::new(ErrorKind::Storage, "read page 7");
        let outer = Error::new(ErrorKind::Storage, "open snapshot \"a\"").with_source(inner);

        assert_eq!(outer.report(), "open snapshot \"a\": read page 7");
        assert_eq!(outer.to_string(), "open snapshot \"a\"");
    }

    #[test]
    fn a_source_that_says_the_same_again_is_not_repeated() {
        let inner = Error::new(ErrorKind::InvalidArgument, "no date can satisfy this");
        let text = "declare job \"a\": no date can satisfy this";
        let outer = Error::new(ErrorKind::InvalidArgument, text).with_source(inner);

        assert_eq!(outer.report(), text);
    }

    #[test]
    fn kinds_keep_their_numbers() {
        let numbers = ErrorKind::ALL.map(|kind| kind as u8);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]);
    }
}
