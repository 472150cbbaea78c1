//! What can be carried over of one job of a Go Dkron.

use std::collections::BTreeSet;

use dkron_core::Zone;
use serde_json::{Map, Value};

use crate::api::{JobBody, JobRefusal};
use crate::cli::job::KEYS;
use crate::cli::shown;

/// The executors that this version has.
const EXECUTORS: [&str; 2] = ["shell", "http"];

/// A job that can be written here.
#[derive(Debug, PartialEq)]
pub(super) struct Carried {
    /// Its name.
    pub(super) name: String,
    /// Its parent; empty if it has none.
    pub(super) parent: String,
    /// As it will be written.
    pub(super) job: Value,
    /// The jobs that its list of dependents names.
    pub(super) dependents: BTreeSet<String>,
    /// What of it has no effect here.
    pub(super) notes: Vec<String>,
}

/// A job that cannot, and why.
#[derive(Debug, PartialEq)]
pub(super) struct LeftOut {
    /// Its name, as far as it has one.
    pub(super) name: String,
    /// Why.
    pub(super) reason: String,
}

/// Reads one job of a source.
pub(super) fn assess(text: &[u8]) -> Result<Carried, LeftOut> {
    let unnamed = |reason: String| LeftOut { name: String::new(), reason };
    let value: Value = serde_json::from_slice(text).map_err(|error| unnamed(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(unnamed("it is no JSON object".to_owned()));
    };
    let job = Value::Object(members.clone());
    let name = shown::text(&job, "name").to_owned();
    let left_out = |reason| LeftOut { name: name.clone(), reason };
    let body = JobBody::decode(text).map_err(|error| left_out(error.to_string()))?;
    body.check(Zone::UTC).map_err(|refusal| {
        left_out(match refusal {
            JobRefusal::Invalid(why) => why,
            JobRefusal::NoParent => "its parent_job cannot be the name of a job".to_owned(),
        })
    })?;
    let (members, notes) = cleaned(members);
    let dependents = job.get("dependent_jobs").and_then(Value::as_array).into_iter().flatten();
    Ok(Carried {
        parent: shown::text(&job, "parent_job").to_owned(),
        dependents: dependents.filter_map(Value::as_str).map(str::to_owned).collect(),
        name,
        job: Value::Object(members),
        notes,
    })
}

/// Leaves out the keys that mean nothing here, and says so, and what else will have no effect.
fn cleaned(mut members: Map<String, Value>) -> (Map<String, Value>, Vec<String>) {
    let mut notes = Vec::new();
    let is_known = |key: &str| KEYS.iter().any(|known| known.eq_ignore_ascii_case(key));
    let unknown: Vec<String> = members.keys().filter(|key| !is_known(key)).cloned().collect();
    for key in unknown {
        members.remove(&key);
        notes.push(format!("the key \"{key}\" means nothing here and is left out"));
    }
    // Edges belong to the child; the node computes the list.
    members.remove("dependent_jobs");
    let job = Value::Object(members);
    let executor = shown::text(&job, "executor");
    if !executor.is_empty() && !EXECUTORS.contains(&executor) {
        notes.push(format!(
            "this version has no executor \"{executor}\": the job is written, its runs will fail"
        ));
    }
    let processors = job.get("processors").and_then(Value::as_object).into_iter().flatten();
    let processors: Vec<String> = processors.map(|(name, _)| format!("\"{name}\"")).collect();
    if !processors.is_empty() {
        notes.push(format!(
            "this version has no processors: {} will not see its output",
            processors.join(", ")
        ));
    }
    match job {
        Value::Object(members) => (members, notes),
        _ => (Map::new(), notes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn carried(job: Value) -> Carried {
        assess(job.to_string().as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused(text: &str, name: &str, want: &str) {
        let left_out = assess(text.as_bytes()).unwrap_err();
        assert_eq!(left_out.name, name);
        assert!(left_out.reason.contains(want), "{left_out:?}");
    }

    #[test]
    fn a_job_of_the_go_dkron_is_carried_over_with_its_counters() {
        let job = carried(json!({"id": "a", "name": "a", "schedule": "@daily", "parent_job": "",
            "success_count": 7, "dependent_jobs": ["b"], "executor": "shell",
            "executor_config": {"command": "true"}, "next": "2026-11-21T06:40:58Z"}));
        assert_eq!((job.name.as_str(), job.notes.len()), ("a", 0));
        assert_eq!(job.job["success_count"], 7);
        assert_eq!(job.job.get("dependent_jobs"), None);
        assert_eq!(job.dependents, ["b".to_owned()].into());
    }

    #[test]
    fn what_has_no_effect_here_is_told() {
        let job = carried(json!({"name": "a", "schedule": "@daily", "executor": "kafka",
                                 "processors": {"files": {}}, "command": "true"}));
        assert_eq!(job.notes.len(), 3, "{:?}", job.notes);
        assert_eq!(job.job.get("command"), None);
        assert!(job.notes[1].contains("no executor \"kafka\""), "{:?}", job.notes);
    }

    #[test]
    fn what_is_not_accepted_is_left_out_with_its_reason() {
        refused(r#"{"name":"A","schedule":"@daily"}"#, "A", "illegal character 'A'");
        refused(r#"{"name":"a","schedule":"0 0 0 30 2 *"}"#, "a", "no date");
        refused(r#"{"name":"a","retries":"x"}"#, "a", "retries");
        refused("[1]", "", "no JSON object");
        refused("{", "", "EOF");
    }
}
