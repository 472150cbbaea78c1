//! Days and dates of the proleptic Gregorian calendar, in whole numbers.
//!
//! A *day number* counts days since 1970-01-01, which is day 0. Nothing here knows of zones: a
//! local second is an instant to which somebody added an offset.

/// Seconds in a civil day.
pub(crate) const DAY_S: i64 = 86_400;

/// Days in a cycle of 400 years, after which the calendar repeats, weekdays included.
const CYCLE_DAYS: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01. A year that begins in March has its leap day at the end.
const MARCH_EPOCH_DAYS: i64 = 719_468;

/// A calendar date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    pub(crate) year: i32,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
}

impl Date {
    /// Returns the date of a day number. Years beyond ±2,000,000 are not supported.
    pub(crate) const fn from_day_number(day_number: i64) -> Self {
        let shifted = day_number + MARCH_EPOCH_DAYS;
        let cycle = shifted.div_euclid(CYCLE_DAYS);
        let day_of_cycle = shifted.rem_euclid(CYCLE_DAYS) as u32;
        // Take out the leap days that have passed, so that years have 365 days each.
        let leapless = day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
            - day_of_cycle / (CYCLE_DAYS as u32 - 1);
        let year_of_cycle = leapless / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // Months from March have 31, 30, 31, 30, 31 days over and over: 153 in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let (month, year_carry) = if month_from_march < 10 {
            (month_from_march + 3, 0)
        } else {
            (month_from_march - 9, 1)
        };
        Self { year: (cycle * 400) as i32 + year_of_cycle as i32 + year_carry, month, day }
    }

    /// Returns the day number of the date.
    pub(crate) const fn day_number(self) -> i64 {
        let (year, month_from_march) = if self.month > 2 {
            (self.year as i64, self.month - 3)
        } else {
            (self.year as i64 - 1, self.month + 9)
        };
        let cycle = year.div_euclid(400);
        let year_of_cycle = year.rem_euclid(400);
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_cycle =
            year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year as i64;
        cycle * CYCLE_DAYS + day_of_cycle - MARCH_EPOCH_DAYS
    }
}

/// Returns how many days a month (1 to 12) has.
pub(crate) const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns whether a year has a 29 February.
pub(crate) const fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Returns the weekday of a day number: 0 is Sunday, 6 Saturday.
pub(crate) const fn weekday(day_number: i64) -> u32 {
    (day_number + 4).rem_euclid(7) as u32
}

/// Writes a local second, counted as if it were UTC, as `2011-12-31T20:30:00`.
pub(crate) fn write_local(f: &mut impl std::fmt::Write, local_s: i64) -> std::fmt::Result {
    let date = Date::from_day_number(local_s.div_euclid(DAY_S));
    let (hour, minute, second) = clock(local_s);
    write!(
        f,
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
        date.year, date.month, date.day
    )
}

/// Returns hour, minute and second of a local second.
pub(crate) const fn clock(local_s: i64) -> (u32, u32, u32) {
    let second_of_day = local_s.rem_euclid(DAY_S) as u32;
    (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};

    #[test]
    fn dates_agree_with_chrono_on_every_day_of_a_thousand_years() {
        let first = Date { year: 1500, month: 1, day: 1 }.day_number();
        let mut want = NaiveDate::from_ymd_opt(1500, 1, 1).unwrap();
        for day_number in first..first + 365_243 {
            let date = Date::from_day_number(day_number);
            assert_eq!(
                (date.year, date.month, date.day),
                (want.year(), want.month(), want.day()),
                "day {day_number}"
            );
            assert_eq!(date.day_number(), day_number);
            assert_eq!(weekday(day_number), want.weekday().num_days_from_sunday());
            want = want.succ_opt().unwrap();
        }
    }

    #[test]
    fn the_ends_of_the_supported_range_round_trip() {
        for (year, month, day) in
            [(-1, 3, 1), (0, 2, 29), (1, 1, 1), (9999, 12, 31), (10_005, 1, 1)]
        {
            let date = Date { year, month, day };
            assert_eq!(Date::from_day_number(date.day_number()), date);
        }
        assert_eq!(Date { year: 1970, month: 1, day: 1 }.day_number(), 0);
    }

    #[test]
    fn months_know_their_length() {
        assert_eq!(days_in_month(1900, 2), 28);
        assert_eq!(days_in_month(2000, 2), 29);
        assert_eq!(days_in_month(2024, 2), 29);
        assert_eq!((1..=12).map(|month| days_in_month(2023, month)).sum::<u32>(), 365);
    }
}
