//! Benches of several processes: each step finds a fresh heap, and the data of the step before.

use std::path::Path;

use anyhow::Result;

use super::{history, million};
use crate::Settings;
use crate::apart;
use crate::report::Row;

/// The word in front of a step on the command line: `step:<name>:<folder>`.
const PREFIX: &str = "step";

/// Runs a step in a process of its own.
///
/// # Errors
///
/// If it cannot measure.
pub fn run(name: &str, folder: &Path, settings: &Settings) -> Result<Vec<Row>> {
    apart::run(&format!("{PREFIX}:{name}:{}", folder.display()), settings)
}

/// Runs a step in this process, if `text` names one.
///
/// # Errors
///
/// If it cannot measure, or there is none of that name.
pub fn run_here(text: &str, settings: &Settings) -> Option<Result<Vec<Row>>> {
    let rest = text.strip_prefix(PREFIX)?.strip_prefix(':')?;
    let (name, folder) = rest.split_once(':')?;
    let folder = Path::new(folder);
    Some(match name {
        "million-load" => million::load(folder, settings),
        "million-measure" => million::measure(folder, settings),
        "history-load" => history::load(folder, settings),
        "history-measure" => history::measure(folder, settings),
        _ => Err(anyhow::anyhow!("there is no step \"{name}\"")),
    })
}
