//! The shape of a Rust file: its header, name, length and width, and no ignored tests.

use super::Finding;
use super::source::Source;

/// Longest line, in characters.
const WIDTH_MAX: usize = 100;

/// Most lines of production code in one file.
const LINES_MAX: usize = 600;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "managers"];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line: usize, text: String| {
        findings.push(Finding::new(source.path, line, text));
    };

    if !starts_with_header(source.text) {
        find(1, "no module header; begin with //! and the question the module answers".into());
    }
    for part in source.path.trim_end_matches(".rs").split('/') {
        if EMPTY_NAMES.contains(&part) {
            find(1, format!("\"{part}\" names nothing; put the code beside what uses it"));
        }
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let width = line.chars().count();
        if width > WIDTH_MAX && !line.contains("://") {
            find(number, format!("{width} columns; break the line at {WIDTH_MAX}"));
        }
    }
    let lines = source.production_lines();
    if lines > LINES_MAX && !LONG_FILES.iter().any(|(path, _)| *path == source.path) {
        find(1, format!("{lines} lines outside tests; split the file below {LINES_MAX}"));
    }
    for at in source.find("#[ignore") {
        let text = "an ignored test; assert today's behaviour with the number of its issue";
        find(source.line_of(at), text.into());
    }
    findings
}

/// Whether the first line that is neither blank nor an inner attribute is a `//!`.
fn starts_with_header(text: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.skip_while(|line| line.is_empty() || line.starts_with("#!"));
    lines.next().is_some_and(|line| line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, want: &str) {
        let findings = check(&Source::new(path, text));
        match want {
            "" => assert_eq!(findings, []),
            want => {
                assert_eq!(findings.len(), 1, "{findings:?}");
                assert!(findings[0].to_string().contains(want), "{}", findings[0]);
            }
        }
    }

    #[test]
    fn each_rule_finds_its_case_and_nothing_else() {
        check_text("a/x.rs", "//! Header.\nfn f() {}\n", "");
        check_text("a/x.rs", "#![no_main]\n\n//! Header.\n", "");
        check_text("a/x.rs", "fn f() {}\n", "a/x.rs:1: no module header");
        check_text("a/util.rs", "//! Header.\n", "\"util\" names nothing");
        check_text("a/types/x.rs", "//! Header.\n", "\"types\" names nothing");
        check_text("a/x.rs", &format!("//! Header.\n// {}\n", "é".repeat(98)), "x.rs:2: 101 col");
        check_text("a/x.rs", &format!("//! https://{}\n", "a".repeat(98)), "");
        check_text("a/x.rs", &format!("//! Header.\n{}", "\n".repeat(600)), "601 lines outside");
        check_text("a/tests/x.rs", &format!("//! Header.\n{}", "\n".repeat(600)), "");
        check_text("a/x.rs", "//! H.\n#[cfg(test)]\n#[ignore]\nfn f() {}\n", "x.rs:3: an ignored");
    }
}
