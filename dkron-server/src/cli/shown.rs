//! Values of the API as people read them: texts, instants, spans, whole objects.

use dkron_core::Timestamp;
use serde_json::Value;

use crate::terminal::printable;

/// Returns the text under a key; empty if there is none.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the number under a key as text; 0 if there is none.
pub(super) fn number(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_u64).unwrap_or_default().to_string()
}

/// Returns whether the key holds `true`.
pub(super) fn is_true(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// Returns the instant under a key; nothing for what stands for "never".
pub(super) fn instant(object: &Value, key: &str) -> Option<Timestamp> {
    let at = Timestamp::parse_rfc3339(text(object, key)).ok()?;
    // The year 1 in any zone, and 1970 of a child in older versions.
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

/// Returns an instant without its parts of a second, in UTC; empty for none.
pub(super) fn instant_text(at: Option<Timestamp>) -> String {
    at.map(|at| at.truncate_to_s().to_string()).unwrap_or_default()
}

/// Returns how long something took; empty if it has not both begun and ended.
pub(super) fn span_text(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => {
            let span = to.since(from);
            format!("{}.{:03}s", span.as_secs(), span.subsec_millis())
        }
        _ => String::new(),
    }
}

/// Returns an object as indented lines, without what is empty; the inverse of nothing.
pub(super) fn lines(object: &Value) -> String {
    let mut lines = String::new();
    add_lines(&mut lines, object, 0);
    lines.truncate(lines.trim_end().len());
    lines
}

/// Returns whether a value says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text.starts_with("0001-01-01T"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Adds the members of an object; an answer of the API nests three levels.
fn add_lines(lines: &mut String, object: &Value, depth: usize) {
    let members = object.as_object().into_iter().flatten();
    for (key, value) in members.filter(|(_, value)| !is_empty(value)) {
        let indent = "  ".repeat(depth);
        lines.push_str(&format!("{indent}{}:", printable(key)));
        match value {
            Value::Object(_) => {
                lines.push('\n');
                add_lines(lines, value, depth + 1);
                continue;
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(scalar).collect();
                lines.push_str(&format!(" {}", items.join(", ")));
            }
            value => lines.push_str(&format!(" {}", scalar(value))),
        }
        lines.push('\n');
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_for_never_is_no_instant() {
        let check = |text: &str, want: &str| {
            assert_eq!(instant_text(instant(&json!({"at": text}), "at")), want, "{text}");
        };
        check("2026-11-21T06:40:58.25Z", "2026-11-21T06:40:58Z");
        check("2026-11-21T06:40:58+01:00", "2026-11-21T05:40:58Z");
        check("0001-01-01T00:00:00Z", "");
        check("0001-01-01T00:09:21+00:09", "");
        check("1970-01-01T00:00:00Z", "");
        check("", "");
    }

    #[test]
    fn spans_have_milliseconds() {
        let at = |text| Timestamp::parse_rfc3339(text).ok();
        let begin = at("2026-11-21T06:40:58.5Z");
        assert_eq!(span_text(begin, at("2026-11-21T06:41:00.507Z")), "2.007s");
        assert_eq!(span_text(begin, None), "");
    }

    #[test]
    fn an_object_is_shown_without_what_is_empty() {
        let job = json!({"name": "a", "tags": null, "next": "0001-01-01T00:00:00Z", "retries": 0,
                         "dependent_jobs": ["b", "c"], "executor_config": {"command": "a\nb"}});
        assert_eq!(
            lines(&job),
            "name: a\nretries: 0\ndependent_jobs: b, c\nexecutor_config:\n  command: a\\nb"
        );
    }
}
