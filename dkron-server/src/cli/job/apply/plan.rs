//! What there is to do: the jobs of files against those of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::Value;

use super::difference::{Difference, differences};
use super::documents::JobDocument;
use crate::cli::job::find;
use crate::cli::remote::Fault;
use crate::cli::shown;
use crate::client::{Ask, Client};

/// What becomes of one job.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) job: String,
    pub(super) action: Action,
}

#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// It is not there yet; this is written.
    Create(Value),
    /// It differs; this is written.
    Change(Value, Vec<Difference>),
    /// It is as the file says.
    Keep,
    /// No file holds it any more.
    Delete,
}

/// Returns what there is to do, in the order in which it can be done: writes parents first, then
/// deletes children first. `pruned` is the owner whose other jobs are deleted.
pub(super) fn plan(
    client: &Client,
    jobs: Vec<JobDocument>,
    pruned: Option<&str>,
) -> Result<Vec<Step>, Fault> {
    let deletes = match pruned {
        Some(owner) => {
            let kept: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
            children_first(owned(client, owner, &kept)?)
        }
        None => Vec::new(),
    };
    let mut steps = Vec::with_capacity(jobs.len() + deletes.len());
    for job in jobs {
        let stored = find(client, &job.name)?;
        steps.push(step(job, stored.as_ref())?);
    }
    steps.extend(deletes.into_iter().map(|job| Step { job, action: Action::Delete }));
    Ok(steps)
}

/// Returns what becomes of a job that a file holds.
fn step(job: JobDocument, stored: Option<&Value>) -> Result<Step, Fault> {
    let Some(stored) = stored else {
        return Ok(Step { job: job.name, action: Action::Create(job.written) });
    };
    let owner = shown::text(stored, "declared_by");
    if !owner.is_empty() && owner != job.owner {
        return Err(Fault::Text(format!(
            "{}: job \"{}\" is declared by \"{owner}\"; apply it with --owner {owner}, or give it \
             another name; nothing was applied",
            job.place, job.name
        )));
    }
    let differences = differences(stored, &job.shown);
    let action = if differences.is_empty() {
        Action::Keep
    } else {
        Action::Change(job.written, differences)
    };
    Ok(Step { job: job.name, action })
}

/// Returns the jobs that an owner declares and no file holds, each with its parent.
fn owned(
    client: &Client,
    owner: &str,
    kept: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut owned = BTreeMap::new();
    let what = format!("list the jobs that \"{owner}\" declares");
    client.succeed(Ask::get(what, "/v1/jobs"))?.each_value(|job| {
        let name = shown::text(&job, "name");
        if shown::text(&job, "declared_by") == owner && !kept.contains(name) {
            owned.insert(name.to_owned(), shown::text(&job, "parent_job").to_owned());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(owned)
}

/// Puts children before their parents.
fn children_first(parents: BTreeMap<String, String>) -> Vec<String> {
    let level = |name: &str| {
        let mut level = 0;
        let mut above = parents.get(name);
        // A node has no cycles; a list that was read while jobs changed may show one.
        while let Some(parent) = above.filter(|_| level <= parents.len()) {
            level += 1;
            above = parents.get(parent);
        }
        level
    };
    let mut levelled: Vec<(usize, String)> =
        parents.keys().map(|name| (level(name), name.clone())).collect();
    levelled.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    levelled.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(owner: &str, shown: Value) -> JobDocument {
        JobDocument {
            place: "jobs.yaml, line 1".to_owned(),
            name: "a".to_owned(),
            parent: String::new(),
            owner: owner.to_owned(),
            written: json!({"name": "a"}),
            shown,
        }
    }

    #[test]
    fn a_job_is_written_only_where_it_differs() {
        let wanted = json!({"name": "a", "retries": 1});
        let action = |stored: Option<Value>| {
            step(document("", wanted.clone()), stored.as_ref()).unwrap().action
        };
        assert_eq!(action(None), Action::Create(json!({"name": "a"})));
        let same = json!({"name": "a", "retries": 1, "next": "x"});
        assert_eq!(action(Some(same)), Action::Keep);
        let other = action(Some(json!({"name": "a", "retries": 0})));
        let Action::Change(_, differences) = other else { panic!("no change") };
        assert_eq!(differences.len(), 1);
    }

    #[test]
    fn the_job_of_another_owner_is_not_touched() {
        let stored = json!({"name": "a", "declared_by": "web"});
        for owner in ["", "db"] {
            let refused = step(document(owner, json!({})), Some(&stored));
            let Err(Fault::Text(text)) = refused else { panic!("accepted for {owner:?}") };
            assert!(text.contains("is declared by \"web\""), "{text}");
        }
        assert!(step(document("web", json!({})), Some(&stored)).is_ok());
        assert!(step(document("web", json!({})), Some(&json!({"name": "a"}))).is_ok());
    }

    #[test]
    fn children_are_deleted_before_their_parents() {
        let parents = [("a", ""), ("b", "a"), ("c", "b"), ("d", "elsewhere")];
        let parents = parents.map(|(name, parent)| (name.to_owned(), parent.to_owned()));
        assert_eq!(children_first(parents.into()), ["c", "b", "a", "d"]);
        let cycle = [("a", "b"), ("b", "a")].map(|(name, parent)| (name.into(), parent.into()));
        assert_eq!(children_first(cycle.into()).len(), 2);
    }
}
