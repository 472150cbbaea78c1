//! Truth as Dkron's users write it.

/// Reads a truth value as Go does: `1`, `t`, `T`, `true`, `True`, `TRUE`, and the same for false.
///
/// `None` for anything else.
pub(super) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
