//! The list of benches. Each is one file and one function that returns rows.

mod binary_size;
mod schedule;

use anyhow::{Context, Result};

use crate::Settings;
use crate::report::Row;

/// One named bench.
pub struct Bench {
    /// As the command line takes it.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Measures. Names its baseline, if it has one, as a row of its own.
    pub run: fn(&Settings) -> Result<Vec<Row>>,
}

/// All benches, in the order in which they run.
pub const ALL: &[Bench] = &[
    Bench {
        name: "schedule",
        about: "next fire time and parsing over the corpus of schedules",
        run: schedule::run,
    },
    Bench {
        name: "binary-size",
        about: "size of the release binary, stripped",
        run: binary_size::run,
    },
];

/// Runs one bench in this process.
///
/// # Errors
///
/// If there is none of that name, or it could not measure.
pub fn run_inner(name: &str, settings: &Settings) -> Result<Vec<Row>> {
    let bench = ALL.iter().find(|bench| bench.name == name);
    (bench.with_context(|| format!("there is no bench \"{name}\""))?.run)(settings)
}
