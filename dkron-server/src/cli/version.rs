//! `dkron version`: four lines, in the form that Dkron's users parse.

use std::process::ExitCode;

use clap::Command;

use super::answer;

/// Name of the releases of this line.
const CODENAME: &str = "Devel";

pub(super) fn command() -> Command {
    Command::new("version").about("Show version").after_help("Show the version, in four lines.")
}

pub(super) fn run() -> ExitCode {
    answer(text())
}

fn text() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "Name: Dkron\nVersion: {version}\nCodename: {CODENAME}\n\
         Agent Protocol: 5 (Understands back to: 2)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_has_four_lines() {
        let text = text();
        let names: Vec<_> = text.lines().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(names, ["Name", "Version", "Codename", "Agent Protocol"]);
    }
}
