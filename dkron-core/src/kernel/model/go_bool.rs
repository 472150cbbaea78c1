//! Truth as Dkron's users write it, in the configuration of executors and of the daemon.

/// Reads a truth value as Go does: `1`, `t`, `T`, `true`, `True`, `TRUE`, and the same for false.
///
/// `None` for anything else.
///
/// # Examples
///
/// ```
/// assert_eq!(dkron_core::parse_go_bool("True"), Some(true));
/// assert_eq!(dkron_core::parse_go_bool("yes"), None);
/// ```
pub fn parse_go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bools_have_the_spellings_of_go() {
        assert_eq!(parse_go_bool("T"), Some(true));
        assert_eq!(parse_go_bool("False"), Some(false));
        assert_eq!(parse_go_bool("yes"), None);
    }
}
