//! No panic in production code of the libraries, save a broken invariant that is named.

use super::Finding;
use super::source::Source;

/// The crates whose users must never meet a panic.
const CRATES: &[&str] = &["dkron-core/src/", "dkron-server/src/"];

/// What panics, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    (".unwrap()", "return an error, or .expect(\"invariant: …\")"),
    (".unwrap_err()", "match on the result"),
    ("panic!(", "return an error"),
    ("unreachable!(", "make the case impossible, or .expect(\"invariant: …\")"),
    ("todo!(", "do not land half a feature"),
    ("unimplemented!(", "do not land half a feature"),
];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !CRATES.iter().any(|krate| source.path.starts_with(krate)) {
        return findings;
    }
    let mut find = |at: usize, text: String| {
        if !source.is_test(at) {
            findings.push(Finding::new(source.path, source.line_of(at), text));
        }
    };
    for (banned, instead) in BANNED {
        for at in source.find(banned) {
            find(at, format!("{banned} outside tests; {instead}"));
        }
    }
    for at in source.find(".expect(") {
        let argument = source.text[at + ".expect(".len()..].trim_start();
        // A method of our own, as parsers have, takes something else than a text.
        let is_text = argument.starts_with(['"', '&']) || argument.starts_with("concat!");
        if is_text && !argument.starts_with("\"invariant: ") {
            find(
                at,
                "expect outside tests; return an error, or name the invariant: \
                      .expect(\"invariant: …\")"
                    .into(),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, want: usize) {
        assert_eq!(check(&Source::new(path, text)).len(), want, "{path}: {text}");
    }

    #[test]
    fn panics_are_found_in_production_code_only() {
        check_text("dkron-core/src/a.rs", "fn f() { x.unwrap(); y.expect(\"no\"); panic!() }", 3);
        check_text("dkron-core/src/a.rs", "fn f() { x.unwrap_or(1); p.expect(Token::Comma) }", 0);
        check_text("dkron-core/src/a.rs", "fn f() { x.expect(\n  \"invariant: D1\") }", 0);
        check_text("dkron-core/src/a.rs", "// x.unwrap()\nfn f() { g(\".unwrap()\") }", 0);
        check_text("dkron-core/src/a.rs", "#[cfg(test)]\nmod t { fn f() { x.unwrap() } }", 0);
        check_text("dkron-core/src/testing/a.rs", "fn f() { x.unwrap() }", 0);
        check_text("xtask/src/a.rs", "fn f() { x.unwrap() }", 0);
    }
}
