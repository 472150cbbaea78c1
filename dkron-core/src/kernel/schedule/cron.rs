//! The six sets of a cron expression, and the search for local times that match them.
//!
//! Knows the calendar and the clock on the wall, but no zone: a *local second* counts seconds since
//! 1970-01-01T00:00:00 as that clock shows them. Searches jump from month to month, day to day and
//! value to value by the lowest set bit, so that their cost does not depend on how rare the dates
//! are: at most one step per month of the stretch searched.

use crate::kernel::time::civil::{DAY_S, Date, clock, days_in_month, weekday};

use super::field::Field;
use super::field_text::Values;

/// Which days match when both day fields may restrict them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayRule {
    /// Both must match: one of them holds an unrestricted star.
    Both,
    /// Either suffices.
    Either,
}

/// The sets of a cron expression: bit n stands for the value n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u32,
    /// Bits 1 to 31.
    days: u32,
    /// Bits 1 to 12.
    months: u16,
    /// Bits 0 (Sunday) to 6.
    weekdays: u8,
    pub(super) day_rule: DayRule,
}

impl Cron {
    /// Makes the expression of its six fields, second first.
    pub(super) const fn new([second, minute, hour, day, month, weekday]: [Values; 6]) -> Self {
        Self {
            seconds: second.bits,
            minutes: minute.bits,
            hours: hour.bits as u32,
            days: day.bits as u32,
            months: month.bits as u16,
            weekdays: weekday.bits as u8,
            day_rule: if day.has_star || weekday.has_star {
                DayRule::Both
            } else {
                DayRule::Either
            },
        }
    }

    /// Returns the field that no date or time can meet, if there is one.
    ///
    /// Every day of month that some month has, falls on each weekday in some year; so a field that
    /// is not empty can be met, but for days that none of the months has.
    pub(super) const fn impossible_field(&self) -> Option<Field> {
        if self.seconds == 0 {
            return Some(Field::Second);
        }
        if self.minutes == 0 {
            return Some(Field::Minute);
        }
        if self.hours == 0 {
            return Some(Field::Hour);
        }
        if self.months == 0 {
            return Some(Field::Month);
        }
        let can_meet_day = {
            // 31 days if one of the months has them, else 30, else February's 29.
            const LONG_MONTHS: u16 = 0b1_0101_1010_1010;
            const FEBRUARY: u16 = 1 << 2;
            let longest = if self.months & LONG_MONTHS != 0 {
                31
            } else if self.months & !FEBRUARY != 0 {
                30
            } else {
                29
            };
            self.days & days_up_to(longest) != 0
        };
        match self.day_rule {
            DayRule::Either if can_meet_day || self.weekdays != 0 => None,
            DayRule::Both if !can_meet_day => Some(Field::DayOfMonth),
            DayRule::Both if self.weekdays != 0 => None,
            DayRule::Both => Some(Field::DayOfWeek),
            DayRule::Either => Some(Field::DayOfMonth),
        }
    }

    /// Returns the first local second within `from_s..end_s` that matches.
    pub(super) fn first_match(&self, from_s: i64, end_s: i64) -> Option<i64> {
        if from_s >= end_s {
            return None;
        }
        let from_day = from_s.div_euclid(DAY_S);
        let date = Date::from_day_number(from_day);
        let days_ahead = self.days_of_month(date.year, date.month) >> date.day;
        let found_s = if days_ahead & 1 != 0
            && let Some(second_of_day) = self.first_time(clock(from_s))
        {
            from_day * DAY_S + second_of_day
        } else {
            let days_ahead = days_ahead & !1;
            let day = if days_ahead != 0 {
                from_day + i64::from(days_ahead.trailing_zeros())
            } else {
                self.first_day_after_month(date, (end_s - 1).div_euclid(DAY_S))?
            };
            day * DAY_S + self.first_time((0, 0, 0))?
        };
        (found_s < end_s).then_some(found_s)
    }

    /// Returns the first day that matches after the month of `date`, up to `last_day`, as a day
    /// number.
    fn first_day_after_month(&self, date: Date, last_day: i64) -> Option<i64> {
        let (mut year, mut month) = (date.year, date.month);
        loop {
            let months_ahead = u32::from(self.months) >> month >> 1;
            if months_ahead != 0 {
                month += 1 + months_ahead.trailing_zeros();
            } else {
                year += 1;
                month = u32::from(self.months).trailing_zeros();
            }
            let first_of_month = Date { year, month, day: 1 }.day_number();
            if first_of_month > last_day || self.months == 0 {
                return None;
            }
            let days = self.days_of(first_of_month, days_in_month(year, month));
            if days != 0 {
                return Some(first_of_month + i64::from(days.trailing_zeros()) - 1);
            }
        }
    }

    /// Returns the days of a month that match; bit n stands for the day n.
    fn days_of_month(&self, year: i32, month: u32) -> u32 {
        if u32::from(self.months) & 1 << month == 0 {
            return 0;
        }
        let first_of_month = Date { year, month, day: 1 }.day_number();
        self.days_of(first_of_month, days_in_month(year, month))
    }

    /// Returns the days that match in a month that begins on `first_of_month` and has `length`
    /// days.
    const fn days_of(&self, first_of_month: i64, length: u32) -> u32 {
        // Six weeks of weekdays in a row, from the Sunday before the month or on its first day.
        const WEEKS: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28 | 1 << 35;
        let weekdays = self.weekdays as u64 * WEEKS;
        let by_weekday = (weekdays >> weekday(first_of_month) << 1) as u32;
        let days = match self.day_rule {
            DayRule::Both => self.days & by_weekday,
            DayRule::Either => self.days | by_weekday,
        };
        days & days_up_to(length)
    }

    /// Returns the first second of the day, not before the given time, that matches.
    fn first_time(&self, (hour, minute, second): (u32, u32, u32)) -> Option<i64> {
        let first_second = self.seconds.trailing_zeros();
        let first_minute = self.minutes.trailing_zeros();
        let time = |hour: u32, minute: u32, second: u32| {
            Some(i64::from(hour * 3_600 + minute * 60 + second))
        };

        if self.hours >> hour & 1 != 0 {
            if self.minutes >> minute & 1 != 0 {
                let seconds_ahead = self.seconds >> second;
                if seconds_ahead != 0 {
                    return time(hour, minute, second + seconds_ahead.trailing_zeros());
                }
            }
            let minutes_ahead = self.minutes >> minute >> 1;
            if minutes_ahead != 0 {
                return time(hour, minute + 1 + minutes_ahead.trailing_zeros(), first_second);
            }
        }
        let hours_ahead = self.hours >> hour >> 1;
        if hours_ahead == 0 {
            return None;
        }
        time(hour + 1 + hours_ahead.trailing_zeros(), first_minute, first_second)
    }
}

/// Returns the bits 1 to `last`, which is at most 31.
const fn days_up_to(last: u32) -> u32 {
    (u32::MAX >> (31 - last)) & !1
}
