//! `dkron doc`: the command line as Markdown, made from what the commands know of themselves.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::option;
use super::remote::{Fault, ended, text};
use crate::client::ClientError;
use crate::terminal::say;

/// Where the pages go, as in Dkron.
const FOLDER_DEFAULT: &str = "/tmp/dkrondoc/";

pub(super) fn command() -> Command {
    Command::new("doc")
        .about("Generate Markdown documentation for the Dkron CLI.")
        .after_help(
            "One file for each command, as dkron_job_list.md; or all on one page.\n\n\
             Examples:\n  dkron doc --dir docs/\n  dkron doc --page cli.md",
        )
        .arg(option("dir", "FOLDER", "Folder for the files (default /tmp/dkrondoc/)"))
        .arg(option("page", "FILE", "Write one page instead").conflicts_with("dir"))
}

pub(super) fn run(matches: &ArgMatches, dkron: Command) -> ExitCode {
    ended(write(matches, dkron))
}

fn write(matches: &ArgMatches, dkron: Command) -> Result<(), Fault> {
    let write = |path: &Path, text: String| {
        let failed = |error| ClientError::file(format!("write {}", path.display()), &error);
        fs::write(path, text).map_err(failed)
    };
    if let Some(file) = text(matches, "page") {
        write(Path::new(file), page(dkron))?;
        return Ok(say(format_args!("{file} written"))?);
    }
    let sections = sections(dkron);
    let folder = Path::new(text(matches, "dir").unwrap_or(FOLDER_DEFAULT));
    let failed = |error| ClientError::file(format!("make {}", folder.display()), &error);
    fs::create_dir_all(folder).map_err(failed)?;
    for section in &sections {
        let path = folder.join(format!("{}.md", section.name.replace(' ', "_")));
        write(&path, format!("# `{}`\n\n{}", section.name, section.text))?;
    }
    Ok(say(format_args!("{} files written to {}", sections.len(), folder.display()))?)
}

/// What there is to say about one command.
struct Section {
    /// Its name with those of the commands above it.
    name: String,
    /// All but its heading.
    text: String,
}

/// Returns the sections of a command and all below it.
fn sections(mut dkron: Command) -> Vec<Section> {
    dkron.build();
    let mut sections = Vec::new();
    // Left to right, as they are listed.
    let mut open = vec![(dkron.get_name().to_owned(), dkron)];
    while let Some((name, command)) = open.pop() {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help").cloned();
        let below: Vec<(String, Command)> =
            below.map(|below| (format!("{name} {}", below.get_name()), below)).collect();
        sections.push(section(&name, command));
        open.extend(below.into_iter().rev());
    }
    sections
}

fn section(name: &str, mut command: Command) -> Section {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim_end();
    let mut text = format!("{}.\n\n```text\n{usage}\n```\n", about.trim_end_matches('.'));
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
    if below.peek().is_some() {
        text += "\n| Command | |\n|---|---|\n";
        for below in below {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            text += &format!("| `{name} {}` | {} |\n", below.get_name(), cell(&about));
        }
    }
    let mut args = command.get_arguments().filter(|arg| arg.get_id() != "help").peekable();
    if args.peek().is_some() {
        text += "\n| Argument | |\n|---|---|\n";
        for arg in args {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            text += &format!("| `{}` | {} |\n", cell(&shown(arg)), cell(&help));
        }
    }
    if let Some(more) = command.get_after_help() {
        text += &format!("\n```text\n{more}\n```\n");
    }
    Section { name: name.to_owned(), text }
}

/// Returns an argument as it is written on a command line.
fn shown(arg: &Arg) -> String {
    let values: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = if arg.get_action().takes_values() { values.join(" ") } else { String::new() };
    let value =
        if value.is_empty() && arg.is_positional() { arg.get_id().to_string() } else { value };
    let names = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => return value,
    };
    if value.is_empty() { names } else { format!("{names} {value}") }
}

/// Keeps a cell of a table in one piece.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Returns everything on one page, but for the options of `agent`, which would fill it.
fn page(dkron: Command) -> String {
    let mut page = "# Command line\n\n\
        Written by `dkron doc --page`; a test holds it against the program.\n\n\
        Exit codes are 0 for success and 1 for everything that fails.\n\
        What a command answers goes to standard output, everything else to standard error.\n\
        The commands that ask a running node find it by `--http-addr`, else by the variable \
        `DKRON_HTTP_ADDR`, else at 127.0.0.1:8080.\n\
        The options of `dkron agent` are listed by `dkron agent --help`, and by `dkron doc`.\n"
        .to_owned();
    let dkron = dkron.mut_subcommand("agent", |agent| {
        let (about, more) = (agent.get_about().cloned(), agent.get_after_help().cloned());
        let bare = Command::new("agent").override_usage("dkron agent [OPTIONS]");
        bare.about(about.unwrap_or_default()).after_help(more.unwrap_or_default())
    });
    for section in sections(dkron) {
        page += &format!("\n## `{}`\n\n{}", section.name, section.text);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_of_the_command_line_is_what_the_commands_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/cli.md");
        let stored = fs::read_to_string(path).unwrap_or_default();
        assert!(
            stored == page(crate::cli::command()),
            "run `cargo run -p dkron-server -- doc --page docs/reference/cli.md`"
        );
    }

    #[test]
    fn each_command_has_a_page_with_its_options_and_those_above_it() {
        let sections = sections(crate::cli::command());
        let find = |name: &str| sections.iter().find(|section| section.name == name).unwrap();
        let list = &find("dkron job list").text;
        for part in [
            "```text\ndkron job list [OPTIONS]\n```",
            "| `-o, --output table\\|json` |",
            "| `--http-addr ADDRESS` |",
            "| `--desc` |",
        ] {
            assert!(list.contains(part), "no {part} in {list}");
        }
        assert!(find("dkron job").text.contains("| `dkron job delete` |"));
        assert!(!sections.iter().any(|section| section.name.ends_with(" help")));
    }
}
