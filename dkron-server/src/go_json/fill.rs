//! Filling a field from the value that stands next, as Go fills one of its type.

use std::collections::BTreeMap;

use super::decode::{Decoder, Kind};
use super::error::{DecodeError, TypeError};
use super::text::matches_key;

/// A field to be filled: its key, in lower case, and its type as Go names it in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// The type: `map[string]string`.
    pub go_type: &'static str,
}

impl Field {
    const fn of(self, go_type: &'static str) -> Self {
        Self { name: self.name, go_type }
    }
}

impl Decoder<'_> {
    /// Reads a string into `out`; `null` leaves it as it is.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type is noted.
    pub fn string(&mut self, field: Field, out: &mut String) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::String => *out = self.text_value()?,
            Kind::Null => self.skip()?,
            kind => self.mismatch(kind, field.of("string"))?,
        }
        Ok(())
    }

    /// Reads a bool into `out`; `null` leaves it as it is.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type is noted.
    pub fn bool(&mut self, field: Field, out: &mut bool) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Bool => *out = self.raw()? == b"true",
            Kind::Null => self.skip()?,
            kind => self.mismatch(kind, field.of("bool"))?,
        }
        Ok(())
    }

    /// Reads a whole number into `out`; `null` leaves it as it is.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type, and a number that `T` does not hold, is noted.
    pub fn number<T: std::str::FromStr>(
        &mut self,
        field: Field,
        out: &mut T,
    ) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Number => {
                let digits = String::from_utf8_lossy(self.raw()?);
                match digits.parse() {
                    Ok(number) => *out = number,
                    Err(_) => self.refuse_field(format!("number {digits}"), field),
                }
            }
            Kind::Null => self.skip()?,
            kind => self.mismatch(kind, field)?,
        }
        Ok(())
    }

    /// Reads a list of strings into `out`; `null` empties it, and is `""` within it.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type is noted.
    pub fn list(&mut self, field: Field, out: &mut Vec<String>) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Array => {
                out.clear();
                self.elements(&mut |decoder| {
                    let mut element = String::new();
                    decoder.string(field, &mut element)?;
                    out.push(element);
                    Ok(())
                })
            }
            Kind::Null => {
                out.clear();
                self.skip()
            }
            kind => self.mismatch(kind, field.of("[]string")),
        }
    }

    /// Reads an object of strings into `out`, beside what is there; `null` empties it, and is `""`
    /// as a value.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type is noted.
    pub fn map(
        &mut self,
        field: Field,
        out: &mut BTreeMap<String, String>,
    ) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Object => self.members(&mut |decoder, key| {
                let mut value = String::new();
                decoder.string(field, &mut value)?;
                out.insert(key.to_owned(), value);
                Ok(())
            }),
            Kind::Null => {
                out.clear();
                self.skip()
            }
            kind => self.mismatch(kind, field),
        }
    }

    /// Reads an object of such objects; see [`Decoder::map`]. An inner object replaces its
    /// predecessor.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`]; another type is noted, for an inner value with `inner_go_type`.
    pub fn map_of_maps(
        &mut self,
        field: Field,
        inner_go_type: &'static str,
        out: &mut BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<(), DecodeError> {
        match self.kind() {
            Kind::Object => self.members(&mut |decoder, key| {
                let mut inner = BTreeMap::new();
                decoder.map(field.of(inner_go_type), &mut inner)?;
                out.insert(key.to_owned(), inner);
                Ok(())
            }),
            Kind::Null => {
                out.clear();
                self.skip()
            }
            kind => self.mismatch(kind, field),
        }
    }

    /// Walks over a value of the wrong kind and notes it.
    ///
    /// # Errors
    ///
    /// As [`Decoder::raw`].
    pub fn mismatch(&mut self, kind: Kind, field: Field) -> Result<(), DecodeError> {
        self.refuse_field(kind.as_str().to_owned(), field);
        self.skip()
    }

    fn refuse_field(&mut self, value: String, field: Field) {
        let place = format!("struct field {}.{}", self.struct_name, field.name);
        self.refuse(TypeError { value, place, go_type: field.go_type.to_owned() });
    }
}

/// Returns which of `fields` Go fills from `key`; see [`Field`].
pub fn find_field(fields: &[Field], key: &str) -> Option<Field> {
    fields.iter().copied().find(|field| matches_key(key, field.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Field = Field { name: "name", go_type: "string" };
    const RETRIES: Field = Field { name: "retries", go_type: "uint" };
    const OFF: Field = Field { name: "disabled", go_type: "bool" };
    const TAGS: Field = Field { name: "tags", go_type: "map[string]string" };
    const CHILDREN: Field = Field { name: "dependent_jobs", go_type: "[]string" };
    const FIELDS: [Field; 5] = [NAME, RETRIES, OFF, TAGS, CHILDREN];

    /// What the test fills.
    #[derive(Debug, Default, PartialEq)]
    struct Sample {
        name: String,
        retries: u32,
        disabled: bool,
        tags: BTreeMap<String, String>,
        children: Vec<String>,
    }

    fn read(text: &str) -> Result<Sample, String> {
        let mut sample = Sample::default();
        let mut fill = || {
            let mut decoder = Decoder::open(text.as_bytes(), "Job")?;
            decoder.object(|decoder, key| match find_field(&FIELDS, key) {
                Some(NAME) => decoder.string(NAME, &mut sample.name),
                Some(RETRIES) => decoder.number(RETRIES, &mut sample.retries),
                Some(OFF) => decoder.bool(OFF, &mut sample.disabled),
                Some(TAGS) => decoder.map(TAGS, &mut sample.tags),
                Some(CHILDREN) => decoder.list(CHILDREN, &mut sample.children),
                _ => decoder.skip(),
            })?;
            decoder.finish()
        };
        fill().map_err(|error: DecodeError| error.to_string())?;
        Ok(sample)
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_one_wins() {
        let sample =
            read(r#" {"NAME":"a","x":{"name":[1]},"Name":"b" , "retries":3} tail"#).unwrap();
        assert_eq!(sample, Sample { name: "b".to_owned(), retries: 3, ..Sample::default() });
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let text = r#"{"name":"a","name":null,"retries":null,"disabled":null,"tags":null}"#;
        assert_eq!(read(text).unwrap(), Sample { name: "a".to_owned(), ..Sample::default() });
        assert_eq!(read("null").unwrap(), Sample::default());
    }

    #[test]
    fn maps_merge_and_lists_are_replaced() {
        let text = r#"{"tags":{"a":"1","b":"1"},"tags":{"b":"2","c":null},
            "dependent_jobs":["x","y"],"dependent_jobs":[null, "z"]}"#;
        let sample = read(text).unwrap();
        let tags: Vec<_> = sample.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(tags, [("a", "1"), ("b", "2"), ("c", "")]);
        assert_eq!(sample.children, ["", "z"]);
    }

    #[test]
    fn the_first_wrong_type_is_told_after_everything_is_read() {
        let refused = |text: &str, want: &str| {
            assert_eq!(read(text).unwrap_err(), format!("json: cannot unmarshal {want}"), "{text}");
        };
        refused("[]", "array into Go value of type dkron.Job");
        refused("true", "bool into Go value of type dkron.Job");
        refused("42 x", "number into Go value of type dkron.Job");
        let field = |value: &str, want: &str| {
            refused(
                &format!("{{{value},\"disabled\":1}}"),
                &want.replace('%', "Go struct field Job"),
            );
        };
        field(r#""name":{}"#, "object into %.name of type string");
        field(r#""retries":-1"#, "number -1 into %.retries of type uint");
        field(r#""retries":1.5"#, "number 1.5 into %.retries of type uint");
        field(r#""retries":4294967296"#, "number 4294967296 into %.retries of type uint");
        field(r#""retries":"x""#, "string into %.retries of type uint");
        field(r#""tags":[]"#, "array into %.tags of type map[string]string");
        field(r#""tags":{"a":{"b":1}}"#, "object into %.tags of type string");
        field(r#""dependent_jobs":"a""#, "string into %.dependent_jobs of type []string");
        field(r#""dependent_jobs":[1]"#, "number into %.dependent_jobs of type string");
    }

    #[test]
    fn a_syntax_error_wins_over_a_wrong_type() {
        assert_eq!(read(r#"{"name":1,"#).unwrap_err(), "unexpected EOF");
        assert_eq!(read("").unwrap_err(), "EOF");
    }
}
