//! YAML as files of jobs hold it: documents of maps, lists and texts.
//!
//! Every scalar is the text that was written, so that `command: 0022`, `no` or `1e3` stay what they
//! are; which of them are numbers or truths, the keys of a job say. Only what is empty, `~` or
//! `null` without quotes is nothing. Tags mean nothing here.
//!
//! # Invariants
//!
//! * The parser is pulled event by event, so that nesting costs heap and is bounded here.
//! * What aliases repeat is bounded.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

/// How deep a document nests at most; a job nests three levels.
const DEPTH_MAX: usize = 32;

/// Bytes that aliases may repeat, in all.
const REPEATED_BYTES_MAX: usize = 16 << 20;

/// What a value counts beside its text.
const VALUE_BYTES: usize = 64;

/// A document.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What it holds.
    pub(super) value: Value,
}

/// Reads all documents of a text; empty ones are left out.
///
/// # Errors
///
/// What is wrong, with its line.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, String> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    loop {
        let (event, mark) = parser.next_token().map_err(|error| {
            format!(
                "line {}, column {}: {}",
                error.marker().line(),
                error.marker().col() + 1,
                error.info()
            )
        })?;
        if event == Event::StreamEnd {
            return Ok(builder.documents);
        }
        builder.take(event, mark.line()).map_err(|why| format!("line {}: {why}", mark.line()))?;
    }
}

/// Values that are not complete.
enum Open {
    Map { members: Map<String, Value>, key: Option<String>, anchor: usize },
    List { items: Vec<Value>, anchor: usize },
}

#[derive(Default)]
struct Builder {
    documents: Vec<Document>,
    line: usize,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Value>,
    repeated_bytes: usize,
}

impl Builder {
    fn take(&mut self, event: Event, line: usize) -> Result<(), String> {
        match event {
            Event::DocumentStart => {
                self.line = line;
                self.anchors.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let is_nothing = style == TScalarStyle::Plain
                    && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
                // A key that looks like nothing is the text that it is.
                let value = if is_nothing && !self.awaits_key() {
                    Value::Null
                } else {
                    Value::String(text)
                };
                self.put(value, anchor)
            }
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor);
                let value = named.ok_or("an alias names nothing that is complete before it")?;
                self.repeated_bytes = self.repeated_bytes.saturating_add(bytes_of(value));
                if self.repeated_bytes > REPEATED_BYTES_MAX {
                    return Err(format!("aliases repeat more than {REPEATED_BYTES_MAX} bytes"));
                }
                let value = value.clone();
                self.put(value, 0)
            }
            Event::SequenceStart(anchor, _) => self.begin(Open::List { items: Vec::new(), anchor }),
            Event::MappingStart(anchor, _) => {
                self.begin(Open::Map { members: Map::new(), key: None, anchor })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { items, anchor }) => self.put(Value::Array(items), anchor),
                Some(Open::Map { members, anchor, .. }) => self.put(Value::Object(members), anchor),
                None => Ok(()),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), String> {
        if self.awaits_key() {
            return Err("a key must be a text".to_owned());
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX} levels"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Returns whether what comes next is the key of a map.
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    /// Puts a value where it belongs.
    fn put(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if self.open.len() + depth(&value) > DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX} levels"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None if value.is_null() => {}
            None => self.documents.push(Document { line: self.line, value }),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { members, key, .. }) => match key.take() {
                Some(key) => {
                    members.insert(key, value);
                }
                None => {
                    let Value::String(text) = value else {
                        return Err("a key must be a text".to_owned());
                    };
                    if members.contains_key(&text) {
                        return Err(format!("the key \"{text}\" stands twice"));
                    }
                    *key = Some(text);
                }
            },
        }
        Ok(())
    }
}

/// How many bytes a value takes, about; `put` has bounded its depth.
fn bytes_of(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| VALUE_BYTES + key.len() + bytes_of(value)).sum()
        }
        _ => 0,
    };
    VALUE_BYTES + within
}

/// How many levels a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[Value]) {
        let found: Vec<Value> =
            documents(text).unwrap().into_iter().map(|document| document.value).collect();
        assert_eq!(found, want, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, want: &str) {
        let error = documents(text).unwrap_err();
        assert!(error.starts_with("line ") && error.contains(want), "{error}");
    }

    #[test]
    fn scalars_are_the_texts_that_were_written() {
        check(
            "a: 0022\nb: no\nc: 1e3\nd: \"null\"\ne:\nf: ~\ng: |\n  one\n  two\nnull: x\n",
            &[json!({"a": "0022", "b": "no", "c": "1e3", "d": "null", "e": null, "f": null,
                     "g": "one\ntwo\n", "null": "x"})],
        );
    }

    #[test]
    fn a_text_holds_any_number_of_documents() {
        check("", &[]);
        check(
            "---\na: 1\n---\n# nothing\n---\n- b\n- {c: [d]}\n",
            &[json!({"a": "1"}), json!(["b", {"c": ["d"]}])],
        );
        let lines: Vec<usize> =
            documents("a: 1\n---\nb: 2\n").unwrap().iter().map(|found| found.line).collect();
        assert_eq!(lines, [1, 2]);
    }

    #[test]
    fn anchors_are_repeated_where_they_are_named() {
        check("a: &x {b: c}\nd: *x\n", &[json!({"a": {"b": "c"}, "d": {"b": "c"}})]);
        refused("a: &x [*x]\n", "names nothing that is complete");
        refused("a: *x\n", "unknown anchor");
    }

    #[test]
    fn what_cannot_be_a_job_is_refused_with_its_line() {
        refused("a: 1\na: 2\n", "line 2: the key \"a\" stands twice");
        refused("[a]: 1\n", "a key must be a text");
        refused("a: [b\n", "line ");
        refused("a: b: c\n", "line 1");
    }

    /// Goal: no file takes the memory, or the stack, of who reads it.
    #[test]
    fn a_text_that_grows_without_end_is_refused() {
        let bomb = (1..40).fold("a0: &a0 xxxxxxxxxxxxxxxx\n".to_owned(), |text, n| {
            text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)
        });
        refused(&bomb, "aliases repeat more than");
        for deep in ["[", "- ", "? ", "{a: ", "- - ? ", "? - "] {
            refused(&deep.repeat(100_000), "");
        }
        let steps: String = (0..2_000).map(|n| " ".repeat(n) + "a:\n").collect();
        refused(&steps, "nests deeper");
    }
}
