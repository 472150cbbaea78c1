//! Splits a command line into words, for commands that run without a shell.
//!
//! Words are separated by blanks, tabs and line ends. Single quotes keep everything between them;
//! double quotes keep everything but a backslash; a backslash keeps the character after it, except
//! that `\n` is a line end and `\t` a tab. Text between backquotes, or between `$(` and `)`, is one
//! literal piece, marks included. Variables, globs and comments mean nothing.

/// A command line that cannot be run without a shell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordsError {
    /// A quote, a backquote or `$(` is not closed, a parenthesis is bare, or a backslash is last.
    #[error("invalid command line string")]
    Unbalanced,
    /// A character that only a shell gives a meaning to.
    #[error(
        "unquoted \"{operator}\" at byte {at} of the command needs a shell: set shell: \"true\", \
         or quote it"
    )]
    Operator {
        /// The character.
        operator: char,
        /// Where it stands, in bytes.
        at: usize,
    },
}

/// Inside of what the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Single,
    Double,
    Back,
    Dollar,
}

/// Splits a command line; an empty or blank one has no words.
pub(super) fn split_words(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut within = Within::Nothing;
    let mut is_after_dollar = false;
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        let was_after_dollar = std::mem::take(&mut is_after_dollar);
        let mut keep = |kept: char| word.get_or_insert_default().push(kept);
        match (within, c) {
            (Within::Single, '\'') | (Within::Double, '"') => within = Within::Nothing,
            (Within::Back, '`') | (Within::Dollar, ')') => {
                keep(c);
                within = Within::Nothing;
            }
            (Within::Dollar, '(') => return Err(WordsError::Unbalanced),
            (Within::Nothing | Within::Double, '\\') => {
                let (_, escaped) = characters.next().ok_or(WordsError::Unbalanced)?;
                keep(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            (Within::Nothing, ' ' | '\t' | '\r' | '\n') => words.extend(word.take()),
            (Within::Nothing, '\'' | '"') => {
                word.get_or_insert_default();
                within = if c == '"' { Within::Double } else { Within::Single };
            }
            (Within::Nothing, '`') => {
                keep(c);
                within = Within::Back;
            }
            (Within::Nothing, '(') if was_after_dollar => {
                keep(c);
                within = Within::Dollar;
            }
            (Within::Nothing, '(' | ')') => return Err(WordsError::Unbalanced),
            (Within::Nothing, ';' | '&' | '|' | '<' | '>') => {
                return Err(WordsError::Operator { operator: c, at });
            }
            _ => {
                keep(c);
                is_after_dollar = within == Within::Nothing && c == '$';
            }
        }
    }
    if within != Within::Nothing {
        return Err(WordsError::Unbalanced);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, want: &[&str]) {
        assert_eq!(split_words(line).as_deref(), Ok(want.map_owned().as_slice()), "{line:?}");
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for [&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn blanks_separate_words() {
        check("", &[]);
        check(" \t\r\n ", &[]);
        check("a b", &["a", "b"]);
        check("  a\tb\r\nc ", &["a", "b", "c"]);
        check("a\u{a0}b\u{3000}c", &["a\u{a0}b\u{3000}c"]);
    }

    #[test]
    fn quotes_join_and_may_be_empty() {
        check("printf '[%s]' 'a b' \"c d\" e\\ f", &["printf", "[%s]", "a b", "c d", "e f"]);
        check("a\"b c\"d", &["ab cd"]);
        check("a'b'\"c\"", &["abc"]);
        check("'' a \"\"", &["", "a", ""]);
        check("'a\"b' \"a'b\"", &["a\"b", "a'b"]);
        check("echo 'it'\\''s'", &["echo", "it's"]);
    }

    #[test]
    fn a_backslash_keeps_the_next_character() {
        check("a\\ b", &["a b"]);
        check("\\\\ \\' \\\" \\; \\( \\`", &["\\", "'", "\"", ";", "(", "`"]);
        check("\"a\\\"b\" \"a\\$b\" \"a\\b\"", &["a\"b", "a$b", "ab"]);
        check("a\\\nb", &["a\nb"]);
        check("'a\\nb'", &["a\\nb"]);
    }

    #[test]
    fn escaped_n_and_t_are_a_line_end_and_a_tab() {
        check("\"a\\nb\" a\\nb a\\tb \\r", &["a\nb", "a\nb", "a\tb", "r"]);
    }

    #[test]
    fn variables_globs_comments_and_braces_are_plain_text() {
        check("echo $HOME ~ * {a,b} #c d=e", &["echo", "$HOME", "~", "*", "{a,b}", "#c", "d=e"]);
    }

    #[test]
    fn command_substitutions_are_one_literal_piece() {
        check("a`b c`d", &["a`b c`d"]);
        check("`a;b'\\`", &["`a;b'\\`"]);
        check("a$(b c)d e", &["a$(b c)d", "e"]);
        check("$(a;b\"') $( x )", &["$(a;b\"')", "$( x )"]);
        check("\"`a b`\" '$(a' \"(a)\"", &["`a b`", "$(a", "(a)"]);
    }

    #[test]
    fn what_is_not_closed_or_bare_is_refused() {
        for line in [
            "echo 'a", "\"a", "a`b", "$(a", "a$(", "echo (a)", "a(b", "a)", "\\", "a\\",
            "\"$\"(b)", "a\\$(b)", "a$ (b)", "$(a(b)c)", "$(a)b(c)", "`$(a`)",
        ] {
            let error = split_words(line).unwrap_err();
            assert_eq!(error.to_string(), "invalid command line string", "{line:?}");
        }
    }

    #[test]
    fn an_unquoted_operator_is_refused_and_never_drops_text() {
        for (line, operator, at) in [
            ("echo x | cat", '|', 7),
            ("echo x; echo y", ';', 6),
            ("é&&b", '&', 2),
            ("a <b", '<', 2),
            ("echo 2>x", '>', 6),
            ("a; 'b", ';', 1),
        ] {
            let want = WordsError::Operator { operator, at };
            assert_eq!(split_words(line), Err(want), "{line:?}");
        }
        check("a';'b \"|\" \\&", &["a;b", "|", "&"]);
    }

    #[test]
    fn the_error_about_an_operator_says_what_to_do() {
        assert_eq!(
            split_words("echo x | cat").unwrap_err().to_string(),
            "unquoted \"|\" at byte 7 of the command needs a shell: set shell: \"true\", or quote \
             it"
        );
    }
}
