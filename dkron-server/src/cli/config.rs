//! `dkron config check`: whether a node would start with a configuration file.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::FAILED;
use super::remote::text;
use crate::config::{Opt, Origin, Settings, Sources};
use crate::terminal::{complain, remark, say};

pub(super) fn command() -> Command {
    let check = Command::new("check")
        .about("Check a configuration file")
        .after_help(
            "Every fault is told, with its line where the file says it; keys that mean nothing\n\
             are told too, but are no fault. The environment and other flags play no part.\n\
             Exit code 0 if `dkron agent --config FILE` would take it, 1 if not.\n\n\
             Example:\n  dkron config check /etc/dkron/dkron.yml",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The file: .json, .toml, .yaml or .yml"),
        );
    Command::new("config")
        .about("Check configuration files")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check)
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let Some((_, matches)) = matches.subcommand() else { return ExitCode::FAILURE };
    let file = text(matches, "file").unwrap_or_default();
    let mut sources = Sources::default();
    if let Some(option) = Opt::find("config") {
        sources.add(option, vec![file.to_owned()], Origin::Flag);
    }
    match Settings::load(sources, |_| None) {
        Ok(settings) => {
            for text in &settings.remarks {
                remark(format_args!("Warning: {text}"));
            }
            match say(format_args!("{file}: ok")) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    complain(format_args!("write to standard output: {error}"));
                    ExitCode::from(FAILED)
                }
            }
        }
        Err(faults) => {
            faults.0.iter().for_each(complain);
            ExitCode::from(FAILED)
        }
    }
}
