//! Text in quotes as Go writes it in its error messages.
//!
//! Go has two ways: that of its `time` package, which shows every byte outside ASCII in
//! hexadecimal, and that of `strconv.Quote`, which keeps what can be printed.

use std::fmt::{self, Write};

/// Shows a text as Go's `time` package quotes it.
pub(crate) struct TimeQuoted<'a>(pub(crate) &'a str);

impl fmt::Display for TimeQuoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                ' '..='\x7f' => f.write_char(c)?,
                _ => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
            }
        }
        f.write_char('"')
    }
}

/// Shows a text as Go's `strconv.Quote` does.
pub(crate) struct StrconvQuoted<'a>(pub(crate) &'a str);

impl fmt::Display for StrconvQuoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\x07' => f.write_str("\\a")?,
                '\x08' => f.write_str("\\b")?,
                '\x0c' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\x0b' => f.write_str("\\v")?,
                _ if is_printable(c) => f.write_char(c)?,
                '\0'..='\x7f' => write!(f, "\\x{:02x}", u32::from(c))?,
                _ if u32::from(c) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(c))?,
                _ => write!(f, "\\U{:08x}", u32::from(c))?,
            }
        }
        f.write_char('"')
    }
}

/// Returns whether Rust's own tables call a character printable; they agree with Go's but for the
/// releases of Unicode they are made from.
fn is_printable(c: char) -> bool {
    // After another character, so that a combining mark counts by itself as Go counts it.
    let pair: String = ['x', c].into_iter().collect();
    c == '\'' || pair.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_package_shows_bytes_outside_ascii_in_hexadecimal() {
        assert_eq!(TimeQuoted("5µs\t\"\\").to_string(), r#""5\xc2\xb5s\x09\"\\""#);
    }

    #[test]
    fn strconv_keeps_what_can_be_printed() {
        assert_eq!(StrconvQuoted("٤ü'").to_string(), "\"٤ü'\"");
        assert_eq!(StrconvQuoted("a\"\\\n\u{1}").to_string(), r#""a\"\\\n\x01""#);
        assert_eq!(StrconvQuoted("\u{200b}\u{a0}").to_string(), r#""\u200b\u00a0""#);
        assert_eq!(StrconvQuoted("e\u{301}\u{e0001}").to_string(), "\"e\u{301}\\U000e0001\"");
    }
}
