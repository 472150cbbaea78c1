//! What documents claim to be there is there: the tests that show a difference, the list of
//! decisions.

use std::collections::BTreeSet;

use super::Finding;

/// Lists differences; its last column names the tests that show them.
const COMPARISON: &str = "docs/compare.md";

/// Holds the decisions, and their list.
const DECISIONS: &str = "docs/adr/";

/// Checks the documents among `texts`, pairs of path and content.
pub fn check(texts: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text_of = |path: &str| texts.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str());

    let tests = functions(texts);
    for (line, test) in text_of(COMPARISON).map(shown_by).unwrap_or_default() {
        if !tests.contains(test.as_str()) {
            let text = format!("there is no test {test}; name the one that shows this row");
            findings.push(Finding::new(COMPARISON, line, text));
        }
    }

    let list = format!("{DECISIONS}README.md");
    let listed = text_of(&list).unwrap_or_default();
    for (path, _) in texts {
        let name = path.strip_prefix(DECISIONS).filter(|name| name.ends_with(".md"));
        if name.is_some_and(|name| name != "README.md" && !listed.contains(&format!("({name})"))) {
            findings.push(Finding::new(path, 1, format!("not in the list; add it to {list}")));
        }
    }
    findings
}

/// Returns the names of all functions.
fn functions(texts: &[(String, String)]) -> BTreeSet<&str> {
    let files = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
    let calls = files.flat_map(|(_, text)| text.split("fn ").skip(1));
    calls.filter_map(|rest| rest.split(['(', '<', ' ', '\n']).next()).collect()
}

/// Returns what stands in backticks in the last column of tables that head it `Shown by`.
fn shown_by(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(text.lines()) {
        // A bar within a cell is written with a backslash.
        let row = line.replace("\\|", " ");
        let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        if !line.starts_with('|') {
            is_open = false;
        } else if last.trim() == "Shown by" {
            is_open = true;
        } else if is_open {
            let names = last.split('`').skip(1).step_by(2);
            found.extend(names.map(|name| (number, name.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_row_must_name_tests_that_exist() {
        let table = "| Dkron | Here | Shown by |\n|---|---|---|\n\
                     | `a \\| b` | `c` | `it_holds` |\n| d | e | `it_is_gone`, `it_holds` |\n\
                     | f | g | |\n";
        let code = "#[test]\nfn it_holds() {}\n";

        let findings = check(&texts(&[("docs/compare.md", table), ("a/b.rs", code)]));

        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().starts_with("docs/compare.md:4: there is no test it_is_"));
    }

    #[test]
    fn a_decision_must_stand_in_the_list() {
        let files = [
            ("docs/adr/README.md", "[1](0001-a.md)"),
            ("docs/adr/0001-a.md", ""),
            ("docs/adr/0002-b.md", ""),
        ];

        let findings = check(&texts(&files));

        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().starts_with("docs/adr/0002-b.md:1: not in the list"));
    }
}
