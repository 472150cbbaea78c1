//! `dkron job show`: one job, all that is said about it.

use clap::{ArgMatches, Command};

use super::{job_arg, path_of, show_job};
use crate::cli::executions::no_such_job;
use crate::cli::remote::{Fault, Format, client, format, pass_on, text};
use crate::cli::shown;
use crate::client::Ask;
use crate::terminal::say;

pub(super) fn command() -> Command {
    Command::new("show")
        .about("Show a job")
        .after_help(
            "As a table, what is empty is left out.\n\n\
             Examples:\n  dkron job show backup\n  dkron job show backup -o json",
        )
        .arg(job_arg())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let job = text(matches, "job").unwrap_or_default();
    match format(matches) {
        Format::Table => Ok(say(shown::lines(&show_job(&client, job)?))?),
        Format::Json => {
            let ask = Ask::get(format!("show job \"{job}\""), path_of(job, "?pretty=true"));
            pass_on(client.find(ask)?.ok_or_else(|| no_such_job(job))?)
        }
    }
}
