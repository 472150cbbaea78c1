//! Markdown has one sentence per line, so that a changed sentence is a changed line.

use super::Finding;

/// Checks one Markdown file. Tables and headings are left alone.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_prose = |line: &str| !line.trim_start().starts_with(['|', '#', '>']);
    let prose = lines(text).filter(|(_, line)| is_prose(line));
    let joined = prose.filter(|(_, line)| has_two_sentences(&without_code(line)));
    joined
        .map(|(number, _)| Finding::new(path, number, "two sentences; give each its own line"))
        .collect()
}

/// Returns the lines outside fenced blocks, with their numbers.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Returns the line without what stands in backticks.
pub fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Whether a full stop after a word is followed by a capital letter.
fn has_two_sentences(line: &str) -> bool {
    line.match_indices(". ").any(|(at, _)| {
        let word = line[..at].rsplit([' ', '(']).next().unwrap_or_default();
        // A number or a letter starts a list; "e.g." and the like hold a full stop themselves.
        let is_word = word.chars().count() > 1
            && !word.contains('.')
            && !word.chars().all(|c| c.is_ascii_digit());
        is_word && line[at + 2..].starts_with(|c: char| c.is_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(line: &str, want: usize) {
        assert_eq!(check("a.md", line).len(), want, "{line}");
    }

    #[test]
    fn two_sentences_on_a_line_are_found_in_prose_only() {
        check_line("One sentence. Another one.", 1);
        check_line("One sentence, e.g. One.", 0);
        check_line("1. One sentence.", 0);
        check_line("**Lead.** One sentence.", 0);
        check_line("Run `a. B` now.", 0);
        check_line("| One. Two. |", 0);
        check_line("```\nOne here. Two here.\n```", 0);
    }
}
