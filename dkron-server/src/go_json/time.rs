//! Times, as Go's `time.Time` is read from and written to JSON.

use std::fmt;

use dkron_core::{Timestamp, parse_go_rfc3339};

use super::decode::{Decoder, Kind};
use super::error::DecodeError;

/// The layout in Go's messages.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// An instant as Go writes it: RFC 3339 with the offset of a zone, the fraction without its zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoTime {
    /// The instant.
    pub at: Timestamp,
    /// Seconds east of UTC; what does not make a minute is cut.
    pub offset_s: i32,
}

impl GoTime {
    /// An instant in UTC.
    pub const fn utc(at: Timestamp) -> Self {
        Self { at, offset_s: 0 }
    }

    /// An instant or, for none, Go's zero time: the first second of the year 1.
    pub fn utc_or_zero(at: Option<Timestamp>) -> Self {
        Self::utc(at.unwrap_or(Timestamp::MIN))
    }
}

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.offset_s == 0 {
            return self.at.fmt(f);
        }
        let span = std::time::Duration::from_secs(self.offset_s.unsigned_abs().into());
        let (sign, local) = if self.offset_s < 0 {
            ('-', self.at.saturating_sub(span))
        } else {
            ('+', self.at.saturating_add(span))
        };
        let minutes = self.offset_s.unsigned_abs() / 60;
        let local = local.to_string();
        let clock = local.trim_end_matches('Z');
        write!(f, "{clock}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Reads a time that has no unset form but `null`, which leaves `out` as it is.
///
/// # Errors
///
/// [`DecodeError::Value`] in Go's words.
pub fn read_time(
    decoder: &mut Decoder<'_>,
    out: &mut Option<Timestamp>,
) -> Result<(), DecodeError> {
    match decoder.kind() {
        Kind::Null => decoder.skip(),
        Kind::String => {
            *out = Some(parse_strict(&raw_text(decoder)?)?);
            Ok(())
        }
        _ => Err(not_a_string()),
    }
}

/// Reads a time that `null` unsets; beside RFC 3339 it may have the form `2006-01-02T15:04` of an
/// HTML input, which is taken as UTC.
///
/// # Errors
///
/// [`DecodeError::Value`] in Go's words.
pub fn read_nullable_time(
    decoder: &mut Decoder<'_>,
    out: &mut Option<Timestamp>,
) -> Result<(), DecodeError> {
    match decoder.kind() {
        Kind::Null => {
            *out = None;
            decoder.skip()
        }
        Kind::String => {
            let text = raw_text(decoder)?;
            *out = Some(match parse_datetime_local(&text) {
                Some(at) => at,
                None => parse_strict(&text)?,
            });
            Ok(())
        }
        _ => Err(not_a_string()),
    }
}

fn not_a_string() -> DecodeError {
    DecodeError::Value("Time.UnmarshalJSON: input is not a JSON string".to_owned())
}

/// Returns what stands between the quotes, escapes and all: so Go parses it.
fn raw_text(decoder: &mut Decoder<'_>) -> Result<String, DecodeError> {
    let raw = decoder.raw()?;
    let quoted = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    Ok(String::from_utf8_lossy(quoted.unwrap_or_default()).into_owned())
}

/// Parses RFC 3339 without the liberties that Go's parser takes elsewhere.
fn parse_strict(text: &str) -> Result<Timestamp, DecodeError> {
    let refused = |rest: &str, element: &str, note: &str| {
        DecodeError::Value(format!(
            "parsing time \"{text}\" as \"{LAYOUT}\": cannot parse \"{rest}\" as \
             \"{element}\"{note}"
        ))
    };
    let at = parse_go_rfc3339(text).map_err(|error| DecodeError::Value(error.to_string()))?;
    let bytes = text.as_bytes();
    if bytes.get(12) == Some(&b':') {
        return Err(refused(text.get(11..12).unwrap_or_default(), "15", ""));
    }
    if bytes.get(19) == Some(&b',') {
        return Err(refused(",", ".", ""));
    }
    if let Some((_, offset)) = text.split_at_checked(text.len().saturating_sub(6))
        && !text.ends_with('Z')
    {
        let parts = (offset.get(1..3), offset.get(4..6));
        if parts.0.is_some_and(|hours| hours >= "24") {
            return Err(refused(offset, "Z07:00", ": timezone hour out of range"));
        }
        if parts.1.is_some_and(|minutes| minutes >= "60") {
            return Err(refused(offset, "Z07:00", ": timezone minute out of range"));
        }
    }
    Ok(at)
}

fn parse_datetime_local(text: &str) -> Option<Timestamp> {
    if text.len() != "2006-01-02T15:04".len() {
        return None;
    }
    parse_go_rfc3339(&format!("{text}:00Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, want: Result<Option<&str>, &str>) {
        let mut decoder = Decoder::open(json.as_bytes(), "Job").unwrap();
        let mut out = None;
        let got = read_nullable_time(&mut decoder, &mut out);
        let got = got.map(|()| out.map(|at| at.to_string())).map_err(|error| error.to_string());
        assert_eq!(got, want.map(|at| at.map(str::to_owned)).map_err(str::to_owned), "{json}");
    }

    #[test]
    fn nullable_times_have_three_forms() {
        check("null", Ok(None));
        check("\"2035-06-01T12:34:56.7+02:00\"", Ok(Some("2035-06-01T10:34:56.7Z")));
        check("\"2035-06-01T12:34\"", Ok(Some("2035-06-01T12:34:00Z")));
        for json in ["12", "{}", "[]", "true"] {
            check(json, Err("Time.UnmarshalJSON: input is not a JSON string"));
        }
    }

    #[test]
    fn other_texts_are_refused_in_gos_words() {
        let refused = |text: &str, want: &str| {
            let want = format!("parsing time \"{text}\" as \"{LAYOUT}\": cannot parse {want}");
            check(&format!("\"{text}\""), Err(&want));
        };
        refused("", "\"\" as \"2006\"");
        refused("yesterday", "\"yesterday\" as \"2006\"");
        refused("2035-06-01", "\"\" as \"T\"");
        refused("2035-06-01T1:04:05Z", "\"1\" as \"15\"");
        refused("2035-06-01T12:34:56,5Z", "\",\" as \".\"");
        refused(
            "2035-06-01T12:34:56+24:00",
            "\"+24:00\" as \"Z07:00\": timezone hour out of range",
        );
        refused("2035-06-01T12:34:5", "\"5\" as \"05\"");
    }

    #[test]
    fn times_are_written_with_the_offset_of_their_zone() {
        let at = Timestamp::parse_rfc3339("2026-11-21T23:30:00.120Z").unwrap();
        let written = |offset_s: i32| GoTime { at, offset_s }.to_string();
        assert_eq!(written(0), "2026-11-21T23:30:00.12Z");
        assert_eq!(written(3_600), "2026-11-22T00:30:00.12+01:00");
        assert_eq!(written(-12_600), "2026-11-21T20:00:00.12-03:30");
        assert_eq!(GoTime::utc_or_zero(None).to_string(), "0001-01-01T00:00:00Z");
    }
}
