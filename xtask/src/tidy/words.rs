//! Words that no file of the repository may hold.

use super::Finding;

/// Notes to oneself; each may stand with the number of an issue, as in `NOTE(#12)`.
///
/// Written in two parts, so that this file passes its own rule.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Absolute paths that mean something on one machine only.
const PRIVATE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/tmp/w", "t"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];

/// Checks one text file of any kind.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for note in NOTES {
            if line.match_indices(note).any(|(at, _)| is_bare(line, at, note.len())) {
                let text = format!("a bare {note}; finish it, or name its issue: {note}(#123)");
                findings.push(Finding::new(path, number, text));
            }
        }
        for private in PRIVATE_PATHS {
            if line.match_indices(private).any(|(at, _)| starts_path(line, at)) {
                let text = format!("{private} exists on one machine only; write a relative path");
                findings.push(Finding::new(path, number, text));
            }
        }
    }
    findings
}

/// Whether the note stands as a word, without the number of an issue behind it.
fn is_bare(line: &str, at: usize, len: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let before = line[..at].chars().next_back();
    let after = &line[at + len..];
    let is_word = !before.is_some_and(joins) && !after.chars().next().is_some_and(joins);
    is_word && !after.starts_with("(#")
}

/// Whether an absolute path starts here, rather than a part of a longer one.
fn starts_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '}' | ')' | '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(line: &str, want: usize) {
        assert_eq!(check("a", line).len(), want, "{line}");
    }

    #[test]
    fn notes_need_the_number_of_an_issue() {
        let note = NOTES[0];
        check_line(&format!("// {note}: later"), 1);
        check_line(&format!("// {note}(#12): later"), 0);
        check_line(&format!("// {note}S"), 0);
    }

    #[test]
    fn private_paths_are_found_where_a_path_starts() {
        let path = PRIVATE_PATHS[0];
        check_line(&format!("see `{path}x`"), 1);
        check_line(&format!("see src{path}x"), 0);
    }
}
