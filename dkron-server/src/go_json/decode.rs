//! Walking a JSON value with a known shape, as Go does when it fills a struct; `fill` reads its
//! fields.

use super::error::{DecodeError, TypeError};
use super::scan::{is_blank, value_end};
use super::text::unescape;

/// Walks one JSON value.
///
/// A value of the wrong type is noted, once, and walked over: whatever else the body holds is read
/// before the error is told, as in Go, where a malformed time behind it wins.
pub struct Decoder<'a> {
    text: &'a [u8],
    at: usize,
    /// `Job` of `dkron.Job`.
    pub(super) struct_name: &'static str,
    refused: Option<TypeError>,
}

/// What stands next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl<'a> Decoder<'a> {
    /// Opens the first value of `text` for the Go struct `struct_name` (`Job`).
    ///
    /// # Errors
    ///
    /// [`DecodeError::Syntax`]: every syntax error in the value is found here.
    pub fn open(text: &'a [u8], struct_name: &'static str) -> Result<Self, DecodeError> {
        let end = value_end(text)?;
        let text = text.get(..end).unwrap_or_default();
        Ok(Self { text, at: 0, struct_name, refused: None })
    }

    /// Reads an object, handing each key with this decoder to `each`, which reads or skips the
    /// value. `null` counts as an object without keys; anything else is noted as a type error.
    ///
    /// # Errors
    ///
    /// What `each` answers.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Object => self.members(&mut each),
            Kind::Null => self.skip(),
            kind => {
                let go_type = format!("dkron.{}", self.struct_name);
                let place = "value".to_owned();
                self.refuse(TypeError { value: kind.as_str().to_owned(), place, go_type });
                self.skip()
            }
        }
    }

    /// Ends the walk.
    ///
    /// # Errors
    ///
    /// The first type error that was noted.
    pub fn finish(self) -> Result<(), DecodeError> {
        self.refused.map_or(Ok(()), |error| Err(DecodeError::Type(error)))
    }

    /// Returns the kind of the value that stands next.
    pub fn kind(&mut self) -> Kind {
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Walks over the next value and returns it as it is written.
    ///
    /// # Errors
    ///
    /// None, in a text that [`Decoder::open`] accepted.
    pub fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        self.skip_blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = value_end(rest)?;
        self.at += end;
        Ok(rest.get(..end).unwrap_or_default())
    }

    /// Walks over the next value.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`].
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        self.raw().map(|_| ())
    }

    /// Reads the text of a string that stands next.
    pub(super) fn text_value(&mut self) -> Result<String, DecodeError> {
        let raw = self.raw()?;
        let quoted = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
        Ok(unescape(quoted.unwrap_or_default()))
    }

    /// Walks over an object that stands next.
    pub(super) fn members(
        &mut self,
        each: &mut dyn FnMut(&mut Self, &str) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.at += 1;
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let key = self.text_value()?;
                    self.skip_blanks();
                    self.at += 1;
                    each(self, &key)?;
                }
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
    }

    /// Walks over an array that stands next.
    pub(super) fn elements(
        &mut self,
        each: &mut dyn FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.at += 1;
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') | None => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => each(self)?,
            }
        }
    }

    /// Notes a value that does not fit; the first one is told.
    pub(super) fn refuse(&mut self, error: TypeError) {
        self.refused.get_or_insert(error);
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}
