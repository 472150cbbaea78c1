//! Spans of time as Go writes them: `1h30m`, `1.5s`, `-250ms`, `3µs`.
//!
//! Dkron's users write these in schedules (`@every`) and in executor settings (`timeout`), so they
//! are read exactly as Go reads them, and refused in Go's words.

use super::go_quote::TimeQuoted;

/// The largest magnitude: that of the smallest `i64`.
const MAGNITUDE_MAX: u64 = 1 << 63;

/// Reads a Go duration; returns nanoseconds, which may be negative.
///
/// A sign, then one or more decimal numbers (`1`, `1.5`, `.5`, `5.`) each followed by a unit: `ns`,
/// `us` or `µs`, `ms`, `s`, `m`, `h`. Only `0` needs no unit. There are no days. Parts add up,
/// whatever their order. What lies below a nanosecond is cut.
///
/// # Errors
///
/// [`GoDurationError`] with Go's text, also for what exceeds an `i64` (292 years).
pub fn parse_go_duration(text: &str) -> Result<i64, GoDurationError> {
    let invalid = || GoDurationError::Invalid { text: text.to_owned() };
    let (is_negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if unsigned == "0" {
        return Ok(0);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }

    let mut total_ns: u64 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let (number, after_number) = Number::take(rest).ok_or_else(invalid)?;
        let unit_end = after_number.find(|c: char| c == '.' || c.is_ascii_digit());
        let (unit, after_unit) = after_number.split_at(unit_end.unwrap_or(after_number.len()));
        if unit.is_empty() {
            return Err(GoDurationError::MissingUnit { text: text.to_owned() });
        }
        let unit_ns = unit_ns(unit).ok_or_else(|| GoDurationError::UnknownUnit {
            unit: unit.to_owned(),
            text: text.to_owned(),
        })?;
        let part_ns = number.times(unit_ns).ok_or_else(invalid)?;
        total_ns = total_ns
            .checked_add(part_ns)
            .filter(|&total_ns| total_ns <= MAGNITUDE_MAX)
            .ok_or_else(invalid)?;
        rest = after_unit;
    }

    if is_negative {
        return Ok(0_i64.wrapping_sub_unsigned(total_ns));
    }
    i64::try_from(total_ns).map_err(|_| invalid())
}

/// An unsigned decimal number.
struct Number {
    whole: u64,
    /// The digits after the point, as a whole number over `scale`.
    fraction: u64,
    scale: f64,
}

impl Number {
    /// Takes a number from the front of `text`; `None` if there is none or it is too large.
    fn take(text: &str) -> Option<(Self, &str)> {
        let whole_end = text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole_digits, mut rest) = text.split_at(whole_end);
        let mut whole: u64 = 0;
        for digit in whole_digits.bytes() {
            whole = whole.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        if whole > MAGNITUDE_MAX {
            return None;
        }

        let (mut fraction, mut scale) = (0_u64, 1.0);
        let mut fraction_len = 0;
        if let Some(after_point) = rest.strip_prefix('.') {
            fraction_len = after_point.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction_digits, after_digits) = after_point.split_at(fraction_len);
            rest = after_digits;
            for digit in fraction_digits.bytes() {
                let longer = fraction
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_add(u64::from(digit - b'0')))
                    .filter(|&longer| longer <= MAGNITUDE_MAX);
                // Digits past those that fit cannot matter.
                let Some(longer) = longer else { break };
                fraction = longer;
                scale *= 10.0;
            }
        }
        if whole_end + fraction_len == 0 {
            return None;
        }
        Some((Self { whole, fraction, scale }, rest))
    }

    /// Returns the number times a unit; `None` past the largest magnitude.
    fn times(&self, unit_ns: u64) -> Option<u64> {
        let whole_ns = self.whole.checked_mul(unit_ns).filter(|&ns| ns <= MAGNITUDE_MAX)?;
        // In floating point as Go does it, so that the last nanosecond agrees.
        let fraction_ns = (self.fraction as f64 * (unit_ns as f64 / self.scale)) as u64;
        whole_ns.checked_add(fraction_ns).filter(|&ns| ns <= MAGNITUDE_MAX)
    }
}

/// Returns the nanoseconds in a unit. The micro sign and the Greek letter mu both count.
fn unit_ns(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A text that is no Go duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GoDurationError {
    /// Not of the form, or too long for an `i64` of nanoseconds.
    #[error("time: invalid duration {}", TimeQuoted(text))]
    Invalid {
        /// The text as given.
        text: String,
    },
    /// A number stands without a unit.
    #[error("time: missing unit in duration {}", TimeQuoted(text))]
    MissingUnit {
        /// The text as given.
        text: String,
    },
    /// A unit that Go does not have.
    #[error("time: unknown unit {} in duration {}", TimeQuoted(unit), TimeQuoted(text))]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The text as given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want_ns: i64) {
        assert_eq!(parse_go_duration(text), Ok(want_ns), "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, want: &str) {
        assert_eq!(parse_go_duration(text).unwrap_err().to_string(), want);
    }

    #[test]
    fn units_add_up_in_any_order() {
        const S: i64 = 1_000_000_000;
        check("0", 0);
        check("-0", 0);
        check("1h30m", 5_400 * S);
        check("5m1h", 3_900 * S);
        check("1h1h1m", 7_260 * S);
        check("+11s", 11 * S);
        check("-3m", -180 * S);
        check("10us", 10_000);
        check("10\u{b5}s", 10_000);
        check("10\u{3bc}s", 10_000);
        check("7ns", 7);
    }

    #[test]
    fn fractions_are_cut_at_the_nanosecond() {
        check("1.5s", 1_500_000_000);
        check(".75m", 45_000_000_000);
        check("5.s", 5_000_000_000);
        check("1.25h", 4_500_000_000_000);
        check("59m59.999s", 3_599_999_000_000);
        check("0.3333333333333333333h", 1_200_000_000_000);
        check("0.9999999999ns", 0);
        check("0.100000000000000000000h", 360_000_000_000);
        check("0.9223372036854775807h", 3_320_413_933_267);
        check("0.9223372036854775808h", 3_320_413_933_267);
    }

    #[test]
    fn the_range_is_that_of_an_i64() {
        check("9223372036854775807ns", i64::MAX);
        check("-9223372036854775808ns", i64::MIN);
        check("2562047h47m16.854775807s", i64::MAX);
        for text in ["9223372036854775808ns", "9223372037s", "2562048h", "99999999999999999999s"] {
            check_refused(text, &format!("time: invalid duration \"{text}\""));
        }
    }

    #[test]
    fn other_texts_are_refused_in_gos_words() {
        check_refused("", r#"time: invalid duration """#);
        check_refused("-", r#"time: invalid duration "-""#);
        check_refused("+-5s", r#"time: invalid duration "+-5s""#);
        check_refused(".s", r#"time: invalid duration ".s""#);
        check_refused(" 9s", r#"time: invalid duration " 9s""#);
        check_refused("five", r#"time: invalid duration "five""#);
        check_refused("3", r#"time: missing unit in duration "3""#);
        check_refused("1s5", r#"time: missing unit in duration "1s5""#);
        check_refused("1d", r#"time: unknown unit "d" in duration "1d""#);
        check_refused("1h-5m", r#"time: unknown unit "h-" in duration "1h-5m""#);
        check_refused("5m ", r#"time: unknown unit "m " in duration "5m ""#);
        check_refused("1ü", r#"time: unknown unit "\xc3\xbc" in duration "1\xc3\xbc""#);
        check_refused("1..5s", r#"time: missing unit in duration "1..5s""#);
    }
}
