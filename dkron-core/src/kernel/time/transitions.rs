//! When the clock of a zone changes: a table per zone, derived once.
//!
//! The zone database answers "which offset at this instant" and keeps its list of changes to
//! itself. Schedules need the list: they search one stretch of constant offset after the other. So
//! each zone's list is found by probing: every [`PROBE_S`] seconds from [`FIRST_PROBE_S`] to
//! [`LAST_PROBE_S`], then by halving down to the second. The result depends on the database alone
//! and is kept for the life of the process.
//!
//! # Invariants
//!
//! Held by the database of today and checked for every zone in the tests below, so that a new
//! release of it that breaks one fails the build:
//!
//! * No stretch between two changes is shorter than twice the probe, so none is overlooked.
//! * Two neighbouring changes together move the clock by less than the stretch between them lasts.
//!   A local time therefore occurs at most twice, or falls into one gap.
//!
//! The database ends with the year 2099: the offset in force then holds for ever after.

use std::sync::OnceLock;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Distance of two probes: half of the shortest stretch between two changes known (a week, less
/// the hour by which the clock was put forward: Recife 2000, Gaza 2040).
const PROBE_S: i64 = (7 * 86_400 - 3_600) / 2;

/// The first probe: 1840-01-01. The oldest change known is of 1844 (Manila, Guam).
const FIRST_PROBE_S: i64 = -4_102_444_800;

/// The last probe: 2101-01-01.
const LAST_PROBE_S: i64 = 4_133_980_800;

/// A stretch of time in which the offset of a zone does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first second of the stretch; `i64::MIN` for the first stretch of a zone.
    pub(crate) start_unix_s: i64,
    /// Seconds east of UTC during the stretch.
    pub(crate) offset_s: i32,
    /// Seconds east of UTC just before the stretch; equal to `offset_s` in the first one.
    pub(crate) offset_before_s: i32,
}

impl Span {
    /// Returns the first local second that this stretch adds to those seen before.
    ///
    /// When the clock was put back, the local times before it have been seen already.
    pub(crate) const fn first_new_local_s(&self) -> i64 {
        let offset_s =
            if self.offset_s > self.offset_before_s { self.offset_s } else { self.offset_before_s };
        self.start_unix_s.saturating_add(offset_s as i64)
    }

    /// Returns the local seconds `start..end` that the clock skipped when the stretch began.
    pub(crate) const fn gap(&self) -> Option<(i64, i64)> {
        if self.offset_s <= self.offset_before_s {
            return None;
        }
        let start = self.start_unix_s.saturating_add(self.offset_before_s as i64);
        Some((start, self.start_unix_s.saturating_add(self.offset_s as i64)))
    }
}

/// All stretches of a zone, oldest first; never empty.
#[derive(Debug)]
pub(crate) struct Transitions {
    spans: Box<[Span]>,
}

impl Transitions {
    /// Returns the table of a zone, deriving it on the first call.
    pub(crate) fn of(zone: Tz) -> &'static Self {
        static TABLES: OnceLock<Box<[OnceLock<Transitions>]>> = OnceLock::new();
        let tables = TABLES.get_or_init(|| TZ_VARIANTS.iter().map(|_| OnceLock::new()).collect());
        let table = tables.get(zone as usize).expect("invariant: zones are numbered without a gap");
        table.get_or_init(|| Self::derive(zone))
    }

    /// Returns the stretch that holds `unix_s`, and all later ones.
    pub(crate) fn from(&self, unix_s: i64) -> &[Span] {
        let later = self.spans.partition_point(|span| span.start_unix_s <= unix_s);
        self.spans.get(later.saturating_sub(1)..).unwrap_or_default()
    }

    /// Returns all stretches.
    #[cfg(test)]
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn derive(zone: Tz) -> Self {
        let mut offset_s = offset_at(zone, FIRST_PROBE_S);
        let first = Span { start_unix_s: i64::MIN, offset_s, offset_before_s: offset_s };
        let mut spans = vec![first];
        let mut probed_s = FIRST_PROBE_S;
        while probed_s < LAST_PROBE_S {
            let probe_s = probed_s + PROBE_S;
            let offset_there_s = offset_at(zone, probe_s);
            if offset_there_s != offset_s {
                let start_unix_s = bisect(zone, probed_s, offset_s, probe_s);
                // Two changes may lie between two probes if they differ: look at the change itself.
                let offset_before_s = offset_s;
                offset_s = offset_at(zone, start_unix_s);
                spans.push(Span { start_unix_s, offset_s, offset_before_s });
                probed_s = start_unix_s;
            } else {
                probed_s = probe_s;
            }
        }
        Self { spans: spans.into_boxed_slice() }
    }
}

/// Returns the first second in `(low_s, high_s]` whose offset is not that of `low_s`.
fn bisect(zone: Tz, mut low_s: i64, low_offset_s: i32, mut high_s: i64) -> i64 {
    while high_s - low_s > 1 {
        let middle_s = low_s + (high_s - low_s) / 2;
        if offset_at(zone, middle_s) == low_offset_s {
            low_s = middle_s;
        } else {
            high_s = middle_s;
        }
    }
    high_s
}

/// Returns the seconds east of UTC that the zone database gives for an instant.
fn offset_at(zone: Tz, unix_s: i64) -> i32 {
    let utc = DateTime::from_timestamp(unix_s, 0).unwrap_or_default().naive_utc();
    zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no change of any zone is overlooked or misplaced.
    /// Method: compare the table with the database once a day, out of step with the probes, and at
    /// the seconds around each change.
    #[test]
    fn tables_agree_with_the_database_in_every_zone() {
        const DAY_S: i64 = 86_400;
        for zone in TZ_VARIANTS {
            let spans = Transitions::of(zone).spans();
            let ends = spans.iter().skip(1).map(|span| span.start_unix_s).chain([LAST_PROBE_S]);
            for (span, end_s) in spans.iter().zip(ends) {
                let start_s = span.start_unix_s.max(FIRST_PROBE_S);
                let mut at_s = start_s;
                while at_s < end_s {
                    assert_eq!(offset_at(zone, at_s), span.offset_s, "{zone:?} at {at_s}");
                    // Before 1940 and after 2040 once in five days has to do.
                    at_s +=
                        if (-946_771_200..2_208_988_800).contains(&at_s) { 1 } else { 5 } * DAY_S;
                }
                assert_eq!(offset_at(zone, end_s - 1), span.offset_s, "{zone:?} before {end_s}");
                if span.start_unix_s > FIRST_PROBE_S {
                    assert_eq!(offset_at(zone, start_s - 1), span.offset_before_s, "{zone:?}");
                }
            }
            let first = spans.first().unwrap();
            let ancient = DateTime::from_timestamp(-62_135_596_800, 0).unwrap().naive_utc();
            let ancient_s = zone.offset_from_utc_datetime(&ancient).fix().local_minus_utc();
            assert_eq!(first.offset_s, ancient_s, "{zone:?} changed before the first probe");
        }
    }

    #[test]
    fn changes_lie_further_apart_than_the_probes_and_than_they_move_the_clock() {
        for zone in TZ_VARIANTS {
            for pair in Transitions::of(zone).spans().windows(2).skip(1) {
                let length_s = pair[1].start_unix_s - pair[0].start_unix_s;
                let moved_s = i64::from(
                    pair[0].offset_s.abs_diff(pair[0].offset_before_s)
                        + pair[1].offset_s.abs_diff(pair[1].offset_before_s),
                );
                assert!(length_s >= 2 * PROBE_S, "{zone:?}: {length_s} s at {pair:?}");
                assert!(length_s > moved_s, "{zone:?}: {pair:?}");
            }
        }
    }

    #[test]
    fn spans_are_found_by_their_first_second() {
        let table = Transitions::of(Tz::Pacific__Apia);
        let start_s = 1_325_239_200; // 2011-12-30T10:00:00Z, where 30 December was skipped.

        let before = table.from(start_s - 1)[0];
        let after = table.from(start_s)[0];

        assert_eq!((before.offset_s, after.offset_s), (-36_000, 50_400));
        assert_eq!(after.start_unix_s, start_s);
        assert_eq!(after.gap().map(|(start, end)| end - start), Some(86_400));
        assert_eq!(table.from(i64::MIN).len(), table.spans().len());
        assert_eq!(table.from(i64::MAX).len(), 1);
    }
}
