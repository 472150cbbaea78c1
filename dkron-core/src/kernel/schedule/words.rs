//! Fields and spans in English words.

use std::fmt::Write;
use std::time::Duration;

use super::field::Field;
use super::field_text::{FieldText, Item, Shape, Values};

/// Times of day up to so many are listed one by one.
const LISTED_TIMES_MAX: u32 = 6;

/// Describes six fields, without their zone: `At 02:30:00 on Monday`.
pub(super) fn describe_fields(texts: &[FieldText<'_>; 6], values: &[Values; 6]) -> String {
    let [second, minute, hour, day, month, weekday] = values;
    let times = [second, minute, hour].map(|values| values.bits.count_ones());
    let days = describe_days(texts, day, weekday);
    let months = if month.bits.count_ones() == 12 {
        String::new()
    } else {
        format!(" in {}", describe_values(texts, Field::Month))
    };

    if times.into_iter().product::<u32>() <= LISTED_TIMES_MAX {
        let listed = list_times(second.bits, minute.bits, hour.bits);
        return format!("At {listed} {days}{months}");
    }
    let time = describe_time(texts, values);
    if hour.bits.count_ones() == 24 && days == EVERY_DAY && months.is_empty() {
        return time;
    }
    format!("{time}, {days}{months}")
}

/// Lists the times of day that match, each as `02:30:00`.
fn list_times(seconds: u64, minutes: u64, hours: u64) -> String {
    let mut times = Vec::new();
    for hour in ones(hours) {
        for minute in ones(minutes) {
            for second in ones(seconds) {
                times.push(format!("{hour:02}:{minute:02}:{second:02}"));
            }
        }
    }
    join(&times)
}

/// Describes second, minute and hour, from the smallest unit that matters upwards.
fn describe_time(texts: &[FieldText<'_>; 6], values: &[Values; 6]) -> String {
    let [second, minute, hour, ..] = values;
    let is_full = |field: Field| match field {
        Field::Second => second.bits.count_ones() == 60,
        Field::Minute => minute.bits.count_ones() == 60,
        _ => hour.bits.count_ones() == 24,
    };
    let (lead, larger): (Field, &[Field]) = if second.bits == 1 {
        (Field::Minute, &[Field::Hour])
    } else {
        (Field::Second, &[Field::Minute, Field::Hour])
    };

    let mut text = match even_step(texts, lead) {
        Some(1) => format!("Every {lead}"),
        Some(step) => format!("Every {step} {lead}s"),
        None => format!("At {}", describe_values(texts, lead)),
    };
    // "Of every hour" is said after a part that an hour has, not after one that fills it.
    let mut is_partial = even_step(texts, lead).is_none();
    for &unit in larger {
        // Writing to a string cannot fail.
        let _ = match is_full(unit) {
            true if is_partial => write!(text, " of every {unit}"),
            true => Ok(()),
            false => write!(text, " of {}", describe_values(texts, unit)),
        };
        is_partial = !is_full(unit);
    }
    text
}

/// Returns the step of a field that runs evenly through its whole range: 15 for `*/15` minutes.
fn even_step(texts: &[FieldText<'_>; 6], field: Field) -> Option<u32> {
    let items = items(texts, field);
    if items.iter().any(Item::is_unrestricted_star) {
        return Some(1);
    }
    match items.as_slice() {
        [only] if only.shape == Shape::Star && 60 % only.step == 0 => Some(only.step),
        _ => None,
    }
}

const EVERY_DAY: &str = "every day";

fn describe_days(texts: &[FieldText<'_>; 6], day: &Values, weekday: &Values) -> String {
    let by_day = || format!("on {} of the month", describe_values(texts, Field::DayOfMonth));
    let by_weekday = || format!("on {}", describe_values(texts, Field::DayOfWeek));
    match (day.has_star, weekday.has_star) {
        (true, true) => EVERY_DAY.to_owned(),
        (true, false) => by_weekday(),
        (false, true) => by_day(),
        (false, false) if day.bits == 0 => by_weekday(),
        (false, false) if weekday.bits == 0 => by_day(),
        (false, false) => format!("{} or {}, whichever matches", by_day(), by_weekday()),
    }
}

/// Describes the values of a field as its text gives them: `minutes 1, 5 through 9 and 30`.
fn describe_values(texts: &[FieldText<'_>; 6], field: Field) -> String {
    let items = items(texts, field);
    let noun = match field {
        Field::DayOfMonth => "day",
        Field::DayOfWeek => "weekday",
        _ => field.as_str(),
    };
    if let [only] = items.as_slice()
        && only.step > 1
    {
        let (start, end) = (name(field, only.start), name(field, only.end));
        return format!("every {} {noun} from {start} through {end}", ordinal(only.step));
    }

    let parts: Vec<_> = items
        .iter()
        .map(|item| {
            let (start, end) = (name(field, item.start), name(field, item.end));
            match item.step {
                1 if item.start == item.end => start,
                1 => format!("{start} through {end}"),
                step => format!("every {} from {start} through {end}", ordinal(step)),
            }
        })
        .collect();
    let listed = join(&parts);
    match items.as_slice() {
        // Months and weekdays are called by name.
        _ if !field.names().is_empty() => listed,
        [only] if only.start == only.end => format!("{noun} {listed}"),
        _ => format!("{noun}s {listed}"),
    }
}

/// Returns the items of a field that has been parsed before.
fn items(texts: &[FieldText<'_>; 6], field: Field) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(text) = texts.iter().find(|text| text.field == field) {
        // It has been parsed before: it cannot fail now.
        let _ = text.parse(|item| items.push(item));
    }
    items
}

/// Returns a value as a word: a number, or the name of a month or weekday.
fn name(field: Field, value: u32) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const WEEKDAYS: [&str; 8] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let name = match field {
        Field::Month => MONTHS.get(value.wrapping_sub(1) as usize),
        Field::DayOfWeek => WEEKDAYS.get(value as usize),
        _ => None,
    };
    name.map_or_else(|| value.to_string(), |name| (*name).to_owned())
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Joins parts as a sentence does: `a, b and c`.
fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns the positions of the bits that are set.
fn ones(bits: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |bit| bits >> bit & 1 != 0)
}

/// Describes a span of time: `1 hour 30 minutes`.
pub(super) fn describe_span(span: Duration) -> String {
    let total_s = span.as_secs();
    let mut parts = Vec::new();
    let mut push = |count: u64, unit: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {unit}")),
        _ => parts.push(format!("{count} {unit}s")),
    };
    push(total_s / 86_400, "day");
    push(total_s / 3_600 % 24, "hour");
    push(total_s / 60 % 60, "minute");
    if span.subsec_nanos() == 0 {
        push(total_s % 60, "second");
    } else {
        let fraction = format!("{:09}", span.subsec_nanos());
        parts.push(format!("{}.{} seconds", total_s % 60, fraction.trim_end_matches('0')));
    }
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}
