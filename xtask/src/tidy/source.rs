//! One Rust file as the rules see it: code without comments and texts, test code marked.
//!
//! Not a parser: it knows where comments, texts, characters and braces are, no more. What it cannot
//! tell apart (a macro that hides a brace in a token) rustfmt does not let pass anyway.

use std::ops::Range;

use super::paths;

/// One Rust file.
pub struct Source<'a> {
    /// From the root of the repository, `/` between the parts.
    pub path: &'a str,
    /// The file as it is.
    pub text: &'a str,
    /// As long as `text`, line for line and byte for byte, with every byte of a comment and of the
    /// inside of a text or character replaced by a blank.
    pub code: String,
    test_ranges: Vec<Range<usize>>,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Prepares a file.
    pub fn new(path: &'a str, text: &'a str) -> Self {
        let code = blank_out(text);
        let mut test_ranges = test_ranges(&code, text);
        if paths::is_test(path) {
            test_ranges.push(0..text.len());
        }
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(starts.map(|(at, _)| at + 1)).collect();
        Self { path, text, code, test_ranges, line_starts }
    }

    /// Returns the number of the line, from 1, that holds the byte `at`.
    pub fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Returns whether the byte `at` belongs to test code.
    pub fn is_test(&self, at: usize) -> bool {
        self.test_ranges.iter().any(|range| range.contains(&at))
    }

    /// Marks the whole file as test code.
    pub fn mark_as_test(&mut self) {
        self.test_ranges.push(0..self.text.len());
    }

    /// Returns where the files of this file's test modules lie, without their extension: those of
    /// `#[cfg(test)] mod harness;` and, in a test file, of every `mod`.
    pub fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let folder = if matches!(name, "mod" | "lib" | "main") { folder } else { stem };
        let declared = self.find("mod").into_iter().filter(|at| self.is_test(*at));
        let names = declared.filter_map(|at| {
            let (name, _) = self.code[at + 3..].split_once([';', '{'])?;
            let is_file = self.code[at + 3 + name.len()..].starts_with(';');
            is_file.then(|| format!("{folder}/{}", name.trim()))
        });
        names.collect()
    }

    /// Returns the lines of production code: outside test code, comments and blanks included.
    pub fn production_lines(&self) -> usize {
        let starts = self.line_starts.iter().filter(|start| **start < self.text.len());
        starts.filter(|start| !self.is_test(**start)).count()
    }

    /// Returns where `word` stands in the code as a whole word: no letter, digit or `_` at either
    /// side, unless `word` itself ends with something else.
    pub fn find(&self, word: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let joins = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(is_name_byte);
        let starts_name = word.bytes().next().is_some_and(|byte| is_name_byte(&byte));
        let ends_name = word.bytes().last().is_some_and(|byte| is_name_byte(&byte));
        let found = self.code.match_indices(word).map(|(at, _)| at);
        found
            .filter(|at| !(starts_name && joins(at.checked_sub(1))))
            .filter(|at| !(ends_name && joins(Some(at + word.len()))))
            .collect()
    }
}

fn is_name_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Replaces comments and the inside of texts and characters by blanks.
fn blank_out(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + block_comment_len(rest)
        } else if let Some((open, len)) = text_len(bytes, at) {
            blank(&mut code[at + open..at + len - 1]);
            at += len;
            continue;
        } else {
            at += 1;
            continue;
        };
        blank(&mut code[at..end]);
        at = end;
    }
    // Only bytes within comments and texts were replaced, whole characters at a time.
    String::from_utf8(code).unwrap_or_default()
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn block_comment_len(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(rest.len())
}

/// Returns, if a text or character starts at `at`, where its inside starts and its whole length.
fn text_len(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let in_name = at > 0 && is_name_byte(&bytes[at - 1]);
    match rest.first()? {
        b'"' => Some((1, quoted_len(rest, b'"')?)),
        b'\'' => char_len(rest).map(|len| (1, len)),
        b'r' if !in_name => raw_len(rest, 1),
        b'b' | b'c' if !in_name => match rest.get(1)? {
            b'r' => raw_len(rest, 2),
            _ => None,
        },
        _ => None,
    }
}

fn quoted_len(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// A character, not a lifetime: `'x'`, `'\n'`, `'é'`.
fn char_len(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return quoted_len(rest, b'\'');
    }
    let close = rest.iter().skip(2).take(4).position(|byte| *byte == b'\'')? + 2;
    let inside = std::str::from_utf8(&rest[1..close]).ok()?;
    (inside.chars().count() == 1).then_some(close + 1)
}

fn raw_len(rest: &[u8], prefix: usize) -> Option<(usize, usize)> {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let end = rest[open + 1..].windows(close.len()).position(|window| window == close)?;
    // The caller blanks up to the last byte, which for a raw text may be a `#` of many.
    Some((open + 1, open + 1 + end + close.len()))
}

/// Finds the items that are compiled for tests only, each with its attribute.
fn test_ranges(code: &str, text: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, mark) in code.match_indices("#[cfg(") {
        if ranges.last().is_some_and(|last| last.contains(&at)) {
            continue;
        }
        let Some(len) = code[at..].find(")]") else { continue };
        // The name of a feature is a text, which `code` leaves out.
        if is_test_condition(&text[at + mark.len()..at + len]) {
            ranges.push(at..item_end(code, at + len + 2));
        }
    }
    ranges
}

/// Whether `test`, `all(test, …)`, `any(test, feature = "testing")` or the like.
fn is_test_condition(condition: &str) -> bool {
    let mut words = condition.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    !condition.contains("not(") && words.any(|word| word == "test" || word == "testing")
}

/// Returns the end of the item that starts at `from`: its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(Source::new("a.rs", text).code, want);
    }

    #[test]
    fn comments_and_texts_are_blanked_out_and_nothing_else() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ */ d", "a                 d");
        check(r#"f("x // y", 'z')"#, r#"f("      ", ' ')"#);
        check(r#"f("a\"b")"#, r#"f("    ")"#);
        check("r#\"a\"b\"#;", "r#\"    #;");
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check(r"'\'' + '\\'", r"'  ' + '  '");
        check("\"é\"", "\"  \"");
    }

    #[test]
    fn test_code_is_the_item_after_its_attribute() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n";
        let source = Source::new("a.rs", text);

        assert!(source.is_test(text.find("fn b").unwrap()));
        assert!(!source.is_test(text.find("fn c").unwrap()));
        assert_eq!(source.production_lines(), 2);
        assert_eq!(source.line_of(text.find("fn b").unwrap()), 4);
        assert!(Source::new("x/tests/a.rs", text).is_test(0));
    }

    #[test]
    fn the_files_of_test_modules_are_known() {
        let text = "#[cfg(any(test, feature = \"testing\"))]\npub mod kit;\nmod real;\n\
                    #[cfg(not(test))]\nmod other;\n#[cfg(test)]\nmod tests {}\n";

        assert_eq!(Source::new("a/src/b/mod.rs", text).test_modules(), ["a/src/b/kit"]);
        assert_eq!(Source::new("a/src/b.rs", text).test_modules(), ["a/src/b/kit"]);
    }

    #[test]
    fn a_word_is_found_whole() {
        let source = Source::new("a.rs", "xHashMap HashMap HashMapX HashMap::new()");
        assert_eq!(source.find("HashMap"), [9, 26]);
    }
}
