//! Building a JSON text, in pieces if it is a long one.

use std::fmt::Write as _;

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Without white space.
    Compact,
    /// One element a line, indented by four spaces.
    Indented,
}

/// Builds a JSON text. Keys stand in the order in which they are given.
///
/// Whoever calls it sees to it that a key stands before each value of an object.
pub struct Writer {
    layout: Layout,
    out: String,
    /// For each open object or array: whether it holds anything yet.
    open: Vec<bool>,
    /// A key has just been written.
    is_after_key: bool,
}

impl Writer {
    /// Begins an empty text.
    pub fn new(layout: Layout) -> Self {
        Self { layout, out: String::new(), open: Vec::new(), is_after_key: false }
    }

    /// Takes what was written since the last time; the text goes on.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Returns how many bytes there are to take.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Returns whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Opens an object.
    pub fn begin_object(&mut self) -> &mut Self {
        self.begin('{')
    }

    /// Closes the object.
    pub fn end_object(&mut self) -> &mut Self {
        self.end('}')
    }

    /// Opens an array.
    pub fn begin_array(&mut self) -> &mut Self {
        self.begin('[')
    }

    /// Closes the array.
    pub fn end_array(&mut self) -> &mut Self {
        self.end(']')
    }

    /// Writes a key; its value follows.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        push_quoted(&mut self.out, key);
        self.out.push_str(if self.layout == Layout::Indented { ": " } else { ":" });
        self.is_after_key = true;
        self
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.separate();
        push_quoted(&mut self.out, text);
        self
    }

    /// Writes bytes as a string; those that are no UTF-8 become `\ufffd`.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.separate();
        self.out.push('"');
        let mut rest = bytes;
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    push_escaped(&mut self.out, text);
                    break;
                }
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    push_escaped(&mut self.out, std::str::from_utf8(valid).unwrap_or_default());
                    self.out.push_str("\\ufffd");
                    rest = invalid.get(1..).unwrap_or_default();
                }
            }
        }
        self.out.push('"');
        self
    }

    /// Writes what shows itself as a number, as a time or as another text that needs no escape.
    pub fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        self.separate();
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// Writes such a text as a string.
    pub fn display_string(&mut self, value: impl std::fmt::Display) -> &mut Self {
        self.separate();
        let _ = write!(self.out, "\"{value}\"");
        self
    }

    /// Writes a bool.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.display(value)
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        self.display("null")
    }

    fn begin(&mut self, bracket: char) -> &mut Self {
        self.separate();
        self.out.push(bracket);
        self.open.push(false);
        self
    }

    fn end(&mut self, bracket: char) -> &mut Self {
        if self.open.pop() == Some(true) {
            self.new_line();
        }
        self.out.push(bracket);
        self
    }

    /// Writes what stands between the last value and the next key or value.
    fn separate(&mut self) {
        if std::mem::take(&mut self.is_after_key) {
            return;
        }
        let Some(holds_something) = self.open.last_mut() else { return };
        if std::mem::replace(holds_something, true) {
            self.out.push(',');
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if self.layout == Layout::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("    ", self.open.len()));
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    let mut plain_from = 0;
    for (at, character) in text.char_indices() {
        let escape = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => "",
            _ => continue,
        };
        out.push_str(text.get(plain_from..at).unwrap_or_default());
        plain_from = at + character.len_utf8();
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(text.get(plain_from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(layout: Layout) -> String {
        let mut writer = Writer::new(layout);
        writer.begin_object();
        writer.key("a").display(1);
        writer.key("b").begin_array().string("x").null().end_array();
        writer.key("c").begin_object().end_object();
        writer.key("d").begin_array().end_array();
        writer.key("e").begin_array().begin_object().key("f").bool(true).end_object().end_array();
        writer.end_object();
        writer.take()
    }

    #[test]
    fn both_layouts_are_those_of_go() {
        let compact = r#"{"a":1,"b":["x",null],"c":{},"d":[],"e":[{"f":true}]}"#;
        assert_eq!(sample(Layout::Compact), compact);
        let indented = r#"{
    "a": 1,
    "b": [
        "x",
        null
    ],
    "c": {},
    "d": [],
    "e": [
        {
            "f": true
        }
    ]
}"#;
        assert_eq!(sample(Layout::Indented), indented);
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        let written = |text: &str| Writer::new(Layout::Compact).string(text).take();
        assert_eq!(
            written("<a href=\"x\">&</a>"),
            r#""\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e""#
        );
        assert_eq!(
            written("\0\u{1b}\u{7f}\t\n\r\u{8}\u{c}\\"),
            "\"\\u0000\\u001b\u{7f}\\t\\n\\r\\b\\f\\\\\""
        );
        assert_eq!(written("\u{2028}\u{2029}é🎉"), r#""\u2028\u2029é🎉""#);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let written = |bytes: &[u8]| Writer::new(Layout::Compact).bytes(bytes).take();
        assert_eq!(written(b"a\xff<\xe6\x97"), r#""a\ufffd\u003c\ufffd\ufffd""#);
        assert_eq!(written("日".as_bytes()), "\"日\"");
    }

    #[test]
    fn a_text_can_be_taken_in_pieces() {
        let mut writer = Writer::new(Layout::Indented);
        let mut whole = writer.begin_array().display(1).take();
        whole += &writer.display(2).end_array().take();
        assert_eq!(whole, "[\n    1,\n    2\n]");
    }
}
