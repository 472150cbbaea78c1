//! No error in a log line without what was being done to what.
//!
//! An error of the system, or of another crate, says only what the system answered. Our own names
//! the action and its object, and prints its sources after it.

use super::Finding;
use super::source::Source;

/// The crates that log.
const CRATES: &[&str] = &["dkron-core/src/", "dkron-server/src/"];

/// How a log line prints an error as it is.
const BANNED: &[&str] = &["%error", "?error"];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    if !CRATES.iter().any(|krate| source.path.starts_with(krate)) {
        return Vec::new();
    }
    let is_whole = |at: &usize, banned: &str| {
        let after = source.code[at + banned.len()..].trim_start();
        after.starts_with([',', ')', ';'])
    };
    let found = BANNED.iter().flat_map(|banned| {
        source.find(banned).into_iter().filter(move |at| is_whole(at, banned)).map(move |at| {
            let text = format!(
                "{banned} of a raw error in a log line; name what was being done to what: \
                 error = Error::new(kind, action).with_source(error).report()"
            );
            Finding::new(source.path, source.line_of(at), text)
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, want: usize) {
        assert_eq!(check(&Source::new(path, text)).len(), want, "{path}: {text}");
    }

    #[test]
    fn raw_errors_are_found_in_log_lines() {
        let path = "dkron-core/src/a.rs";
        check_text(path, "fn f() { tracing::warn!(%error, \"no\") }", 1);
        check_text(path, "fn f() { tracing::warn!(error = %error, \"no\") }", 1);
        check_text(path, "fn f() { tracing::warn!(why, ?error) }", 1);
        check_text(path, "fn f() { tracing::warn!(error = %error.report(), \"no\") }", 0);
        check_text(path, "fn f() { tracing::warn!(error = error.report(), \"%error,\") }", 0);
        check_text("xtask/src/a.rs", "fn f() { tracing::warn!(%error, \"no\") }", 0);
    }
}
