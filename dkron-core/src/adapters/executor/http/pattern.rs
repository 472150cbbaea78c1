//! Patterns in Go's dialect of regular expressions, written out in Rust's.
//!
//! Both descend from RE2. In Go `\d`, `\w`, `\s` and `\b` know ASCII only, a brace that begins no
//! repetition is a plain character (so is half of all JSON), `\Q…\E` quotes, `\123` is octal,
//! `\<` is a plain character, and a bracket holds no brackets and no set operations.
//!
//! What Rust accepts and Go refuses is refused too: stacked repetitions (`a**`, `a++`), the flags
//! `x`, `u` and `R`. The remaining difference: a byte that is not UTF-8 matches nothing here, where
//! Go takes it for U+FFFD.

use std::iter::Peekable;
use std::str::Chars;

/// The largest number in a repetition.
const REPEAT_MAX: u32 = 1000;

const DIGIT: &str = "0-9";
const SPACE: &str = "\\t\\n\\x0c\\r\\x20";
const WORD: &str = "0-9A-Za-z_";

/// What may stand between `[:` and `:]`, after an optional `^`.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Writes a pattern of Go's as one of Rust's; `None` if Go would refuse it for its escapes or
/// repetitions.
pub(super) fn rust_pattern(go: &str) -> Option<String> {
    let mut rust = String::with_capacity(go.len() + 16);
    let mut rest = go.chars().peekable();
    let mut is_after_repetition = false;
    while let Some(c) = rest.next() {
        let is_repetition = match c {
            '\\' => escape(&mut rest, &mut rust).map(|()| false)?,
            '[' => bracket(&mut rest, &mut rust).map(|()| false)?,
            '(' => group(&mut rest, &mut rust).map(|()| false)?,
            '{' => brace(&mut rest, &mut rust)?,
            other => {
                rust.push(other);
                matches!(other, '*' | '+' | '?')
            }
        };
        if is_repetition {
            if is_after_repetition {
                return None;
            }
            rust.extend(rest.next_if_eq(&'?'));
        }
        is_after_repetition = is_repetition;
    }
    Some(rust)
}

/// Writes the beginning of a group; the parenthesis is read.
fn group(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<()> {
    rust.push('(');
    rust.extend(rest.next_if_eq(&'*'));
    if rest.next_if_eq(&'?').is_some() {
        rust.push('?');
        let is_foreign = |c: &char| matches!(c, 'x' | 'u' | 'R');
        let mut flags = rest.clone().take_while(|c| c.is_ascii_alphabetic() || *c == '-');
        if flags.any(|c| is_foreign(&c)) {
            return None;
        }
    }
    Some(())
}

/// Writes the escape after a backslash outside of brackets.
fn escape(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<()> {
    match rest.next()? {
        'Q' => quoted(rest, rust),
        'b' => rust.push_str("(?-u:\\b)"),
        'B' => rust.push_str("(?-u:\\B)"),
        other => match class(other) {
            Some((is_negated, members)) => {
                rust.push_str(if is_negated { "[^" } else { "[" });
                rust.push_str(members);
                rust.push(']');
            }
            None => plain_escape(other, rest, rust)?,
        },
    }
    Some(())
}

/// Returns whether a class is a complement, and its members.
fn class(letter: char) -> Option<(bool, &'static str)> {
    let members = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), members))
}

/// Writes an escape that means one character, inside or outside of brackets.
fn plain_escape(c: char, rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<()> {
    match c {
        '0'..='7' => {
            let mut value = c.to_digit(8)?;
            let mut count = 1;
            while count < 3
                && let Some(digit) = rest.peek().and_then(|next| next.to_digit(8))
            {
                rest.next();
                value = value * 8 + digit;
                count += 1;
            }
            // A single digit that is not zero would be a back reference.
            if count == 1 && value != 0 {
                return None;
            }
            rust.push_str(&format!("\\x{{{value:x}}}"));
        }
        'A' | 'P' | 'a' | 'f' | 'n' | 'p' | 'r' | 't' | 'v' | 'x' | 'z' => {
            rust.push('\\');
            rust.push(c);
            // Of `\p{Greek}` and `\x{41}`; no repetition may follow the letter itself.
            rust.extend(rest.next_if(|next| *next == '{' && matches!(c, 'P' | 'p' | 'x')));
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => literal(c, rust),
        _ => return None,
    }
    Some(())
}

/// Writes what stands between `\Q` and `\E`, or the end, as plain characters.
fn quoted(rest: &mut Peekable<Chars<'_>>, rust: &mut String) {
    while let Some(c) = rest.next() {
        if c == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            return;
        }
        literal(c, rust);
    }
}

/// Writes one plain character.
fn literal(c: char, rust: &mut String) {
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        rust.push('\\');
    }
    rust.push(c);
}

/// Writes what stands in brackets; the opening one is read.
fn bracket(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<()> {
    rust.push('[');
    if rest.next_if_eq(&'^').is_some() {
        rust.push('^');
    }
    let mut is_first = true;
    let mut before = None;
    loop {
        let c = rest.next()?;
        match c {
            ']' if !is_first => {
                rust.push(']');
                return Some(());
            }
            '[' if rest.peek() == Some(&':') => posix_class(rest, rust)?,
            '\\' => {
                let escaped = rest.next()?;
                match class(escaped) {
                    Some((true, members)) => rust.push_str(&format!("[^{members}]")),
                    Some((false, members)) => rust.push_str(members),
                    None => plain_escape(escaped, rest, rust)?,
                }
            }
            '-' if before != Some('-') => rust.push('-'),
            other => literal(other, rust),
        }
        is_first = false;
        before = Some(c);
    }
}

/// Writes `[:name:]` in brackets, of which the bracket is read; a plain bracket if it is not that.
fn posix_class(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<()> {
    let is_of_name = |c: &char| !matches!(c, ':' | ']');
    let name: String = rest.clone().skip(1).take_while(is_of_name).collect();
    let length = name.chars().count();
    if !rest.clone().skip(1 + length).take(2).eq([':', ']']) {
        literal('[', rust);
        return Some(());
    }
    if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(&name)) {
        return None;
    }
    rest.nth(length + 2);
    rust.push_str(&format!("[:{name}:]"));
    Some(())
}

/// Writes a brace, which is read: of a repetition if one follows, else a plain character.
///
/// Returns whether it was a repetition; `None` if its numbers are too large, or descend.
fn brace(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Option<bool> {
    let is_of_numbers = |c: &char| c.is_ascii_digit() || *c == ',';
    let inside: String = rest.clone().take_while(is_of_numbers).collect();
    let is_closed = rest.clone().nth(inside.len()) == Some('}');
    let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
    let is_number = |text: &str| {
        let is_padded = text.len() > 1 && text.starts_with('0');
        !text.is_empty() && !is_padded && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_closed || !is_number(least) || !(most.is_empty() || is_number(most)) {
        rust.push_str("\\{");
        return Some(false);
    }
    let number = |text: &str| text.parse().ok().filter(|number| *number <= REPEAT_MAX);
    let least: u32 = number(least)?;
    if !most.is_empty() && number(most)? < least {
        return None;
    }
    rest.nth(inside.len());
    rust.push_str(&format!("{{{inside}}}"));
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_dialect_is_written_out() {
        let check = |go: &str, want: &str| {
            assert_eq!(rust_pattern(go).as_deref(), Some(want), "{go:?}");
        };

        check("plain é.*(a|b)+$", "plain é.*(a|b)+$");
        check(r"\d+\W", "[0-9]+[^0-9A-Za-z_]");
        check(r"[\d\S]", "[0-9[^\\t\\n\\x0c\\r\\x20]]");
        check(r"\bon\B", r"(?-u:\b)on(?-u:\B)");
        check(r#"{"ok":\s*true}"#, r#"\{"ok":[\t\n\x0c\r\x20]*true}"#);
        check("a{2}b{2,}c{2,3}d{,3}e{x}{", r"a{2}b{2,}c{2,3}d\{,3}e\{x}\{");
        check(r"\Qa.b\Ec.\Q[é", r"a\.bc.\[é");
        check(r"\101\0\x41\x{42}", r"\x{41}\x{0}\x41\x{42}");
        check(r"\<\/\>", r"<\/>");
        check("[]a][^]a]", r"[\]a][^\]a]");
        check("[[:alpha:][x&&y~~z]", r"[[:alpha:]\[x\&\&y\~\~z]");
        check("[[:^digit:][:alpha][:x]", r"[[:^digit:]\[\:alpha][\:x]");
        check("[+--][a-]", r"[\+-\-][a-]");
        check(r"\pL\p{Greek}\PN", r"\pL\p{Greek}\PN");
    }

    #[test]
    fn a_number_that_begins_with_zero_is_no_repetition() {
        let check = |go: &str, want: &str| assert_eq!(rust_pattern(go).as_deref(), Some(want));
        check("a{0}b{02}c{1,02}", r"a{0}b\{02}c\{1,02}");
        check("a{0,2}", "a{0,2}");
    }

    /// Goal: the work is proportional to the pattern; a job may be of some megabytes.
    #[test]
    fn a_pattern_is_written_out_in_time_proportional_to_its_length() {
        for piece in ["{", "{1", "{1,", "[[:", "(?", "\\Q"] {
            let started = std::time::Instant::now();
            let _ = rust_pattern(&piece.repeat((1 << 20) / piece.len()));
            assert!(started.elapsed().as_secs() < 5, "{piece:?} {:?}", started.elapsed());
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for go in [
            r"\1",
            r"\u0041",
            r"\Z",
            r"\",
            "[a",
            r"[a\",
            "a{1001}",
            "a{3,2}",
            r"\é",
            r"[\b]",
            "[[:Alpha:]]",
            "[[:no[pe:]]",
            "a**",
            "a+?+",
            "a{2}{3}",
            "(?x)a",
            "(?i-u:a)",
        ] {
            assert_eq!(rust_pattern(go), None, "{go:?}");
        }
    }
}
