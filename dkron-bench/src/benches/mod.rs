//! The list of benches. Each is one file and one function that returns rows.

mod binary_size;

use anyhow::Result;

use crate::report::Row;

/// One named bench.
pub struct Bench {
    /// As the command line takes it.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Measures. Names its baseline, if it has one, as a row of its own.
    pub run: fn() -> Result<Vec<Row>>,
}

/// All benches, in the order in which they run.
pub const ALL: &[Bench] = &[Bench {
    name: "binary-size",
    about: "size of the release binary, stripped",
    run: binary_size::run,
}];
