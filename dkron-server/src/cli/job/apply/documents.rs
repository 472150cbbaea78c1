//! The jobs in files and folders, read and checked before anything is asked of a node.
//!
//! A job is checked by the code that checks it on the server, so that a fault is found before the
//! first job is written. Beyond that an unknown key is a fault: in a file that people write it is a
//! typing error, and what it was to say would be lost in silence.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dkron_core::Zone;
use serde_json::{Map, Value};

use super::yaml;
use crate::api::{JobBody, JobRefusal, checked_job_text};

/// The longest file.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The longest key for which one that was meant is looked for.
const MISTYPED_BYTES_MAX: usize = 64;

/// Extensions of the files of a folder that are read.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// Every key of a job, those of Dkron first.
pub(in crate::cli) const KEYS: [&str; 35] = [
    "id",
    "name",
    "displayname",
    "timezone",
    "schedule",
    "owner",
    "owner_email",
    "success_count",
    "error_count",
    "last_success",
    "last_error",
    "disabled",
    "tags",
    "metadata",
    "retries",
    "dependent_jobs",
    "parent_job",
    "processors",
    "concurrency",
    "executor",
    "executor_config",
    "status",
    "next",
    "ephemeral",
    "starts_at",
    "expires_at",
    "catch_up",
    "dst",
    "lost_run",
    "misfire_deadline",
    "placement",
    "retry_backoff",
    "timeout",
    "retention",
    "declared_by",
];

/// A job of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JobDocument {
    /// Where it stands, for messages.
    pub(super) place: String,
    /// Its name.
    pub(super) name: String,
    /// Its parent; empty if it has none.
    pub(super) parent: String,
    /// Who declares it; empty if nobody.
    pub(super) owner: String,
    /// As it is written, and sent.
    pub(super) written: Value,
    /// As the API would show it.
    pub(super) shown: Value,
}

/// Reads the jobs of files and folders, parents before their children; `owner` declares them if it
/// is given.
///
/// # Errors
///
/// All that is wrong, each with its place.
pub(super) fn read(paths: &[&str], owner: Option<&str>) -> Result<Vec<JobDocument>, Vec<String>> {
    let (mut jobs, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match texts(path) {
            Ok(texts) => {
                for (place, text) in texts {
                    read_text(&place, &text, owner, &mut jobs, &mut faults);
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for job in &jobs {
        if let Some(first) = places.insert(&job.name, &job.place) {
            faults.push(format!("{}: job \"{}\" stands in {first} already", job.place, job.name));
        }
    }
    if faults.is_empty() { parents_first(jobs).map_err(|fault| vec![fault]) } else { Err(faults) }
}

/// Returns the texts that a path names, each with its place.
fn texts(path: &str) -> Result<Vec<(String, String)>, String> {
    if path == "-" {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| format!("read standard input: {error}"))?;
        return Ok(vec![("standard input".to_owned(), bounded("standard input", text)?)]);
    }
    let unreadable = |path: &Path, error| format!("read {}: {error}", path.display());
    let path = Path::new(path);
    let is_folder = fs::metadata(path).map_err(|error| unreadable(path, error))?.is_dir();
    let files = if is_folder { files_of(path)? } else { vec![path.to_owned()] };
    let texts = files.into_iter().map(|file| {
        let place = file.display().to_string();
        let mut text = String::new();
        let read = fs::File::open(&file)
            .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|error| unreadable(&file, error))?;
        Ok((place.clone(), bounded(&place, text)?))
    });
    texts.collect()
}

fn bounded(place: &str, text: String) -> Result<String, String> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{place}: more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// Returns the files of a folder that hold jobs, by name; folders in it are left alone.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("read {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("{}: no .json, .yaml or .yml file in it", folder.display()));
    }
    files.sort();
    Ok(files)
}

fn read_text(
    place: &str,
    text: &str,
    owner: Option<&str>,
    jobs: &mut Vec<JobDocument>,
    faults: &mut Vec<String>,
) {
    // A name that says nothing: what is JSON is read as such, and the rest as YAML.
    let is_yaml = match Path::new(place).extension().and_then(|extension| extension.to_str()) {
        Some("json") => false,
        Some("yaml" | "yml") => true,
        _ => json(text).is_err(),
    };
    let documents = if is_yaml { yaml::documents(text).map(place_yaml) } else { json(text) };
    let documents = match documents {
        Ok(documents) => documents,
        Err(fault) => return faults.push(format!("{place}: {fault}")),
    };
    for (within, value) in documents {
        let items = match value {
            Value::Array(items) => items,
            value => vec![value],
        };
        for (number, value) in (1..).zip(items) {
            let place = format!("{place}, {within}");
            match document(&place, value, is_yaml, owner) {
                Ok(job) => jobs.push(job),
                Err(fault) => faults.push(format!("{place}, job {number}: {fault}")),
            }
        }
    }
}

fn place_yaml(documents: Vec<yaml::Document>) -> Vec<(String, Value)> {
    documents
        .into_iter()
        .map(|document| (format!("line {}", document.line), document.value))
        .collect()
}

/// Reads any number of JSON values, one behind the other.
fn json(text: &str) -> Result<Vec<(String, Value)>, String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let values = (1..).zip(values).map(|(number, value)| match value {
        Ok(value) => Ok((format!("document {number}"), value)),
        Err(error) => Err(error.to_string()),
    });
    values.collect()
}

/// Checks one job.
fn document(
    place: &str,
    value: Value,
    is_yaml: bool,
    owner: Option<&str>,
) -> Result<JobDocument, String> {
    let Value::Object(mut members) = value else {
        return Err("a job must be a map of keys and values".to_owned());
    };
    let name_is_given = members.iter().any(|(key, _)| key.eq_ignore_ascii_case("name"));
    if !name_is_given {
        return Err("it has no name".to_owned());
    }
    if let Some(key) = members.keys().find(|key| !is_known(key)) {
        let hint = match nearest(key) {
            Some(near) => format!("; did you mean \"{near}\"?"),
            None => String::new(),
        };
        return Err(format!("unknown key \"{key}\"{hint}"));
    }
    if is_yaml {
        with_types(&mut members);
    }
    if let Some(owner) = owner {
        declare(&mut members, owner)?;
    }
    let written = Value::Object(members);
    let mut body = JobBody::decode(written.to_string().as_bytes()).map_err(|e| e.to_string())?;
    body.default_concurrency();
    let checked = body.check(Zone::UTC).map_err(|refusal| match refusal {
        JobRefusal::Invalid(why) => why,
        JobRefusal::NoParent => "parent_job cannot be the name of a job".to_owned(),
    })?;
    let shown: Value = serde_json::from_slice(&checked_job_text(&checked))
        .map_err(|error| format!("show it: {error}"))?;
    Ok(JobDocument {
        place: place.to_owned(),
        name: checked.job.name.to_string(),
        parent: checked.job.parent_job.map(|parent| parent.to_string()).unwrap_or_default(),
        owner: checked.job.declared_by.unwrap_or_default(),
        written,
        shown,
    })
}

fn is_known(key: &str) -> bool {
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Returns the key that was probably meant by one that is none.
fn nearest(key: &str) -> Option<&'static str> {
    if key.len() > MISTYPED_BYTES_MAX {
        return None;
    }
    let distance = |known: &&str| strsim::osa_distance(known, key);
    let nearest = KEYS.iter().copied().min_by_key(distance)?;
    (distance(&nearest) <= (key.len() / 3).max(1)).then_some(nearest)
}

/// Makes numbers and truths of the texts under the keys that hold such.
fn with_types(members: &mut Map<String, Value>) {
    for (key, value) in members {
        match key.to_ascii_lowercase().as_str() {
            "disabled" | "ephemeral" => make(value, |text| text.parse().ok().map(Value::Bool)),
            "retries" | "success_count" | "error_count" => make(value, number),
            "retention" => {
                for (key, value) in value.as_object_mut().into_iter().flatten() {
                    if !key.eq_ignore_ascii_case("age") {
                        make(value, number);
                    }
                }
            }
            _ => {}
        }
    }
}

fn number(text: &str) -> Option<Value> {
    text.parse::<u64>().ok().map(Value::from)
}

/// Replaces a text by what it stands for; what stands for nothing is refused later, as a text.
fn make(value: &mut Value, read: impl Fn(&str) -> Option<Value>) {
    if let Some(read) = value.as_str().and_then(read) {
        *value = read;
    }
}

/// Has `owner` declare a job.
fn declare(members: &mut Map<String, Value>, owner: &str) -> Result<(), String> {
    let key = members.keys().find(|key| key.eq_ignore_ascii_case("declared_by")).cloned();
    let declared = key.as_ref().and_then(|key| members.get(key)).and_then(Value::as_str);
    match declared {
        Some(other) if !other.is_empty() && other != owner => {
            Err(format!("declared_by is \"{other}\", not the owner \"{owner}\""))
        }
        _ => {
            let key = key.unwrap_or_else(|| "declared_by".to_owned());
            members.insert(key, Value::from(owner));
            Ok(())
        }
    }
}

/// Puts parents before their children; otherwise the order stays.
fn parents_first(jobs: Vec<JobDocument>) -> Result<Vec<JobDocument>, String> {
    let places: BTreeMap<&str, usize> =
        jobs.iter().enumerate().map(|(at, job)| (job.name.as_str(), at)).collect();
    let mut levels = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let (mut level, mut above) = (0, places.get(job.parent.as_str()));
        while let Some(parent) = above.and_then(|at| jobs.get(*at)) {
            level += 1;
            if level > jobs.len() {
                let why = "is its own ancestor by parent_job";
                return Err(format!("{}: job \"{}\" {why}", job.place, job.name));
            }
            above = places.get(parent.parent.as_str());
        }
        levels.push(level);
    }
    let mut levelled: Vec<(usize, JobDocument)> = levels.into_iter().zip(jobs).collect();
    // Stable: jobs of a level stay as they stand.
    levelled.sort_by_key(|(level, _)| *level);
    Ok(levelled.into_iter().map(|(_, job)| job).collect())
}

#[cfg(test)]
#[path = "documents_test.rs"]
mod tests;
