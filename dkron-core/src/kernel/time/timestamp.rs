//! A point in UTC, to the nanosecond, from year 1 to year 9999.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// Nanoseconds in a second.
const NS_PER_S: i128 = 1_000_000_000;

/// A point in time: UTC, to the nanosecond, within the years 1 to 9999.
///
/// Sixteen bytes, ordered by time. Arithmetic saturates at [`Timestamp::MIN`] and
/// [`Timestamp::MAX`]; nothing here panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_s: i64,
    subsec_ns: u32,
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self { unix_s: -62_135_596_800, subsec_ns: 0 };
    /// 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self { unix_s: 253_402_300_799, subsec_ns: 999_999_999 };
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self { unix_s: 0, subsec_ns: 0 };

    /// Makes an instant of whole seconds since 1970; `None` outside the years 1 to 9999.
    pub const fn from_unix_s(unix_s: i64) -> Option<Self> {
        Self::from_parts(unix_s, 0)
    }

    /// Makes an instant of seconds since 1970 and nanoseconds into that second.
    ///
    /// `None` outside the years 1 to 9999, or when `subsec_ns` is a second or more.
    pub const fn from_parts(unix_s: i64, subsec_ns: u32) -> Option<Self> {
        if unix_s < Self::MIN.unix_s || unix_s > Self::MAX.unix_s || subsec_ns > 999_999_999 {
            return None;
        }
        Some(Self { unix_s, subsec_ns })
    }

    /// Makes an instant of nanoseconds since 1970. Every `i64` is within range.
    pub const fn from_unix_ns(unix_ns: i64) -> Self {
        Self {
            unix_s: unix_ns.div_euclid(NS_PER_S as i64),
            subsec_ns: unix_ns.rem_euclid(NS_PER_S as i64) as u32,
        }
    }

    /// Returns the whole seconds since 1970, rounded down.
    pub const fn as_unix_s(self) -> i64 {
        self.unix_s
    }

    /// Returns the nanoseconds into the second: below 1,000,000,000.
    pub const fn subsec_ns(self) -> u32 {
        self.subsec_ns
    }

    /// Returns the nanoseconds since 1970, cut to the range of `i64` (1677 to 2262).
    pub const fn as_unix_ns(self) -> i64 {
        let ns = self.total_ns();
        if ns > i64::MAX as i128 {
            i64::MAX
        } else if ns < i64::MIN as i128 {
            i64::MIN
        } else {
            ns as i64
        }
    }

    /// Returns the start of the second that holds this instant.
    #[must_use]
    pub const fn truncate_to_s(self) -> Self {
        Self { unix_s: self.unix_s, subsec_ns: 0 }
    }

    /// Returns the instant `span` later, or [`Timestamp::MAX`] if that is past the end of time.
    #[must_use]
    pub const fn saturating_add(self, span: Duration) -> Self {
        Self::from_total_ns(self.total_ns().saturating_add(duration_ns(span)))
    }

    /// Returns the instant `span` earlier, or [`Timestamp::MIN`] if that is before the beginning.
    #[must_use]
    pub const fn saturating_sub(self, span: Duration) -> Self {
        Self::from_total_ns(self.total_ns().saturating_sub(duration_ns(span)))
    }

    /// Returns the time from `earlier` to this instant; zero if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        let ns = self.total_ns() - earlier.total_ns();
        if ns <= 0 {
            return Duration::ZERO;
        }
        Duration::new((ns / NS_PER_S) as u64, (ns % NS_PER_S) as u32)
    }

    /// Returns twelve bytes whose order is time order.
    pub const fn to_key(self) -> [u8; 12] {
        let seconds = ((self.unix_s as u64) ^ (1 << 63)).to_be_bytes();
        let subsec = self.subsec_ns.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = seconds;
        let [i, j, k, l] = subsec;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Reads what [`Timestamp::to_key`] wrote; `None` if it did not.
    pub const fn from_key(key: [u8; 12]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = key;
        let seconds = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ (1 << 63)) as i64;
        Self::from_parts(seconds, u32::from_be_bytes([i, j, k, l]))
    }

    /// Parses RFC 3339: upper-case `T` and `Z`, or a numeric offset; any fraction of a second.
    ///
    /// Digits past the ninth are cut. A leap second (`:60`) is refused.
    ///
    /// # Errors
    ///
    /// [`ParseTimestampError`] with the text, if it is not of that form or no such instant exists.
    pub fn parse_rfc3339(text: &str) -> Result<Self, ParseTimestampError> {
        let refused = || ParseTimestampError { text: text.to_owned() };
        let shape_ok = text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T');
        if !shape_ok || text.ends_with('z') {
            return Err(refused());
        }
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| refused())?;
        Self::from_parts(parsed.timestamp(), parsed.timestamp_subsec_nanos()).ok_or_else(refused)
    }

    /// Returns the instant as the time-zone library knows it.
    pub(crate) fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.unix_s, self.subsec_ns).unwrap_or_default()
    }

    const fn total_ns(self) -> i128 {
        self.unix_s as i128 * NS_PER_S + self.subsec_ns as i128
    }

    const fn from_total_ns(ns: i128) -> Self {
        if ns <= Self::MIN.total_ns() {
            return Self::MIN;
        }
        if ns >= Self::MAX.total_ns() {
            return Self::MAX;
        }
        Self { unix_s: ns.div_euclid(NS_PER_S) as i64, subsec_ns: ns.rem_euclid(NS_PER_S) as u32 }
    }
}

const fn duration_ns(span: Duration) -> i128 {
    span.as_secs() as i128 * NS_PER_S + span.subsec_nanos() as i128
}

/// RFC 3339 in UTC: `2026-11-21T06:40:58Z`, with as many fraction digits as it takes, at most nine.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.truncate_to_s().to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true);
        if self.subsec_ns == 0 {
            return f.write_str(&whole);
        }
        let fraction = format!("{:09}", self.subsec_ns);
        write!(f, "{}.{}Z", whole.trim_end_matches('Z'), fraction.trim_end_matches('0'))
    }
}

/// A text that is not an RFC 3339 instant within the years 1 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 instant such as 2030-01-02T15:04:05Z")]
pub struct ParseTimestampError {
    /// The text as given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn text_round_trips_with_trimmed_fractions() {
        for text in [
            "2026-11-21T06:40:58Z",
            "2026-11-21T06:40:58.5Z",
            "1969-12-31T23:59:59.999999999Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(at("2030-01-01T00:00:00+02:00").to_string(), "2029-12-31T22:00:00Z");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01t00:00:00z", "x"] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_sort_as_time_does() {
        let times = [Timestamp::MIN, at("1969-12-31T23:59:59.9Z"), at("2026-01-01T00:00:00Z")];
        for pair in times.windows(2) {
            assert!(pair[0].to_key() < pair[1].to_key());
        }
        for time in times {
            assert_eq!(Timestamp::from_key(time.to_key()), Some(time));
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
        let later = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_nanos(1_500_000_000));
        assert_eq!(later.as_unix_ns(), 1_500_000_000);
        assert_eq!(Timestamp::from_unix_ns(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
    }
}
