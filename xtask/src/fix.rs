//! `cargo xtask fix`: rewrites what a machine can put right.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Args;
use crate::generated;
use crate::process::Step;

const HELP: &str = "\
Write generated files anew, apply clippy's fixes, and format.

Usage: cargo xtask fix
";

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    if Args::parse(words, &[], HELP)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    generated::write()?;
    let everything = ["--workspace", "--all-targets", "--allow-dirty", "--allow-staged"];
    Step::cargo(&["clippy", "--quiet", "--fix"]).args(&everything).run()?;
    Step::cargo(&["fmt", "--all"]).run()?;
    Ok(ExitCode::SUCCESS)
}
