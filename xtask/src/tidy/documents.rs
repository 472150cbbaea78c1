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

    let tests = tests(texts);
    for (line, named) in text_of(COMPARISON).map(shown_by).unwrap_or_default() {
        if named.is_empty() {
            let text = "no test shows this row; write one and name it".to_owned();
            findings.push(Finding::new(COMPARISON, line, text));
        }
        for test in named.iter().filter(|test| !tests.contains(test.as_str())) {
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

/// Returns the names of all tests: functions behind `#[test]` or `#[tokio::test…]`, or within
/// `proptest!` alike.
fn tests(texts: &[(String, String)]) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    for (_, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((before, rest)) = line.split_once("fn ")
                && matches!(before, "" | "async " | "pub " | "pub(super) ")
            {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                tests.extend(is_test.then_some(name));
                is_test = false;
            }
        }
    }
    tests
}

/// Returns, for each row of the tables that head their last column `Shown by`, its line and what
/// stands in backticks in that column.
fn shown_by(text: &str) -> Vec<(usize, Vec<String>)> {
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
        } else if is_open && !last.starts_with("---") {
            let names = last.split('`').skip(1).step_by(2);
            found.push((number, names.map(str::to_owned).collect()));
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
        let code = "#[test]\n#[cfg(unix)]\nasync fn it_holds() {}\nfn it_is_gone() {}\n";

        let findings = check(&texts(&[("docs/compare.md", table), ("a/b.rs", code)]));

        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("docs/compare.md:4: there is no test it_is_gone"),
            "{found:?}"
        );
        assert!(found[1].starts_with("docs/compare.md:5: no test shows this row"), "{found:?}");
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
