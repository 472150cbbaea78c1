//! Reading the values of options as Go reads them.

use std::time::Duration;

use dkron_core::parse_go_duration;

/// Reads a bool: `1`, `t`, `T`, `TRUE`, `true`, `True` and their opposites.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

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
    fn bools_have_the_spellings_of_go() {
        assert_eq!(parse_bool("T"), Some(true));
        assert_eq!(parse_bool("False"), Some(false));
        assert_eq!(parse_bool("yes"), None);
    }

    #[test]
    fn durations_need_a_unit_and_no_sign() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("30").unwrap_err().contains("missing unit"));
        assert_eq!(parse_duration("-1s"), Err("must not be negative".to_owned()));
    }
}
