//! Time zones by their IANA names, and the offsets they have.

use std::fmt;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::Timestamp;
use super::civil;
use super::transitions::Transitions;

/// A time zone of the IANA database.
///
/// Two bytes, copied freely. The rules are compiled in, so they are those of the release that
/// [`Zone::DATABASE_VERSION`] names, and end with the year 2099: the last offset of that year holds
/// from then on. Before its first recorded change a zone keeps its local mean time, whose offset
/// may have seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// One change of a zone's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The first instant of the new offset.
    pub at: Timestamp,
    /// Seconds east of UTC until then.
    pub offset_before_s: i32,
    /// Seconds east of UTC from then on.
    pub offset_after_s: i32,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The release of the IANA database that is compiled in, such as `2025b`.
    pub const DATABASE_VERSION: &str = chrono_tz::IANA_TZDB_VERSION;

    /// Finds a zone by its name, which is case-sensitive.
    ///
    /// `""` and `UTC` are UTC, `Local` is `server_zone`: the zone of the process that asks.
    ///
    /// # Errors
    ///
    /// [`ZoneError::Path`] for a name that begins with a slash or holds `..`, and
    /// [`ZoneError::Unknown`] for any other name that the database does not hold.
    ///
    /// # Examples
    ///
    /// ```
    /// use dkron_core::Zone;
    ///
    /// let berlin = Zone::parse("Europe/Berlin", Zone::UTC)?;
    /// assert_eq!(berlin.name(), "Europe/Berlin");
    ///
    /// let error = Zone::parse("Mars/Phobos", Zone::UTC).unwrap_err();
    /// assert_eq!(error.to_string(), "unknown time zone Mars/Phobos");
    /// # Ok::<(), dkron_core::ZoneError>(())
    /// ```
    pub fn parse(name: &str, server_zone: Self) -> Result<Self, ZoneError> {
        match name {
            "" | "UTC" => return Ok(Self::UTC),
            "Local" => return Ok(server_zone),
            _ => {}
        }
        if name.contains("..") || name.starts_with(['/', '\\']) {
            return Err(ZoneError::Path { name: name.to_owned() });
        }
        name.parse().map(Self).map_err(|_| ZoneError::Unknown { name: name.to_owned() })
    }

    /// Returns every zone of the database, in the order of their names.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TZ_VARIANTS.iter().copied().map(Self)
    }

    /// Returns the name, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns how many seconds east of UTC the clock is at an instant.
    ///
    /// Within a day of zero. Costs a binary search in a table; the first question about a zone
    /// derives that table, which takes a millisecond or so.
    pub fn offset_s_at(self, at: Timestamp) -> i32 {
        let unix_s = at.as_unix_s();
        self.transitions().from(unix_s).first().map_or(0, |span| span.offset_s)
    }

    /// Returns the first change of the clock strictly later than `after`.
    ///
    /// `None` if the database knows of none. A change of the abbreviation or of the
    /// daylight-saving flag alone does not count.
    pub fn next_transition(self, after: Timestamp) -> Option<Transition> {
        let span = self.transitions().from(after.as_unix_s()).get(1)?;
        Some(Transition {
            at: Timestamp::from_unix_s(span.start_unix_s)?,
            offset_before_s: span.offset_before_s,
            offset_after_s: span.offset_s,
        })
    }

    /// Returns the instant as RFC 3339 with the offset in force, to the second.
    ///
    /// `2011-12-31T20:30:00+14:00`, and `Z` where the offset is zero. An offset that has seconds
    /// cannot be written in RFC 3339; such an instant is given in UTC.
    pub fn to_rfc3339(self, at: Timestamp) -> String {
        let mut offset_s = self.offset_s_at(at);
        if offset_s % 60 != 0 {
            offset_s = 0;
        }
        let mut text = String::with_capacity("2011-12-31T20:30:00+14:00".len());
        // Writing to a string cannot fail.
        let _ = civil::write_local(&mut text, at.as_unix_s() + i64::from(offset_s));
        let _ = fmt::write(&mut text, format_args!("{}", Offset(offset_s)));
        text
    }

    /// Returns the stretches of constant offset.
    pub(crate) fn transitions(self) -> &'static Transitions {
        Transitions::of(self.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Seconds east of UTC, shown as `Z` or `+05:45`.
struct Offset(i32);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("Z");
        }
        let sign = if self.0 < 0 { '-' } else { '+' };
        let minutes = self.0.unsigned_abs() / 60;
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The database has no zone of this name.
    #[error("unknown time zone {name}")]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The name looks like the path of a file.
    #[error("time: invalid location name")]
    Path {
        /// The name as given.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name, Zone::UTC).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn names_are_found_as_go_finds_them() {
        let tokyo = zone("Asia/Tokyo");
        assert_eq!(Zone::parse("", tokyo), Ok(Zone::UTC));
        assert_eq!(Zone::parse("UTC", tokyo), Ok(Zone::UTC));
        assert_eq!(Zone::parse("Local", tokyo), Ok(tokyo));
        assert_eq!(zone("Etc/GMT+5").offset_s_at(Timestamp::UNIX_EPOCH), -5 * 3_600);
        for name in ["EST5EDT", "GB", "Asia/Kolkata", "America/Argentina/Buenos_Aires"] {
            assert_eq!(zone(name).name(), name);
        }
    }

    #[test]
    fn other_names_are_refused_in_gos_words() {
        for name in ["Mars/Phobos", "europe/vienna", "+05:45", "GMT+99", "Europe/Vienna ", "utc"] {
            let error = Zone::parse(name, Zone::UTC).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown time zone {name}"));
        }
        for name in ["../../etc/passwd", "/etc/passwd", "\\windows", "Europe/..", "a..b"] {
            let error = Zone::parse(name, Zone::UTC).unwrap_err();
            assert_eq!(error.to_string(), "time: invalid location name");
        }
    }

    #[test]
    fn offsets_change_at_the_second_of_the_transition() {
        let berlin = zone("Europe/Berlin");
        let change = at("2026-03-29T01:00:00Z");

        assert_eq!(berlin.offset_s_at(at("2026-03-29T00:59:59.999Z")), 3_600);
        assert_eq!(berlin.offset_s_at(change), 7_200);
        let transition = berlin.next_transition(at("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(transition.at, change);
        assert_eq!((transition.offset_before_s, transition.offset_after_s), (3_600, 7_200));
        let next = berlin.next_transition(change).unwrap();
        assert_eq!(next.at, at("2026-10-25T01:00:00Z"));
    }

    #[test]
    fn zones_without_changes_and_times_beyond_the_database_have_no_next_transition() {
        assert_eq!(Zone::UTC.next_transition(Timestamp::MIN), None);
        assert_eq!(zone("Europe/Berlin").next_transition(at("2100-01-01T00:00:00Z")), None);
        assert_eq!(zone("Europe/Berlin").offset_s_at(Timestamp::MAX), 3_600);
    }

    #[test]
    fn instants_are_written_with_the_offset_in_force() {
        #[track_caller]
        fn check(name: &str, instant: &str, want: &str) {
            assert_eq!(zone(name).to_rfc3339(at(instant)), want);
        }
        check("UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
        check("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45");
        check("America/St_Johns", "2026-01-01T00:00:00.9Z", "2025-12-31T20:30:00-03:30");
        check("Europe/Berlin", "1800-01-01T00:00:00Z", "1800-01-01T00:00:00Z");
    }

    #[test]
    fn a_zone_is_two_bytes() {
        assert_eq!(size_of::<Zone>(), 2);
    }
}
