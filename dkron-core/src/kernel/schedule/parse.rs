//! The grammar around the six fields: zone prefixes, descriptors, `~`, five-field lines.
//!
//! The order of the checks is Dkron's, so that of several faults the same one is reported:
//! `@manually`, `@minutely`, `@at` and `@after` at the very start; the zone's prefix; the other
//! descriptors; the number of fields; the fields from left to right; the job's own zone last.

use std::str::SplitWhitespace;
use std::time::Duration;

use crate::kernel::time::{Timestamp, Zone, ZoneError, parse_go_duration, parse_go_rfc3339};
use crate::limits::SCHEDULE_BYTES_MAX;

use super::ScheduleContext;
use super::error::ScheduleError;
use super::field::Field;
use super::field_text::{FieldText, Values};
use super::grace::parse_grace;

/// An expression taken apart.
#[derive(Clone, Debug)]
pub(super) struct Parsed<'a> {
    pub(super) zone: Zone,
    pub(super) body: Body<'a>,
}

/// What an expression says, but for its zone.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack for as long as a parse takes")]
pub(super) enum Body<'a> {
    /// `@manually`.
    Manual,
    /// `@every`, in whole seconds: at least 1.
    Every { period_s: u64 },
    /// `@at`.
    At { at: Timestamp },
    /// `@after`.
    After { at: Timestamp, grace: Duration },
    /// Six fields, second first; descriptors written out.
    Fields { texts: [FieldText<'a>; 6], values: [Values; 6] },
}

impl<'a> Body<'a> {
    /// Reads the fields, from left to right.
    fn read(texts: [FieldText<'a>; 6]) -> Result<Self, ScheduleError> {
        let mut values = [Values::default(); 6];
        for (values, text) in values.iter_mut().zip(&texts) {
            *values = Values::parse(text).map_err(ScheduleError::Field)?;
        }
        Ok(Self::Fields { texts, values })
    }
}

/// Takes an expression apart.
pub(super) fn parse<'a>(
    expr: &'a str,
    context: &ScheduleContext<'_>,
) -> Result<Parsed<'a>, ScheduleError> {
    if expr.len() > SCHEDULE_BYTES_MAX {
        return Err(ScheduleError::TooLong { bytes: expr.len() });
    }
    if expr.is_empty() {
        return Err(ScheduleError::Empty);
    }

    let body = parse_leading_descriptor(expr)?;
    let (prefix_zone, body) = match body {
        Some(body) => (None, body),
        None => {
            let prefix = take_prefix(expr, context.server_zone)?;
            let (zone, rest, at) =
                prefix.map_or((None, expr, 0), |(zone, rest, at)| (Some(zone), rest, at));
            let body = match rest.strip_prefix('@') {
                Some(_) => parse_descriptor(rest, at)?,
                None => Body::read(split_fields(rest, at, context.job)?)?,
            };
            (zone, body)
        }
    };

    let job_zone =
        Zone::parse(context.timezone, context.server_zone).map_err(ScheduleError::JobZone)?;
    let zone = match prefix_zone {
        Some(zone) => zone,
        None if expr.starts_with('@') || context.timezone.is_empty() => context.server_zone,
        None => job_zone,
    };
    Ok(Parsed { zone, body })
}

/// Parses the descriptors that count at the very start of an expression only.
fn parse_leading_descriptor(expr: &str) -> Result<Option<Body<'static>>, ScheduleError> {
    const AT: &str = "@at ";
    const AFTER: &str = "@after ";
    Ok(Some(match expr {
        "@manually" => Body::Manual,
        "@minutely" => Body::read(written_out(["0", "*", "*", "*", "*", "*"], 0))?,
        _ => {
            if let Some(date) = expr.strip_prefix(AT) {
                let at = parse_go_rfc3339(date).map_err(|error| ScheduleError::At {
                    descriptor: expr.to_owned(),
                    reason: error.to_string(),
                    at: AT.len() + error.at,
                })?;
                return Ok(Some(Body::At { at }));
            }
            let Some(parts) = expr.strip_prefix(AFTER) else { return Ok(None) };
            parse_after(expr, parts.split_whitespace())?
        }
    }))
}

/// Parses what follows `@after`: a date and a grace period.
fn parse_after(expr: &str, mut parts: SplitWhitespace<'_>) -> Result<Body<'static>, ScheduleError> {
    let (Some(date), Some(marked), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ScheduleError::AfterFormat { descriptor: expr.to_owned() });
    };
    let at = parse_go_rfc3339(date).map_err(|error| ScheduleError::AfterDate {
        date: date.to_owned(),
        reason: error.to_string(),
        at: offset_in(expr, date) + error.at,
    })?;
    let Some(grace) = marked.strip_prefix('<') else {
        let at = offset_in(expr, marked);
        return Err(ScheduleError::AfterMark { grace: marked.to_owned(), at });
    };
    let grace = parse_grace(grace).map_err(|fault| ScheduleError::AfterGrace {
        grace: grace.to_owned(),
        fault,
        at: offset_in(expr, grace),
    })?;
    Ok(Body::After { at, grace })
}

/// Takes `TZ=<zone> ` or `CRON_TZ=<zone> ` from the front; returns the zone, the rest and where the
/// rest begins.
fn take_prefix(
    expr: &str,
    server_zone: Zone,
) -> Result<Option<(Zone, &str, usize)>, ScheduleError> {
    let Some(named) = expr.strip_prefix("TZ=").or_else(|| expr.strip_prefix("CRON_TZ=")) else {
        return Ok(None);
    };
    // Only a blank ends the name. Without one there is a zone and nothing else: Dkron crashes.
    let (name, rest) = named.split_once(' ').unwrap_or((named, ""));
    let zone = Zone::parse(name, server_zone).map_err(|reason: ZoneError| {
        let at = offset_in(expr, name);
        ScheduleError::PrefixZone { name: name.to_owned(), reason, at }
    })?;
    let at = if rest.is_empty() { expr.len() } else { offset_in(expr, rest.trim_start()) };
    Ok(Some((zone, rest.trim(), at)))
}

/// Parses the descriptors that may follow a zone's prefix.
fn parse_descriptor(descriptor: &str, at: usize) -> Result<Body<'static>, ScheduleError> {
    const EVERY: &str = "@every ";
    let fields = match descriptor {
        "@yearly" | "@annually" => ["0", "0", "0", "1", "1", "*"],
        "@monthly" => ["0", "0", "0", "1", "*", "*"],
        "@weekly" => ["0", "0", "0", "*", "*", "0"],
        "@daily" | "@midnight" => ["0", "0", "0", "*", "*", "*"],
        "@hourly" => ["0", "0", "*", "*", "*", "*"],
        _ => {
            let Some(duration) = descriptor.strip_prefix(EVERY) else {
                let descriptor = descriptor.to_owned();
                return Err(ScheduleError::UnknownDescriptor { descriptor, at });
            };
            let period_ns = parse_go_duration(duration).map_err(|reason| ScheduleError::Every {
                descriptor: descriptor.to_owned(),
                reason,
                at: at + EVERY.len(),
            })?;
            let period_s = u64::try_from(period_ns / 1_000_000_000).unwrap_or(0).max(1);
            return Ok(Body::Every { period_s });
        }
    };
    Body::read(written_out(fields, at))
}

/// Returns the fields that a descriptor stands for.
fn written_out(fields: [&'static str; 6], at: usize) -> [FieldText<'static>; 6] {
    let mut texts = Field::ALL.map(|field| FieldText {
        field,
        written: "",
        at,
        hashed: None,
        is_five_field: false,
    });
    for (text, written) in texts.iter_mut().zip(fields) {
        text.written = written;
    }
    texts
}

/// Splits a line of five or six fields, and finds what `~` stands for in each.
fn split_fields<'a>(
    line: &'a str,
    line_at: usize,
    job: &str,
) -> Result<[FieldText<'a>; 6], ScheduleError> {
    let found = line.split_whitespace().count();
    let is_five_field = found == 5;
    let skipped = usize::from(is_five_field);
    let is_hashed =
        line.contains('~') && !line.split_whitespace().any(|part| part.starts_with('@'));
    let sum = if is_hashed { name_sum(job) } else { 0 };

    if found != 5 && found != 6 {
        let mut fields = Vec::with_capacity(found);
        for (index, written) in line.split_whitespace().enumerate() {
            fields.push(match Field::ALL.get(index) {
                Some(field) if is_hashed => {
                    written.replace('~', &hashed_value(*field, sum).to_string())
                }
                _ => written.to_owned(),
            });
        }
        let fields = fields.join(" ");
        return Err(ScheduleError::FieldCount { found, fields, at: line_at });
    }

    let mut texts = written_out(["0", "", "", "", "", ""], line_at);
    for (text, written) in texts.iter_mut().skip(skipped).zip(line.split_whitespace()) {
        text.written = written;
        text.at = line_at + offset_in(line, written);
        text.hashed = is_hashed.then(|| hashed_value(text.field, sum));
        text.is_five_field = is_five_field;
    }
    Ok(texts)
}

/// Returns the sum of the code points of a job's name.
///
/// Dkron's hash, kept to the letter so that no job moves: names that are anagrams of each other
/// share their times.
fn name_sum(job: &str) -> u64 {
    job.chars().map(|c| u64::from(u32::from(c))).sum()
}

/// Returns what `~` stands for in a field.
fn hashed_value(field: Field, sum: u64) -> u32 {
    let value = match field {
        Field::Second | Field::Minute => sum % 60,
        Field::Hour => sum % 24,
        Field::DayOfMonth => sum % 28 + 1,
        Field::Month => sum % 12 + 1,
        Field::DayOfWeek => sum % 7,
    };
    value as u32
}

/// Returns where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}
