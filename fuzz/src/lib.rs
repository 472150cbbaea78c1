//! Everything that reads bytes from outside, fed with any bytes.
//!
//! A target panics if the code under test breaks a promise; what it returns is not looked at. Each
//! has a folder of seeds in `fuzz/seeds`. `cargo test -p dkron-fuzz` replays the seeds;
//! `cargo xtask fuzz` starts from them and looks for more.
//!
//! # Where to begin reading
//!
//! [`TARGETS`] is the list. To add one, write a function, add a row and a folder with a few seeds:
//! one valid input of each shape, and every input that once failed.

mod disk;
mod job_json;
mod log_entry;
mod schedule;
mod scratch;
pub mod snapshot;
mod state;
mod texts;
pub mod world;

use dkron_core::Timestamp;

/// One entry of the list.
pub struct Target {
    /// Its name, and that of its folder of seeds.
    pub name: &'static str,
    /// Panics if the code under test breaks a promise on `data`.
    pub run: fn(data: &[u8]),
}

/// All targets, by name. Those of one name take the same inputs, one after the other.
pub const TARGETS: &[Target] = &[
    Target { name: "disk", run: disk::check },
    Target { name: "job-json", run: job_json::check },
    Target { name: "log-entry", run: log_entry::check },
    Target { name: "log-entry", run: state::log_entry },
    Target { name: "schedule", run: schedule::check },
    Target { name: "snapshot", run: state::snapshot },
    Target { name: "state-rows", run: state::rows },
    Target { name: "snapshot", run: snapshot::check },
    Target { name: "texts", run: texts::check },
    Target { name: "timestamp", run: timestamp },
];

/// Finds the targets of a name.
pub fn targets(name: &str) -> Vec<&'static Target> {
    TARGETS.iter().filter(|target| target.name == name).collect()
}

/// An instant that parses is written so that it parses to the same instant.
fn timestamp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(time) = Timestamp::parse_rfc3339(text) else { return };
    assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Ok(time));
    assert_eq!(Timestamp::from_key(time.to_key()), Some(time));
}
