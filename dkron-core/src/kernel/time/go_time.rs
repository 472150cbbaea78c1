//! RFC 3339 instants as Go reads them, with Go's reasons when it refuses.
//!
//! Dkron hands the date of `@at` and `@after` to Go's `time.Parse`, whose reading is a little wider
//! than RFC 3339: one digit suffices for the hour, a comma may begin the fraction, and an offset
//! may go to 24 hours and 60 minutes. Its error names the first element of the layout that did not
//! fit, and the rest of the text at that place.
//!
//! [`Timestamp::parse_rfc3339`] is the strict form, for everything that is ours.

use super::Timestamp;
use super::civil::{DAY_S, Date, days_in_month};
use super::go_quote::TimeQuoted;

/// The layout as Go spells it, by the date that serves it as the example.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// Reads an RFC 3339 instant as Go does.
///
/// Year 0, which Go knows and [`Timestamp`] does not, is taken as [`Timestamp::MIN`]; a time that
/// its offset moves past the year 9999, as [`Timestamp::MAX`]. Digits past the nanosecond are cut.
///
/// # Errors
///
/// [`GoTimeError`] with Go's text.
pub fn parse_go_rfc3339(text: &str) -> Result<Timestamp, GoTimeError> {
    let mut reader = Reader { text, rest: text };
    let year = reader.year()?;
    reader.skip("-")?;
    let month = reader.number("01", true, 1..=12, "month")?;
    reader.skip("-")?;
    let day = reader.number("02", true, 0..=99, "day")?;
    reader.skip("T")?;
    let hour = reader.number("15", false, 0..=23, "hour")?;
    reader.skip(":")?;
    let minute = reader.number("04", true, 0..=59, "minute")?;
    reader.skip(":")?;
    let second = reader.number("05", true, 0..=59, "second")?;
    let subsec_ns = reader.fraction_ns();
    let offset_s = reader.offset_s()?;
    if !reader.rest.is_empty() {
        let rest = TimeQuoted(reader.rest);
        return Err(reader.refused(format!(": extra text: {rest}")));
    }
    if day < 1 || day > days_in_month(year, month) {
        return Err(reader.refused(": day out of range".to_owned()));
    }

    let day_s = Date { year, month, day }.day_number() * DAY_S;
    let unix_s = day_s + i64::from(hour * 3_600 + minute * 60 + second) - offset_s;
    Ok(match Timestamp::from_parts(unix_s, subsec_ns) {
        Some(at) => at,
        None if unix_s < 0 => Timestamp::MIN,
        None => Timestamp::MAX,
    })
}

/// A text that Go's `time.Parse` refuses as RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {}{reason}", TimeQuoted(text))]
pub struct GoTimeError {
    /// The text as given.
    pub(crate) text: String,
    /// What follows the text in Go's message, from its first punctuation on.
    pub(crate) reason: String,
    /// Where in the text the reader stood, in bytes.
    pub(crate) at: usize,
}

/// Walks along the text as the layout prescribes.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn year(&mut self) -> Result<i32, GoTimeError> {
        let digits = self.rest.get(..4).filter(|year| year.bytes().all(|b| b.is_ascii_digit()));
        let year = digits.and_then(|year| year.parse().ok());
        let year = year.ok_or_else(|| self.misfit("2006"))?;
        self.advance(4);
        Ok(year)
    }

    /// Takes a literal of the layout.
    fn skip(&mut self, literal: &str) -> Result<(), GoTimeError> {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.misfit(literal)),
        }
    }

    /// Takes two digits, or one where the layout allows it.
    fn number(
        &mut self,
        element: &str,
        is_fixed: bool,
        accepted: std::ops::RangeInclusive<u32>,
        name: &str,
    ) -> Result<u32, GoTimeError> {
        let digits = self.digits_ahead(2);
        let wanted = if is_fixed { 2 } else { 1 };
        if digits < wanted {
            return Err(self.misfit(element));
        }
        let number = self.rest.get(..digits).and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
        self.advance(digits);
        if !accepted.contains(&number) {
            return Err(self.refused(format!(": {name} out of range")));
        }
        Ok(number)
    }

    /// Takes a fraction of a second, if there is one; returns nanoseconds.
    fn fraction_ns(&mut self) -> u32 {
        let Some(after_point) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let digits = after_point.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return 0;
        }
        let nanoseconds = after_point.bytes().take(digits).chain(std::iter::repeat(b'0')).take(9);
        self.rest = after_point.get(digits..).unwrap_or_default();
        nanoseconds.fold(0, |ns, digit| ns * 10 + u32::from(digit - b'0'))
    }

    /// Takes `Z` or a numeric offset; returns seconds east of UTC.
    fn offset_s(&mut self) -> Result<i64, GoTimeError> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let element = "Z07:00";
        let &[sign, h1, h2, b':', m1, m2, ..] = self.rest.as_bytes() else {
            return Err(self.misfit(element));
        };
        let digits = [h1, h2, m1, m2];
        if !digits.iter().all(u8::is_ascii_digit) || !matches!(sign, b'+' | b'-') {
            return Err(self.misfit(element));
        }
        let [h1, h2, m1, m2] = digits.map(|digit| i64::from(digit - b'0'));
        let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
        self.advance(6);
        // 24 and 60 pass: so they do in Go.
        if hours > 24 {
            return Err(self.refused(": time zone offset hour out of range".to_owned()));
        }
        if minutes > 60 {
            return Err(self.refused(": time zone offset minute out of range".to_owned()));
        }
        let offset_s = (hours * 60 + minutes) * 60;
        Ok(if sign == b'-' { -offset_s } else { offset_s })
    }

    /// Returns how many of the next `limit` bytes are digits, up to the first that is none.
    fn digits_ahead(&self, limit: usize) -> usize {
        self.rest.bytes().take(limit).take_while(u8::is_ascii_digit).count()
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn misfit(&self, element: &str) -> GoTimeError {
        let (layout, rest) = (TimeQuoted(LAYOUT), TimeQuoted(self.rest));
        let element = TimeQuoted(element);
        self.refused(format!(" as {layout}: cannot parse {rest} as {element}"))
    }

    fn refused(&self, reason: String) -> GoTimeError {
        let at = self.text.len() - self.rest.len();
        GoTimeError { text: self.text.to_owned(), reason, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(parse_go_rfc3339(text).unwrap().to_string(), want, "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, want: &str) {
        assert_eq!(
            parse_go_rfc3339(text).unwrap_err().to_string(),
            format!("parsing time \"{text}\"{want}")
        );
    }

    #[test]
    fn instants_are_read_with_their_offset_and_fraction() {
        check("2031-05-06T07:08:09Z", "2031-05-06T07:08:09Z");
        check("2031-05-06T07:08:09+05:45", "2031-05-06T01:23:09Z");
        check("2031-05-06T07:08:09-03:30", "2031-05-06T10:38:09Z");
        check("2030-01-01T00:00:00.123Z", "2030-01-01T00:00:00.123Z");
        check("2030-01-01T00:00:00.1234567899Z", "2030-01-01T00:00:00.123456789Z");
    }

    #[test]
    fn what_go_accepts_beyond_rfc_3339_is_accepted() {
        check("2030-01-01T5:04:05Z", "2030-01-01T05:04:05Z");
        check("2030-01-01T00:00:00,5Z", "2030-01-01T00:00:00.5Z");
        check("2030-01-02T00:00:00+24:00", "2030-01-01T00:00:00Z");
        check("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
        check("9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn other_texts_are_refused_in_gos_words() {
        const AS: &str = " as \"2006-01-02T15:04:05Z07:00\": cannot parse ";
        let misfit = |text: &str, rest: &str, element: &str| {
            check_refused(text, &format!("{AS}\"{rest}\" as \"{element}\""));
        };
        misfit("x", "x", "2006");
        misfit("", "", "2006");
        misfit("203", "203", "2006");
        misfit("2030-1-01", "1-01", "01");
        misfit("2031-05-06", "", "T");
        misfit("2031-05-06 07:08:09Z", " 07:08:09Z", "T");
        misfit("2030-01-01t00:00:00z", "t00:00:00z", "T");
        misfit("2031-05-06T07:08:09", "", "Z07:00");
        misfit("2031-05-06T07:08Z", "Z", ":");
        misfit("2031-05-06T07:08:09+0200", "+0200", "Z07:00");
        misfit("2031-05-06T07:08:09.Z", ".Z", "Z07:00");
        misfit("1936224000", "224000", "-");
        check_refused("2031-02-30T07:08:09Z", ": day out of range");
        check_refused("2031-02-00T07:08:09Z", ": day out of range");
        check_refused("2031-13-01T07:08:09Z", ": month out of range");
        check_refused("2031-05-06T24:08:09Z", ": hour out of range");
        check_refused("2031-05-06T23:60:09Z", ": minute out of range");
        check_refused("2031-05-06T23:59:60Z", ": second out of range");
        check_refused("2031-05-06T23:59:59+25:00", ": time zone offset hour out of range");
        check_refused("2031-05-06T23:59:59+00:61", ": time zone offset minute out of range");
        check_refused("2031-05-06T23:59:59Z ", ": extra text: \" \"");
    }
}
