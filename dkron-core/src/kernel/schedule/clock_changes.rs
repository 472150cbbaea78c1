//! Local times laid over a zone whose clock is put forward and back.
//!
//! A zone is a row of stretches of constant offset. Within one, local time and real time run in
//! step, and the search is the calendar's. The two rules differ at the seams only:
//!
//! * Under [`ClockRule::RealTime`] every real second counts by the local time it shows: nothing in
//!   a gap, both passes of an overlap.
//! * Under [`ClockRule::FixedTimes`] each local time counts once. Where the clock was put back, the
//!   local times of the new stretch that were seen before are passed over. Where it was put
//!   forward, all local times of the gap fall on the first second of the new stretch; several of
//!   them are one fire.
//!
//! That each local time occurs at most twice, or falls into one gap, is an invariant of the zones'
//! tables; `time::transitions` checks it.

use crate::kernel::time::Zone;
use crate::kernel::time::civil::{DAY_S, Date};

use super::cron::Cron;

/// The search ends with so many calendar years after the one of the reference: Dkron's bound.
///
/// 29 February is found from any year but those around 2100, 2200 and 2300, where eight years lie
/// between two of them.
const SEARCH_YEARS: i32 = 5;

/// What the changes of a zone's clock do to a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockRule {
    /// Nothing: the schedule names instants or spans of elapsed time, or never fires by itself.
    Unaffected,
    /// It fires at every real second whose wall clock matches: not in a gap, twice in an overlap.
    RealTime,
    /// Each local time fires once: at its first occurrence, or at the end of the gap that skips it.
    FixedTimes,
}

/// Returns the first second strictly later than `after_s` at which the schedule is due.
///
/// Both are seconds since 1970 in UTC.
pub(super) fn next_after(cron: &Cron, rule: ClockRule, zone: Zone, after_s: i64) -> Option<i64> {
    let first_s = after_s + 1;
    let mut spans = zone.transitions().from(first_s).iter().peekable();
    let first_offset_s = spans.peek().map_or(0, |span| i64::from(span.offset_s));
    let first_day = (first_s + first_offset_s).div_euclid(DAY_S);
    let last_year = Date::from_day_number(first_day).year + SEARCH_YEARS;
    let limit_local_s = Date { year: last_year + 1, month: 1, day: 1 }.day_number() * DAY_S;
    let is_fixed = rule == ClockRule::FixedTimes;

    while let Some(span) = spans.next() {
        let offset_s = i64::from(span.offset_s);
        if is_fixed
            && span.start_unix_s >= first_s
            && let Some((gap_start_s, gap_end_s)) = span.gap()
            && cron.first_match(gap_start_s, gap_end_s.min(limit_local_s)).is_some()
        {
            return Some(span.start_unix_s);
        }

        let mut from_local_s = first_s.max(span.start_unix_s) + offset_s;
        if is_fixed {
            from_local_s = from_local_s.max(span.first_new_local_s());
        }
        let end_local_s = spans.peek().map_or(i64::MAX, |next| next.start_unix_s + offset_s);
        let found = cron.first_match(from_local_s, end_local_s.min(limit_local_s));
        if let Some(local_s) = found {
            return Some(local_s - offset_s);
        }
        if end_local_s >= limit_local_s {
            return None;
        }
    }
    None
}
