//! The characters of JSON strings: unescaping, and naming a byte in an error.

use std::fmt;

/// Reads what stands between the quotes of a JSON string that `scan` has accepted.
///
/// Invalid UTF-8 becomes U+FFFD, one for each byte; a surrogate escape without its other half
/// becomes U+FFFD too.
pub(super) fn unescape(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escaped) = rest.split_at(backslash);
        push_lossy(&mut text, plain);
        rest = push_escape(&mut text, escaped.get(1..).unwrap_or_default());
    }
    push_lossy(&mut text, rest);
    text
}

/// Appends bytes that hold no escape.
fn push_lossy(text: &mut String, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => return text.push_str(valid),
            Err(error) => {
                let (valid, invalid) = rest.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                text.push(char::REPLACEMENT_CHARACTER);
                rest = invalid.get(1..).unwrap_or_default();
            }
        }
    }
}

/// Appends the character of an escape, given what follows its backslash; returns what is left.
fn push_escape<'a>(text: &mut String, escaped: &'a [u8]) -> &'a [u8] {
    let Some((letter, rest)) = escaped.split_first() else { return escaped };
    let (character, rest) = match letter {
        b'b' => ('\u{8}', rest),
        b'f' => ('\u{c}', rest),
        b'n' => ('\n', rest),
        b'r' => ('\r', rest),
        b't' => ('\t', rest),
        b'u' => unicode_escape(rest),
        other => (char::from(*other), rest),
    };
    text.push(character);
    rest
}

/// Reads the digits of `\uXXXX`, and of a second one if the two are a surrogate pair.
fn unicode_escape(digits: &[u8]) -> (char, &[u8]) {
    let Some((unit, rest)) = code_unit(digits) else { return (char::REPLACEMENT_CHARACTER, &[]) };
    if let Some(character) = char::from_u32(unit.into()) {
        return (character, rest);
    }
    let second = rest.strip_prefix(b"\\u").and_then(code_unit);
    if let Some((low, after_pair)) = second {
        let mut pair = char::decode_utf16([unit, low]);
        if let (Some(Ok(character)), None) = (pair.next(), pair.next()) {
            return (character, after_pair);
        }
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

fn code_unit(digits: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = digits.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Returns whether Go takes `key` for the field `name`, which is in lower-case ASCII.
///
/// Case does not matter, by Unicode's simple folding: the Kelvin sign is a `k`, the long s an `s`.
pub(super) fn matches_key(key: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{212A}' => 'k',
        '\u{017F}' => 's',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars())
}

/// A byte as Go's JSON errors show it: `'x'`, `'\n'`, `'\x1f'`, `'"'`, `'\''`.
pub(super) struct QuotedByte(pub(super) u8);

impl fmt::Display for QuotedByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\'' => f.write_str(r"'\''"),
            b'\\' => f.write_str(r"'\\'"),
            0x07 => f.write_str(r"'\a'"),
            0x08 => f.write_str(r"'\b'"),
            0x0b => f.write_str(r"'\v'"),
            0x0c => f.write_str(r"'\f'"),
            b'\n' => f.write_str(r"'\n'"),
            b'\r' => f.write_str(r"'\r'"),
            b'\t' => f.write_str(r"'\t'"),
            byte @ (0..=0x1f | 0x7f) => write!(f, r"'\x{byte:02x}'"),
            // Not printable in Latin-1, as which Go takes the byte.
            byte @ (0x80..=0xa0 | 0xad) => write!(f, r"'\u{byte:04x}'"),
            byte => write!(f, "'{}'", char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &[u8], want: &str) {
        assert_eq!(unescape(raw), want, "{raw:?}");
    }

    #[test]
    fn escapes_become_their_characters() {
        check(br#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{c}\n\r\tz");
        check(br"\u0041\u00e9\u65e5\u0000", "Aé日\0");
        check(br"\ud83c\udf89", "🎉");
    }

    #[test]
    fn what_is_no_text_becomes_the_replacement_character() {
        check(br"\ud800 end", "\u{fffd} end");
        check(br"\ud800\u0041", "\u{fffd}A");
        check(br"\udf89\ud83c", "\u{fffd}\u{fffd}");
        check(b"a\xffb", "a\u{fffd}b");
        check(b"\xe6\x97", "\u{fffd}\u{fffd}");
    }

    #[test]
    fn keys_match_whatever_their_case() {
        for key in ["parent_job", "PARENT_JOB", "Parent_Job"] {
            assert!(matches_key(key, "parent_job"), "{key}");
        }
        assert!(matches_key("\u{212A}ey\u{017F}", "keys"));
        for key in ["parentjob", "parent_job ", "", "parent_jobs"] {
            assert!(!matches_key(key, "parent_job"), "{key}");
        }
    }

    #[test]
    fn bytes_are_named_as_go_names_them() {
        let named = |byte: u8| QuotedByte(byte).to_string();
        assert_eq!(named(b'x'), "'x'");
        assert_eq!(named(b'"'), "'\"'");
        assert_eq!(named(b'\''), r"'\''");
        assert_eq!(named(0x7f), r"'\x7f'");
        assert_eq!(named(0xef), "'ï'");
        assert_eq!(named(0x80), r"'\u0080'");
    }
}
