//! `dkron job`: the jobs of a running node.
//!
//! # Where to begin reading
//!
//! [`run()`]; then the file of the command.

mod apply;
mod change;
mod export;
mod import;
mod list;
pub(super) mod restore;
mod run;
mod show;

pub(super) use self::apply::KEYS;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use super::executions::no_such_job;
use super::remote::{Fault, ended, with_remote_args};
use crate::client::{Ask, Client, encode};

pub(super) fn command() -> Command {
    let commands = [
        apply::command(),
        change::delete_command(),
        export::command(),
        import::command(),
        list::command(),
        change::pause_command(),
        change::resume_command(),
        run::command(),
        show::command(),
        change::toggle_command(),
    ];
    with_remote_args(
        Command::new("job")
            .about("Show and change the jobs of a running node")
            .after_help(
                "Examples:\n  dkron job list\n  dkron job show backup -o json\n  \
                 dkron job run backup\n  dkron job apply --dry-run jobs/\n  \
                 dkron job export backup.json",
            )
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(commands),
    )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::FAILURE };
    ended(match name {
        "apply" => apply::run(matches),
        "delete" => change::delete(matches),
        "export" => export::run(matches),
        "import" => import::run(matches),
        "list" => list::run(matches),
        "pause" => change::pause(matches),
        "resume" => change::resume(matches),
        "run" => run::run(matches),
        "show" => show::run(matches),
        _ => change::toggle(matches),
    })
}

/// The argument that names a job.
fn job_arg() -> Arg {
    Arg::new("job").value_name("JOB").required(true).help("Name of the job")
}

/// The argument that names jobs.
fn jobs_arg() -> Arg {
    Arg::new("job").value_name("JOB").required(true).num_args(1..).help("Names of the jobs")
}

/// Returns the path of a job, with what follows it.
fn path_of(job: &str, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", encode(job))
}

/// Returns a job as the node shows it, if there is one.
fn find(client: &Client, job: &str) -> Result<Option<Value>, Fault> {
    let answer = client.find(Ask::get(format!("show job \"{job}\""), path_of(job, "")))?;
    Ok(answer.map(|answer| answer.json()).transpose()?)
}

/// Returns a job as the node shows it.
fn show_job(client: &Client, job: &str) -> Result<Value, Fault> {
    find(client, job)?.ok_or_else(|| no_such_job(job))
}
