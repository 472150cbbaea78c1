//! The grace period of `@after`: an ISO 8601 duration, as Dkron reads it.

use std::time::Duration;

/// What is wrong with the grace period of `@after`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraceFault {
    /// Nothing follows the `<`.
    #[error("empty duration string")]
    Empty,
    /// The text is no ISO 8601 duration of the accepted form.
    #[error("invalid ISO8601 duration format: {text}")]
    Format {
        /// The text as written.
        text: String,
    },
    /// All parts are zero, or there are none.
    #[error("duration must be greater than zero")]
    Zero,
    /// A part is a number beyond an `i64`.
    #[error("invalid {unit} value: {digits}")]
    Number {
        /// Which part: `year`, `month`, `day`, `hour` or `minute`.
        unit: &'static str,
        /// Its digits.
        digits: String,
    },
}

/// Designators before the `T`, in their order, with the seconds that each counts.
const DATE_PARTS: [(char, &str, u64); 3] =
    [('Y', "year", 365 * 86_400), ('M', "month", 30 * 86_400), ('D', "day", 86_400)];

/// Designators after the `T` that take whole numbers.
const TIME_PARTS: [(char, &str, u64); 2] = [('H', "hour", 3_600), ('M', "minute", 60)];

/// Reads `P[nY][nM][nD][T[nH][nM][n[.n]S]]`: upper case, each part at most once and in this order.
///
/// A year counts 365 days, a month 30. Only seconds may have a fraction; what lies below a
/// nanosecond is cut. A sum beyond what a [`Duration`] holds is cut to its maximum, so that a very
/// long grace period never ends (Dkron's overflows to a negative one).
pub(super) fn parse_grace(text: &str) -> Result<Duration, GraceFault> {
    if text.is_empty() {
        return Err(GraceFault::Empty);
    }
    let misformed = || GraceFault::Format { text: text.to_owned() };

    let mut rest = text.strip_prefix('P').ok_or_else(misformed)?;
    let mut parts: [Option<(&str, &'static str, u64)>; 5] = [None; 5];
    let mut slots = parts.iter_mut();
    for (part, slot) in DATE_PARTS.iter().zip(slots.by_ref()) {
        take_part(&mut rest, part, slot);
    }
    let mut seconds = Duration::ZERO;
    if let Some(time) = rest.strip_prefix('T') {
        rest = time;
        for (part, slot) in TIME_PARTS.iter().zip(slots) {
            take_part(&mut rest, part, slot);
        }
        seconds = take_seconds(&mut rest).unwrap_or_default();
    }
    if !rest.is_empty() {
        return Err(misformed());
    }

    let mut total = seconds;
    for (digits, unit, unit_s) in parts.into_iter().flatten() {
        let number = digits.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        let number =
            number.ok_or_else(|| GraceFault::Number { unit, digits: digits.to_owned() })?;
        total = total.saturating_add(Duration::from_secs(number.saturating_mul(unit_s)));
    }
    if total.is_zero() {
        return Err(GraceFault::Zero);
    }
    Ok(total)
}

/// Takes digits and their designator from the front of `rest`, if both are there.
fn take_part<'a>(
    rest: &mut &'a str,
    &(designator, unit, unit_s): &(char, &'static str, u64),
    slot: &mut Option<(&'a str, &'static str, u64)>,
) {
    let (digits, after_digits) = split_digits(rest);
    if let Some(after) = after_digits.strip_prefix(designator)
        && !digits.is_empty()
    {
        *rest = after;
        *slot = Some((digits, unit, unit_s));
    }
}

/// Takes `n[.n]S` from the front of `rest`, if it is there.
fn take_seconds(rest: &mut &str) -> Option<Duration> {
    let (whole, mut after) = split_digits(rest);
    let mut fraction = "";
    if let Some(after_point) = after.strip_prefix('.') {
        (fraction, after) = split_digits(after_point);
        if fraction.is_empty() {
            return None;
        }
    }
    let after = after.strip_prefix('S')?;
    if whole.is_empty() {
        return None;
    }
    *rest = after;
    let nanoseconds = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let subsec_ns = nanoseconds.fold(0, |ns, digit| ns * 10 + u32::from(digit - b'0'));
    Some(Duration::new(whole.parse().unwrap_or(u64::MAX), subsec_ns))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Duration) {
        assert_eq!(parse_grace(text), Ok(want), "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, want: &str) {
        assert_eq!(parse_grace(text).unwrap_err().to_string(), want, "{text}");
    }

    #[test]
    fn years_have_365_days_and_months_30() {
        const DAY_S: u64 = 86_400;
        check("PT2H", Duration::from_secs(7_200));
        check("P1D", Duration::from_secs(DAY_S));
        check("P1DT2H30M", Duration::from_secs(DAY_S + 9_000));
        check(
            "P1Y2M3DT4H5M6S",
            Duration::from_secs(365 * DAY_S + 60 * DAY_S + 3 * DAY_S + 4 * 3_600 + 306),
        );
        check("P1M", Duration::from_secs(30 * DAY_S));
        check("PT1M", Duration::from_secs(60));
        check("P1DT", Duration::from_secs(DAY_S));
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        check("PT1.5S", Duration::from_millis(1_500));
        check("PT0.5S", Duration::from_millis(500));
        check("PT0.0000000019S", Duration::from_nanos(1));
    }

    #[test]
    fn very_long_periods_do_not_overflow() {
        for text in ["P293Y", "P106752D", "PT2562048H"] {
            assert!(parse_grace(text).unwrap() > Duration::from_secs(292 * 365 * 86_400), "{text}");
        }
        assert!(parse_grace("P9223372036854775807Y").unwrap() >= Duration::from_secs(u64::MAX));
        assert!(parse_grace("PT99999999999999999999S").unwrap() >= Duration::from_secs(u64::MAX));
    }

    #[test]
    fn other_texts_are_refused() {
        check_refused("", "empty duration string");
        for text in ["P", "PT", "P0D", "PT0S", "PT0.0000000001S"] {
            check_refused(text, "duration must be greater than zero");
        }
        for text in [
            "P2H", "P1W", "pt2h", "-PT2H", "P-1D", "PT1.5H", "P1.5D", "PT1,5S", "2h", "PT.5S",
            "PT1.S", "P1DP1D", "P1D1D", "P1D1Y", "PT1S1M", " PT1S", "PT1S ", "P1Dx",
        ] {
            check_refused(text, &format!("invalid ISO8601 duration format: {text}"));
        }
        check_refused("P99999999999999999999D", "invalid day value: 99999999999999999999");
        check_refused("PT9223372036854775808M", "invalid minute value: 9223372036854775808");
        check_refused("P9223372036854775808Y", "invalid year value: 9223372036854775808");
        check_refused("P9223372036854775808M", "invalid month value: 9223372036854775808");
        check_refused("PT9223372036854775808H", "invalid hour value: 9223372036854775808");
    }
}
