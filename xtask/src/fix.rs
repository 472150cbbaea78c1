//! `cargo xtask fix`: rewrites what a machine can put right.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Args, flag};
use crate::generated;
use crate::process::Step;

const HELP: &str = "\
Write generated files anew, apply clippy's fixes, and format.

Usage: cargo xtask fix [--generated]

Options:
  --generated   Write generated files only; needs no code that compiles
";

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    let known = [flag("--generated")];
    let Some(args) = Args::parse(words, &known, HELP)? else { return Ok(ExitCode::SUCCESS) };
    generated::write()?;
    if args.has("--generated") {
        return Ok(ExitCode::SUCCESS);
    }
    let everything = ["--workspace", "--all-targets", "--allow-dirty", "--allow-staged"];
    Step::cargo(&["clippy", "--quiet", "--fix"]).args(&everything).run()?;
    Step::cargo(&["fmt", "--all"]).run()?;
    Ok(ExitCode::SUCCESS)
}
