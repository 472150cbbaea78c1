//! `cargo xtask bench`: builds what is shipped, then runs the benches of `dkron-bench`.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Args, flag, value};
use crate::process::Step;

const HELP: &str = "\
Build the release profile and run benches. Ends with one table of figures and their bounds.

Usage: cargo xtask bench [--scale F] [--json FILE] [NAME...]
       cargo xtask bench --list

Options:
  --scale F     Take this share of the jobs and of the time; bounds are meant for 1
  --json FILE   Write the figures to this file as well
  --list        Show the benches and end
";

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    let known = [value("--json"), value("--scale"), flag("--list")];
    let Some(args) = Args::parse(words, &known, HELP)? else { return Ok(ExitCode::SUCCESS) };

    let bench = Step::cargo(&["run", "--quiet", "--release", "-p", "dkron-bench", "--"]);
    if args.has("--list") {
        bench.args(&["--list"]).run()?;
        return Ok(ExitCode::SUCCESS);
    }
    // Alone, so that the binary has the features that are shipped, not those of the benches.
    Step::cargo(&["build", "--release", "-p", "dkron-server"]).run()?;
    let mut options = args.operands.clone();
    if let Some(file) = args.last("--json") {
        let file = std::path::absolute(file)?;
        options.extend(["--json".to_owned(), file.to_string_lossy().into_owned()]);
    }
    if let Some(scale) = args.last("--scale") {
        options.extend(["--scale".to_owned(), scale.to_owned()]);
    }
    bench.args(&options).run()?;
    Ok(ExitCode::SUCCESS)
}
