//! Two naive answers to "when is it due", written without a look at the engine.
//!
//! Both work on sets of values that the test's generator wrote down beside the text, and ask the
//! time-zone library itself, so that they share neither the parser, nor the calendar, nor the
//! tables of the engine.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::{GapInfo, Tz};

/// An expression by its meaning.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    /// Second, minute, hour, day of month, month, day of week.
    pub(super) values: [BTreeSet<u32>; 6],
    /// Whether one of the two day fields holds an unrestricted star.
    pub(super) both_days: bool,
    /// Whether the schedule is a fixed time under the rule `once`.
    pub(super) is_fixed: bool,
}

impl Meaning {
    fn matches_date(&self, date: NaiveDate) -> bool {
        let [.., days, months, weekdays] = &self.values;
        let by_day = days.contains(&date.day());
        let by_weekday = weekdays.contains(&date.weekday().num_days_from_sunday());
        months.contains(&date.month())
            && if self.both_days { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// Returns whether a local second matches.
    fn matches(&self, local_s: i64) -> bool {
        if !self.values[0].contains(&(local_s.rem_euclid(60) as u32)) {
            return false;
        }
        let local = DateTime::from_timestamp(local_s, 0).unwrap().naive_utc();
        let [_, minutes, hours, ..] = &self.values;
        minutes.contains(&local.minute())
            && hours.contains(&local.hour())
            && self.matches_date(local.date())
    }
}

/// Returns the seconds east of UTC.
pub(super) fn offset_s(zone: Tz, unix_s: i64) -> i64 {
    let utc = DateTime::from_timestamp(unix_s, 0).unwrap().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// Returns the stretches of constant offset within `start_s..end_s`: each with its first second and
/// its seconds east of UTC.
fn stretches(zone: Tz, start_s: i64, end_s: i64) -> Vec<(i64, i64)> {
    let mut stretches = vec![(start_s, offset_s(zone, start_s))];
    for hour_s in (start_s..end_s).step_by(3_600) {
        let (_, before_s) = stretches[stretches.len() - 1];
        let hour_end_s = (hour_s + 3_600).min(end_s - 1);
        if offset_s(zone, hour_end_s) != before_s {
            let change_s = (hour_s..=hour_end_s).find(|&at_s| offset_s(zone, at_s) != before_s);
            let change_s = change_s.unwrap();
            stretches.push((change_s, offset_s(zone, change_s)));
        }
    }
    stretches
}

/// Looks at every second of `start_s..end_s` and returns those that are due.
///
/// The definition, literally: real time is due where the local time matches; a fixed time is due
/// where its local time has not been seen within the day before, and at the end of a gap that holds
/// a matching local time.
pub(super) fn due_by_seconds(meaning: &Meaning, zone: Tz, start_s: i64, end_s: i64) -> Vec<i64> {
    let stretches = stretches(zone, start_s - 27 * 3_600, end_s);
    let mut due = Vec::new();
    for at_s in start_s..end_s {
        let now = stretches.iter().rposition(|&(first_s, _)| first_s <= at_s).unwrap();
        let (first_s, offset_s) = stretches[now];
        let local_s = at_s + offset_s;
        let mut is_due = meaning.matches(local_s);
        if meaning.is_fixed {
            let was_seen = stretches[..=now].windows(2).any(|pair| {
                let [(first_s, offset_s), (end_s, _)] = [pair[0], pair[1]];
                (first_s..end_s).contains(&(local_s - offset_s))
            });
            is_due &= !was_seen;
            if at_s == first_s && now > 0 {
                let (_, before_s) = stretches[now - 1];
                is_due |= (at_s + before_s..local_s).any(|skipped_s| meaning.matches(skipped_s));
            }
        }
        if is_due {
            due.push(at_s);
        }
    }
    due
}

/// Walks from date to date and asks the time-zone library for the instants of each local time;
/// returns the first later than `after_s`, up to the end of the fifth calendar year.
pub(super) fn next_by_days(meaning: &Meaning, zone: Tz, after_s: i64) -> Option<i64> {
    let local = DateTime::from_timestamp(after_s + 1 + offset_s(zone, after_s + 1), 0).unwrap();
    let last_year = local.year() + 5;
    let mut date = local.date_naive() - Days::new(3);
    let mut found: Option<(i64, NaiveDate)> = None;
    while date.year() <= last_year {
        // A clock is put back by a day at most: two more dates may hold an earlier instant.
        if let Some((found_s, found_on)) = found
            && date > found_on + Days::new(2)
        {
            return Some(found_s);
        }
        for instant_s in instants_of(meaning, zone, date) {
            if instant_s > after_s && found.is_none_or(|(found_s, _)| instant_s < found_s) {
                found = Some((instant_s, found.map_or(date, |(_, found_on)| found_on)));
            }
        }
        date = date.succ_opt().unwrap();
    }
    found.map(|(found_s, _)| found_s)
}

/// Returns the instants at which the matching local times of a date are due.
fn instants_of(meaning: &Meaning, zone: Tz, date: NaiveDate) -> Vec<i64> {
    let mut instants = Vec::new();
    if !meaning.matches_date(date) {
        return instants;
    }
    let [seconds, minutes, hours, ..] = &meaning.values;
    for (hour, minute) in hours.iter().flat_map(|hour| minutes.iter().map(move |m| (hour, m))) {
        for second in seconds {
            let local = date.and_hms_opt(*hour, *minute, *second).unwrap();
            let mapped = zone.from_local_datetime(&local);
            if !meaning.is_fixed {
                instants.extend(mapped.earliest().map(|at| at.timestamp()));
                instants.extend(mapped.latest().map(|at| at.timestamp()));
            } else if let Some(at) = mapped.earliest() {
                instants.push(at.timestamp());
            } else {
                let gap = GapInfo::new(&local, &zone).unwrap();
                let (begins, _) = gap.begin.unwrap();
                let ends = gap.end.map_or_else(
                    || panic!("{zone:?}: the gap at {local} has no single end"),
                    |end| end.timestamp(),
                );
                debug_assert!(local - begins < TimeDelta::days(2));
                instants.push(ends);
            }
        }
    }
    instants
}
