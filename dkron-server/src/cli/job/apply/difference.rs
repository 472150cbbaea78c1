//! What a write would change of a job, key by key.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::terminal::printable;

/// What a node computes; a file does not say it.
const COMPUTED: [&str; 8] = [
    "id",
    "success_count",
    "error_count",
    "last_success",
    "last_error",
    "dependent_jobs",
    "status",
    "next",
];

/// A key whose value would be another one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// Where it stands, as in `executor_config.command`.
    pub(super) key: String,
    /// What is stored; nothing if the key is empty.
    pub(super) from: Option<Value>,
    /// What the file says.
    pub(super) to: Option<Value>,
}

impl Difference {
    /// Returns the line that says it.
    pub(super) fn line(&self) -> String {
        let value = |value: &Option<Value>| match value {
            Some(value) => printable(&value.to_string()),
            None => "nothing".to_owned(),
        };
        format!("  {}: {} -> {}", printable(&self.key), value(&self.from), value(&self.to))
    }

    /// Returns it for programs.
    pub(super) fn json(&self) -> Value {
        json!({"key": self.key, "from": self.from, "to": self.to})
    }
}

/// Returns how two jobs differ, both written as the API writes them.
pub(super) fn differences(stored: &Value, wanted: &Value) -> Vec<Difference> {
    let (mut stored, wanted) = (leaves(stored), leaves(wanted));
    let mut found: Vec<Difference> = Vec::new();
    for (key, to) in wanted {
        let from = stored.remove(&key);
        if from.as_ref() != Some(&to) {
            found.push(Difference { key, from, to: Some(to) });
        }
    }
    found.extend(stored.into_iter().map(|(key, from)| Difference {
        key,
        from: Some(from),
        to: None,
    }));
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

/// Returns every value that is neither a map nor empty, by where it stands.
fn leaves(job: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in job.as_object().into_iter().flatten() {
        if !COMPUTED.contains(&key.as_str()) {
            add(&mut found, key.clone(), value);
        }
    }
    found
}

/// Adds the values below a key; a job nests three levels.
fn add(found: &mut BTreeMap<String, Value>, key: String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Object(members) => {
            for (name, value) in members {
                add(found, format!("{key}.{name}"), value);
            }
        }
        value => {
            found.insert(key, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_or_empty_makes_no_difference() {
        let stored = json!({"id": "a", "name": "a", "tags": null, "next": "2026-01-01T00:00:00Z",
                            "success_count": 7, "owner": "", "retries": 0});
        let wanted = json!({"name": "a", "tags": {}, "retries": 0, "processors": {}});
        assert_eq!(differences(&stored, &wanted), []);
    }

    #[test]
    fn each_key_that_differs_is_told_with_both_values() {
        let stored = json!({"schedule": "@hourly", "tags": {"a": "1", "b": "2"}, "owner": "x"});
        let wanted = json!({"schedule": "@daily", "tags": {"a": "1", "b": "3"}, "retries": 2});
        let lines: Vec<String> =
            differences(&stored, &wanted).iter().map(Difference::line).collect();
        assert_eq!(
            lines,
            [
                "  owner: \"x\" -> nothing",
                "  retries: nothing -> 2",
                "  schedule: \"@hourly\" -> \"@daily\"",
                "  tags.b: \"2\" -> \"3\"",
            ]
        );
    }
}
