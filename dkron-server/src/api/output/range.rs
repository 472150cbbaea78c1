//! Which bytes of a body a client asks for: the `Range` header of RFC 9110, section 14.
//!
//! Several ranges in one request, units other than bytes and what is no range at all are answered
//! with the whole body, as the RFC permits.

use std::ops::Range;

/// What of a body is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range was asked for, or none that is understood.
    Whole,
    /// These bytes, at least one.
    Part(Range<usize>),
    /// Nothing: it has no such bytes.
    Missing,
}

impl Wanted {
    /// Reads the value of a `Range` header for a body of so many bytes.
    pub(super) fn parse(header: &str, bytes: usize) -> Self {
        let Some((unit, list)) = header.split_once('=') else { return Self::Whole };
        let mut ranges =
            list.split(',').map(|range| range.trim_matches([' ', '\t'])).filter(|r| !r.is_empty());
        match (ranges.next(), ranges.next()) {
            (Some(range), None) if unit.trim().eq_ignore_ascii_case("bytes") => {
                Self::of_one(range, bytes).unwrap_or(Self::Whole)
            }
            _ => Self::Whole,
        }
    }

    /// Reads one range; `None` if it is none.
    fn of_one(range: &str, bytes: usize) -> Option<Self> {
        let (first, last) = range.split_once('-')?;
        if first.is_empty() {
            let last_bytes = number(last)?;
            // Of nothing no last bytes can be named in an answer.
            return Some(match last_bytes {
                0 => Self::Missing,
                _ if bytes == 0 => Self::Whole,
                _ => Self::Part(bytes.saturating_sub(last_bytes)..bytes),
            });
        }
        let first = number(first)?;
        let last = if last.is_empty() { usize::MAX } else { number(last)? };
        if last < first {
            return None;
        }
        if first >= bytes {
            return Some(Self::Missing);
        }
        Some(Self::Part(first..last.saturating_add(1).min(bytes)))
    }
}

/// Reads digits; a number that is too great for this machine is the greatest.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, bytes: usize, want: Wanted) {
        assert_eq!(Wanted::parse(header, bytes), want, "{header} of {bytes}");
    }

    #[test]
    fn a_range_is_read_with_its_ends() {
        check("bytes=0-0", 10, Wanted::Part(0..1));
        check("bytes=2-4", 10, Wanted::Part(2..5));
        check("bytes=2-", 10, Wanted::Part(2..10));
        check("bytes=-3", 10, Wanted::Part(7..10));
        check("Bytes= 2-4 ,", 10, Wanted::Part(2..5));
    }

    #[test]
    fn what_lies_behind_the_end_is_cut_off() {
        check("bytes=8-99", 10, Wanted::Part(8..10));
        check("bytes=-99", 10, Wanted::Part(0..10));
        check("bytes=9-99999999999999999999999", 10, Wanted::Part(9..10));
        check("bytes=0-18446744073709551615", 10, Wanted::Part(0..10));
    }

    #[test]
    fn bytes_that_are_not_there_are_missing() {
        check("bytes=10-", 10, Wanted::Missing);
        check("bytes=99999999999999999999999-", 10, Wanted::Missing);
        check("bytes=-0", 10, Wanted::Missing);
        check("bytes=0-", 0, Wanted::Missing);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_asks_for_all() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=4-2",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=1",
            "lines=0-1",
            "bytes=0-1,3-4",
            "bytes=--1",
        ] {
            check(header, 10, Wanted::Whole);
        }
        check("bytes=-5", 0, Wanted::Whole);
    }
}
