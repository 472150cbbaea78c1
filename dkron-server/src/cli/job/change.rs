//! `dkron job toggle`, `pause`, `resume` and `delete`: what changes a job without a file.
//!
//! To pause a job is to disable it: it fires no more, by whatever, until it is resumed. (The API
//! has a pause as well, which refuses new and changed jobs and stops no fire; it is no job's.)

use clap::{ArgMatches, Command};
use serde_json::Value;

use super::{find, jobs_arg, path_of, show_job};
use crate::cli::executions::no_such_job;
use crate::cli::remote::{Fault, Format, client, format, say_json, texts};
use crate::cli::shown::is_true;
use crate::client::{Ask, Client, ClientError};
use crate::terminal::{complain, say};

/// How often a toggle is set right when somebody else toggles at the same time.
const TOGGLES_MAX: usize = 3;

pub(super) fn toggle_command() -> Command {
    Command::new("toggle")
        .about("Disable jobs that are enabled, and enable those that are disabled")
        .after_help("Example:\n  dkron job toggle backup")
        .arg(jobs_arg())
}

pub(super) fn pause_command() -> Command {
    Command::new("pause")
        .about("Disable jobs: they fire no more until they are resumed")
        .after_help(
            "A job that is disabled already stays so. What runs is not ended.\n\n\
             Example:\n  dkron job pause backup",
        )
        .arg(jobs_arg())
}

pub(super) fn resume_command() -> Command {
    Command::new("resume")
        .about("Enable jobs that are disabled")
        .after_help("Example:\n  dkron job resume backup")
        .arg(jobs_arg())
}

pub(super) fn delete_command() -> Command {
    Command::new("delete")
        .about("Delete jobs with their executions")
        .after_help(
            "A job that others depend on is not deleted before them.\n\n\
             Example:\n  dkron job delete backup backup-report",
        )
        .arg(jobs_arg())
}

pub(super) fn toggle(matches: &ArgMatches) -> Result<(), Fault> {
    each(matches, toggled, state_text)
}

pub(super) fn pause(matches: &ArgMatches) -> Result<(), Fault> {
    each(matches, |client, job| with_disabled(client, job, true), state_text)
}

pub(super) fn resume(matches: &ArgMatches) -> Result<(), Fault> {
    each(matches, |client, job| with_disabled(client, job, false), state_text)
}

pub(super) fn delete(matches: &ArgMatches) -> Result<(), Fault> {
    each(matches, deleted, |_| "deleted")
}

/// Changes each job that is named, tells what became of it, and goes on after one that failed.
fn each(
    matches: &ArgMatches,
    change: impl Fn(&Client, &str) -> Result<Value, Fault>,
    word: impl Fn(&Value) -> &'static str,
) -> Result<(), Fault> {
    let client = client(matches)?;
    let mut changed = Vec::new();
    let mut is_complete = true;
    for job in texts(matches, "job") {
        match change(&client, job) {
            Ok(value) => {
                if format(matches) == Format::Table {
                    say(format_args!("job \"{job}\" {}", word(&value)))?;
                }
                changed.push(value);
            }
            Err(Fault::Text(text)) => {
                complain(text);
                is_complete = false;
            }
            Err(Fault::Told) => is_complete = false,
        }
    }
    if format(matches) == Format::Json {
        say_json(&Value::Array(changed))?;
    }
    if is_complete { Ok(()) } else { Err(Fault::Told) }
}

fn state_text(job: &Value) -> &'static str {
    if is_true(job, "disabled") { "disabled" } else { "enabled" }
}

fn toggled(client: &Client, job: &str) -> Result<Value, Fault> {
    let ask = Ask::post(format!("toggle job \"{job}\""), path_of(job, "/toggle"));
    Ok(client.find(ask)?.ok_or_else(|| no_such_job(job))?.json()?)
}

/// Disables or enables a job, whatever it was, and whoever toggles it meanwhile.
fn with_disabled(client: &Client, job: &str, is_disabled: bool) -> Result<Value, Fault> {
    let mut now = show_job(client, job)?;
    for _ in 0..TOGGLES_MAX {
        if is_true(&now, "disabled") == is_disabled {
            return Ok(now);
        }
        now = toggled(client, job)?;
    }
    if is_true(&now, "disabled") == is_disabled {
        return Ok(now);
    }
    Err(Fault::Text(format!("job \"{job}\": others keep toggling it; try again")))
}

pub(super) fn deleted(client: &Client, job: &str) -> Result<Value, Fault> {
    let ask = Ask::delete(format!("delete job \"{job}\""), path_of(job, ""));
    match client.succeed(ask) {
        Ok(answer) => Ok(answer.json()?),
        Err(error) if error.status().is_some_and(|status| status == 404) => {
            Err(why_not_deleted(client, job, error)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns why a delete was refused: its status is the same for every reason.
fn why_not_deleted(client: &Client, job: &str, error: ClientError) -> Result<Fault, Fault> {
    let Some(found) = find(client, job)? else { return Ok(no_such_job(job)) };
    let dependents = dependents(&found);
    if dependents.is_empty() {
        return Ok(error.into());
    }
    Ok(Fault::Text(format!(
        "job \"{job}\" is not deleted: {} {} on it; delete {} first, or give {} another \
         parent_job",
        dependents.join(", "),
        if dependents.len() == 1 { "depends" } else { "depend" },
        if dependents.len() == 1 { "it" } else { "them" },
        if dependents.len() == 1 { "it" } else { "them" },
    )))
}

/// Returns the names of the jobs that depend on a job.
pub(super) fn dependents(job: &Value) -> Vec<String> {
    let names = job.get("dependent_jobs").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(|name| format!("\"{name}\"")).collect()
}
