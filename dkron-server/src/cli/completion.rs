//! `dkron completion`: what a shell needs to complete the command line.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::{FAILED, answer};

pub(super) fn command() -> Command {
    Command::new("completion")
        .about("Generate the autocompletion script for the specified shell")
        .after_help("Example:\n  source <(dkron completion bash)")
        .arg(
            Arg::new("shell")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("bash, fish, powershell or zsh"),
        )
}

pub(super) fn run(matches: &ArgMatches, mut dkron: Command) -> ExitCode {
    let Some(shell) = matches.get_one::<Shell>("shell") else { return ExitCode::from(FAILED) };
    // It panics when it cannot write, and a vector takes all.
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut dkron, "dkron", &mut script);
    answer(String::from_utf8_lossy(&script).trim_end())
}
