//! The command line: `dkron agent`; `job`, `executions`, `status`, `import`, `leave` and `raft`,
//! which ask a running node; `schedule`, `config`, `keygen`, `version`, `completion` and `doc`,
//! which need none.
//!
//! Takes words and gives an exit code; what a command does is in its own file. The options of
//! `agent` are not written here but in [`config`](crate::config), for the environment and the file
//! know the same ones.
//!
//! # Where to begin reading
//!
//! [`run`]; then the file of the command.

mod agent_args;
mod completion;
mod config;
mod doc;
mod executions;
mod import;
mod job;
mod keygen;
mod leave;
mod raft;
mod remote;
mod schedule;
mod shown;
mod status;
mod table;
mod version;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use clap::{Arg, Command};

use crate::agent;
use crate::config::Settings;
use crate::terminal::{complain, say};

/// Exit code of everything that fails, as in Dkron.
const FAILED: u8 = 1;

/// Runs the command that `args` name, the program's own name first.
///
/// Blocks until it has ended. Exit codes: 0 if all is well, 1 for a wrong command line, a failed
/// start, a schedule that is refused, a node that cannot be reached or refuses what it is asked.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Printing fails only when nobody reads; the exit code stands either way.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    match matches.subcommand() {
        Some(("agent", matches)) => run_agent(matches),
        Some(("completion", matches)) => completion::run(matches, command()),
        Some(("config", matches)) => config::run(matches),
        Some(("doc", matches)) => doc::run(matches, command()),
        Some(("executions", matches)) => executions::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("job", matches)) => job::run(matches),
        Some(("keygen", _)) => keygen::run(),
        Some(("leave", matches)) => leave::run(matches),
        Some(("raft", matches)) => raft::run(matches),
        Some(("schedule", matches)) => schedule::run(matches),
        Some(("status", matches)) => status::run(matches),
        Some(("version", _)) => version::run(),
        _ => {
            let _ = command().print_help();
            ExitCode::SUCCESS
        }
    }
}

fn run_agent(matches: &clap::ArgMatches) -> ExitCode {
    let flags = agent_args::sources(matches);
    let load = move || Settings::load(flags.clone(), |name| std::env::var(name).ok());
    match load() {
        Ok(settings) => agent::run(settings, load),
        Err(faults) => {
            for fault in &faults.0 {
                complain(fault);
            }
            ExitCode::from(FAILED)
        }
    }
}

fn command() -> Command {
    Command::new("dkron")
        .about("A distributed, highly available job scheduler")
        .after_help(
            "Start with:\n  dkron agent --server --bootstrap-expect=1\n\n\
             Use \"dkron <command> --help\" for more information about a command.",
        )
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .max_term_width(100)
        .subcommand(agent_args::command())
        .subcommand(completion::command())
        .subcommand(config::command())
        .subcommand(doc::command())
        .subcommand(executions::command())
        .subcommand(import::command())
        .subcommand(job::command())
        .subcommand(keygen::command())
        .subcommand(leave::command())
        .subcommand(raft::command())
        .subcommand(schedule::command())
        .subcommand(status::command())
        .subcommand(version::command())
}

/// Says what a command was asked for, and returns its exit code.
fn answer(text: impl Display) -> ExitCode {
    match say(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("write to standard output: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// An option that takes a value.
fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn commands_are_listed_in_their_order() {
        let names: Vec<String> =
            command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
