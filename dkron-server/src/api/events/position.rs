//! Where in the row of events a listener stands: what an event's `id` says.
//!
//! `<row>-<number>-<milliseconds since 1970>`, the first in hexadecimal digits. Numbers are counted
//! anew in each row, and a row ends with the process at the latest; the instant is of use beyond
//! that.

use std::fmt;
use std::time::Duration;

use dkron_core::Timestamp;

/// The place behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Which row: when it began, in milliseconds since 1970.
    pub(super) row: u64,
    /// Of the event; the first has 1.
    pub(super) number: u64,
    /// When the event was told, in milliseconds since 1970.
    pub(super) at_ms: u64,
}

impl Position {
    /// Reads what an event said as its `id`; `None` if none can have said it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (row, number, at_ms) = (parts.next()?, parts.next()?, parts.next()?);
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parts.next().is_some() || ![row, number, at_ms].into_iter().all(is_plain) {
            return None;
        }
        let row = u64::from_str_radix(row, 16).ok()?;
        Some(Self { row, number: number.parse().ok()?, at_ms: at_ms.parse().ok()? })
    }

    /// Returns when the event was told.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(Duration::from_millis(self.at_ms))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{}", self.row, self.number, self.at_ms)
    }
}

/// Returns an instant in milliseconds since 1970; 0 before that.
pub(super) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_unix_ns() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_it_stood() {
        let position = Position { row: 0x19a_b3f2, number: 42, at_ms: 1_763_776_800_123 };
        assert_eq!(position.to_string(), "19ab3f2-42-1763776800123");
        assert_eq!(Position::parse("19ab3f2-42-1763776800123"), Some(position));
        assert_eq!(position.at().to_string(), "2025-11-22T02:00:00.123Z");
        assert_eq!(unix_ms(position.at()), position.at_ms);
    }

    #[test]
    fn what_no_event_can_have_said_is_no_id() {
        for text in [
            "",
            "-",
            "--",
            "1",
            "1-2",
            "1-2-3-4",
            "1-2-x",
            "1-x-3",
            "+1-2-3",
            "1--3",
            "z-1-1",
            "1-2-18446744073709551616",
            " 1-2-3",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
        let far = Position::parse("1-2-18446744073709551615").unwrap();
        assert!(far.at() > Timestamp::UNIX_EPOCH);
    }
}
