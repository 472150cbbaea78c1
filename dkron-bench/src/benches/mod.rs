//! The list of benches. Each is one file and one function that returns rows.

mod apply;
mod binary_size;
mod burst;
mod events;
mod history;
mod idle;
mod lateness;
mod lines;
mod million;
mod restore;
mod schedule;
mod step;
mod throughput;

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
        name: "lateness",
        about: "handlers beside timers, alone and among idle jobs",
        run: lateness::run,
    },
    Bench {
        name: "throughput",
        about: "sustained handler runs, every start and end on disk",
        run: throughput::durable,
    },
    Bench {
        name: "throughput-in-memory",
        about: "sustained handler runs of a node without a disk",
        run: throughput::in_memory,
    },
    Bench {
        name: "burst",
        about: "jobs due at one instant: until all have started, and memory",
        run: burst::run,
    },
    Bench { name: "apply", about: "declaring jobs, new and unchanged", run: apply::run },
    Bench {
        name: "million",
        about: "a million jobs: memory, start, pages, lateness",
        run: million::run,
    },
    Bench {
        name: "history",
        about: "the same figures with a million stored executions",
        run: history::run,
    },
    Bench {
        name: "idle",
        about: "a daemon without work: start, memory, processor",
        run: idle::run,
    },
    Bench {
        name: "restore",
        about: "a backup of a hundred thousand jobs by the API",
        run: restore::run,
    },
    Bench {
        name: "events",
        about: "a thousand clients that listen to a thousand events a second",
        run: events::run,
    },
    Bench { name: "lines", about: "dkron schedule next over thousands of lines", run: lines::run },
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
    if let Some(rows) = step::run_here(name, settings) {
        return rows;
    }
    let bench = ALL.iter().find(|bench| bench.name == name);
    (bench.with_context(|| format!("there is no bench \"{name}\""))?.run)(settings)
}
