//! Reading the values of options.

use std::time::Duration;

use dkron_core::parse_go_duration;

/// Reads a duration that is not negative.
///
/// # Errors
///
/// What is wrong, in words.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let nanoseconds = parse_go_duration(text).map_err(|error| error.to_string())?;
    let nanoseconds = u64::try_from(nanoseconds).map_err(|_| "must not be negative".to_owned())?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_no_sign() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("30").unwrap_err().contains("missing unit"));
        assert_eq!(parse_duration("-1s"), Err("must not be negative".to_owned()));
    }
}
