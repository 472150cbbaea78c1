//! Where a JSON value ends, and what is wrong with it: the syntax, without the meaning.

use super::error::SyntaxError;

/// Levels of nesting that are accepted; one more is an error (Go's figure).
pub const DEPTH_MAX: usize = 10_000;

/// Finds the end of the first JSON value in `text`, white space in front of it included.
///
/// What follows the value is not looked at.
///
/// # Errors
///
/// [`SyntaxError`], in Go's words.
pub fn value_end(text: &[u8]) -> Result<usize, SyntaxError> {
    let mut scanner = Scanner { text, at: 0, open: Vec::new() };
    scanner.value()?;
    Ok(scanner.at)
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    /// After a value that stands in an object or array.
    CommaOrEnd,
}

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nest {
    Object,
    Array,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<Nest>,
}

impl Scanner<'_> {
    /// Walks over one value, whatever its depth.
    fn value(&mut self) -> Result<(), SyntaxError> {
        let mut expect = Expect::Value;
        if self.peek_past_blanks().is_none() {
            return Err(SyntaxError::Empty);
        }
        loop {
            let byte = self.peek_past_blanks().ok_or(SyntaxError::Unfinished)?;
            expect = match expect {
                Expect::Value | Expect::ValueOrEnd => {
                    if byte == b']' && expect == Expect::ValueOrEnd {
                        self.close()
                    } else {
                        self.begin_value(byte)?
                    }
                }
                Expect::KeyOrEnd if byte == b'}' => self.close(),
                Expect::KeyOrEnd | Expect::Key => self.key(byte)?,
                Expect::CommaOrEnd => self.after_value(byte)?,
            };
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn begin_value(&mut self, byte: u8) -> Result<Expect, SyntaxError> {
        match byte {
            b'{' => return self.open(Nest::Object, byte),
            b'[' => return self.open(Nest::Array, byte),
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            _ => return Err(unexpected(byte, "looking for beginning of value")),
        }
        Ok(Expect::CommaOrEnd)
    }

    fn open(&mut self, nest: Nest, byte: u8) -> Result<Expect, SyntaxError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(unexpected(byte, "exceeded max depth"));
        }
        self.open.push(nest);
        self.at += 1;
        Ok(if nest == Nest::Object { Expect::KeyOrEnd } else { Expect::ValueOrEnd })
    }

    fn close(&mut self) -> Expect {
        self.open.pop();
        self.at += 1;
        Expect::CommaOrEnd
    }

    fn key(&mut self, byte: u8) -> Result<Expect, SyntaxError> {
        if byte != b'"' {
            return Err(unexpected(byte, "looking for beginning of object key string"));
        }
        self.string()?;
        let byte = self.peek_past_blanks().ok_or(SyntaxError::Unfinished)?;
        if byte != b':' {
            return Err(unexpected(byte, "after object key"));
        }
        self.at += 1;
        Ok(Expect::Value)
    }

    fn after_value(&mut self, byte: u8) -> Result<Expect, SyntaxError> {
        match (self.open.last(), byte) {
            (Some(Nest::Object), b'}') | (Some(Nest::Array), b']') => Ok(self.close()),
            (Some(Nest::Object), b',') => {
                self.at += 1;
                Ok(Expect::Key)
            }
            (Some(Nest::Array), b',') => {
                self.at += 1;
                Ok(Expect::Value)
            }
            (Some(Nest::Object), _) => Err(unexpected(byte, "after object key:value pair")),
            (Some(Nest::Array) | None, _) => Err(unexpected(byte, "after array element")),
        }
    }

    /// Walks over a string, from its opening quote to past its closing one.
    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                byte @ 0..=0x1f => return Err(unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    let byte = self.next()?;
                    if !byte.is_ascii_hexdigit() {
                        return Err(unexpected(byte, "in \\u hexadecimal character escape"));
                    }
                }
                Ok(())
            }
            byte => Err(unexpected(byte, "in string escape code")),
        }
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            byte => return Err(unexpected(byte, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn some_digits(&mut self, place: &'static str) -> Result<(), SyntaxError> {
        let byte = self.next()?;
        if !byte.is_ascii_digit() {
            return Err(unexpected(byte, place));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), SyntaxError> {
        for (index, wanted) in word.bytes().enumerate() {
            let byte = self.next()?;
            if byte != wanted {
                return Err(unexpected(byte, literal_place(word, index)));
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<u8, SyntaxError> {
        let byte = self.peek().ok_or(SyntaxError::Unfinished)?;
        self.at += 1;
        Ok(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_past_blanks(&mut self) -> Option<u8> {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
        self.peek()
    }
}

fn unexpected(byte: u8, place: &'static str) -> SyntaxError {
    SyntaxError::Unexpected { byte, place }
}

/// Returns whether JSON ignores `byte` between values.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn literal_place(word: &'static str, index: usize) -> &'static str {
    match (word, index) {
        ("true", 1) => "in literal true (expecting 'r')",
        ("true", 2) => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", 1) => "in literal false (expecting 'a')",
        ("false", 2) => "in literal false (expecting 'l')",
        ("false", 3) => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        (_, 1) => "in literal null (expecting 'u')",
        (_, _) => "in literal null (expecting 'l')",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<usize, &str>) {
        let got = value_end(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn only_the_first_value_counts() {
        check("{} trailing", Ok(2));
        check(" \t\r\n[1,2]x", Ok(9));
        check("42 43", Ok(2));
        check("1.5e-3,", Ok(6));
        check("null", Ok(4));
        check(r#""a\"b"z"#, Ok(6));
        check(r#"{"a":{"b":[true,false,null,"\u00e9",-0.5E+1]}}"#, Ok(46));
    }

    #[test]
    fn an_unfinished_text_says_so() {
        check("", Err("EOF"));
        check(" \n", Err("EOF"));
        for text in ["{", "[", "\"a", "{\"a\"", "{\"a\":", "[1,", "-", "1.", "1e", "tru", "\"\\u00"]
        {
            check(text, Err("unexpected EOF"));
        }
    }

    #[test]
    fn a_misplaced_character_is_named_with_its_place() {
        let refused = |text: &str, want: &str| {
            check(text, Err(&format!("invalid character {want}")));
        };
        refused("hello", "'h' looking for beginning of value");
        refused("{'a':1}", r"'\'' looking for beginning of object key string");
        refused("{a:1}", "'a' looking for beginning of object key string");
        refused(r#"{"a":1,}"#, "'}' looking for beginning of object key string");
        refused(r#"{"a" 1}"#, "'1' after object key");
        refused(r#"{"a":1 "b"}"#, r#"'"' after object key:value pair"#);
        refused("[1 2]", "'2' after array element");
        refused("[1,]", "']' looking for beginning of value");
        refused("[01]", "'1' after array element");
        refused("\"a\nb\"", r"'\n' in string literal");
        refused(r#""\x""#, "'x' in string escape code");
        refused(r#""\u12g4""#, r"'g' in \u hexadecimal character escape");
        refused("-x", "'x' in numeric literal");
        refused("1.x", "'x' after decimal point in numeric literal");
        refused("1ex", "'x' in exponent of numeric literal");
        refused("nulx", "'x' in literal null (expecting 'l')");
        refused("fx", "'x' in literal false (expecting 'a')");
        refused("\u{feff}{}", "'ï' looking for beginning of value");
        refused("\u{1f}\u{8b}", r"'\x1f' looking for beginning of value");
    }

    #[test]
    fn ten_thousand_levels_are_accepted_and_no_more() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&deep(DEPTH_MAX), Ok(2 * DEPTH_MAX));
        check(&deep(DEPTH_MAX + 1), Err("invalid character '[' exceeded max depth"));
        check(&"{\"a\":".repeat(1_000_000), Err("invalid character '{' exceeded max depth"));
    }
}
