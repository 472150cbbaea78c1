//! Runs a bench, or a step of one, in a process of its own: a fresh heap, and no threads of others.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::Settings;
use crate::report::{self, Row};

/// Runs what `name` names in a new process of this program.
///
/// # Errors
///
/// If it cannot be started, or could not measure.
pub fn run(name: &str, settings: &Settings) -> Result<Vec<Row>> {
    let own = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(own);
    command.args(["--inner", "--scale", &settings.scale.to_string()]);
    command.arg("--dir").arg(&settings.dir).arg(name).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = report::parse_json(&text).filter(|_| output.status.success());
    let rows = rows.with_context(|| format!("{name} ended with {}: {text}", output.status))?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}
