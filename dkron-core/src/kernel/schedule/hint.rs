//! What would be accepted in place of what was refused, in one sentence.

use crate::kernel::time::{Zone, ZoneError};

use super::error::ScheduleError;
use super::field::Field;
use super::field_error::{FieldError, FieldFault};

/// The descriptors that take nothing behind them.
const PLAIN_DESCRIPTORS: [&str; 10] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@minutely",
    "@manually",
    "@every",
];

const FORMS: &str = "write six fields (second minute hour day-of-month month day-of-week), five \
                     as in a crontab (without the second), or a descriptor such as @daily or \
                     @every 5m";

impl ScheduleError {
    /// Returns a sentence that says what would be accepted.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => FORMS.to_owned(),
            Self::TooLong { .. } => "use ranges and steps in place of long lists".to_owned(),
            Self::FieldCount { found, fields, .. } => hint_for_fields(*found, fields),
            Self::Field(error) => hint_for_field(error),
            Self::UnknownDescriptor { descriptor, at } => hint_for_descriptor(descriptor, *at),
            Self::Every { .. } => {
                "a duration is made of numbers and the units h, m, s, ms, us and \
                                   ns, such as 90s or 1h30m; a day is 24h"
                    .to_owned()
            }
            Self::At { .. } | Self::AfterDate { .. } => {
                "an instant is written as 2030-01-02T15:04:05Z or 2030-01-02T15:04:05+02:00"
                    .to_owned()
            }
            Self::AfterFormat { .. } | Self::AfterMark { .. } => {
                "write @after 2030-01-02T15:04:05Z <PT2H: an instant, a blank, then < and how long \
                 after it a new job still fires at once"
                    .to_owned()
            }
            Self::AfterGrace { .. } => "a grace period is P, then numbers with Y, M and D, then T \
                                        and numbers with H, M and S, such as P1D, PT2H or \
                                        P1DT30M, and longer than zero"
                .to_owned(),
            Self::PrefixZone { reason, .. } | Self::JobZone(reason) => hint_for_zone(reason),
            Self::NeverFires { field: Field::DayOfMonth, .. } => {
                "none of the months has any of these days".to_owned()
            }
            Self::NeverFires { field, .. } => format!("the {field} names no value"),
        }
    }
}

fn hint_for_fields(found: usize, fields: &str) -> String {
    let upper = fields.to_ascii_uppercase();
    if found == 0 {
        return format!("a schedule must follow the time zone: {FORMS}");
    }
    if fields.starts_with('@') {
        return "a descriptor must stand at the very beginning, without a blank before it"
            .to_owned();
    }
    if let Some(descriptor) = found_descriptor(&format!("@{fields}")) {
        return format!("did you mean {descriptor}?");
    }
    if upper.contains("TZ=") {
        return "TZ=<zone> or CRON_TZ=<zone> must stand at the very beginning, once, in upper case"
            .to_owned();
    }
    if found == 7 {
        return format!("there is no field for the year: {FORMS}");
    }
    FORMS.to_owned()
}

fn hint_for_field(error: &FieldError) -> String {
    let (field, accepted) = (error.field, error.accepted());
    let takes = format!("the {field} takes {accepted}");
    match &error.fault {
        FieldFault::NotANumber { text, .. } => {
            let is_quartz = text.contains(['#', 'L', 'W']) && field >= Field::DayOfMonth;
            if text.eq_ignore_ascii_case("H") {
                format!("{takes}; for a number derived from the job's name write ~")
            } else if is_quartz && text.bytes().any(|b| b.is_ascii_digit() || text.len() <= 2) {
                format!("{takes}; there is no L, W or #")
            } else if text.is_empty() {
                format!("{takes}; a range needs both ends, a step its number")
            } else {
                format!("{takes}, as numbers, ranges a-b, lists a,b, with steps /n, or *")
            }
        }
        FieldFault::AboveMaximum { value: 7, .. } if field == Field::DayOfWeek => {
            format!("{takes}; Sunday is 0")
        }
        FieldFault::BelowMinimum { .. } | FieldFault::AboveMaximum { .. } => takes,
        FieldFault::Backwards { start, end } if *start <= i64::from(field.max()) => {
            let (min, max) = (field.min(), field.max());
            format!("a range does not wrap around: write {start}-{max},{min}-{end}")
        }
        FieldFault::Backwards { .. } => takes,
        FieldFault::Negative { .. } | FieldFault::ZeroStep => "a step is 1 or more".to_owned(),
        FieldFault::TooManyHyphens => "a range has two ends: a-b".to_owned(),
        FieldFault::TooManySlashes => "an item has one step: a-b/n".to_owned(),
    }
}

fn hint_for_descriptor(descriptor: &str, at: usize) -> String {
    let word = descriptor.split_whitespace().next().unwrap_or_default();
    match found_descriptor(word) {
        Some("@minutely" | "@manually") if at > 0 => {
            "this descriptor takes no time zone: leave the prefix out".to_owned()
        }
        Some("@every") => "write @every, one blank and a duration, such as @every 5m".to_owned(),
        Some(plain) if plain == word => format!("{plain} must stand alone"),
        Some(plain) => format!("did you mean {plain}?"),
        None if at > 0 && matches!(word, "@at" | "@after") => {
            "this descriptor takes no time zone: write the offset into its instant".to_owned()
        }
        None => format!("the descriptors are {}, @at and @after", PLAIN_DESCRIPTORS.join(", ")),
    }
}

/// Returns the descriptor that `word` is but for upper and lower case.
fn found_descriptor(word: &str) -> Option<&'static str> {
    PLAIN_DESCRIPTORS.into_iter().find(|plain| plain.eq_ignore_ascii_case(word.trim()))
}

fn hint_for_zone(error: &ZoneError) -> String {
    const FORM: &str = "a time zone is an IANA name such as Europe/Berlin, or UTC";
    let ZoneError::Unknown { name } = error else { return FORM.to_owned() };
    let meant = Zone::all().find(|zone| zone.name().eq_ignore_ascii_case(name.trim()));
    match meant {
        Some(zone) => format!("did you mean {zone}? Names of zones are case-sensitive"),
        None => FORM.to_owned(),
    }
}
