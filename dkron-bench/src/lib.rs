//! Named benches with bounds, and how their figures are shown.
//!
//! # Where to begin reading
//!
//! [`benches::ALL`] is the list; [`report::Row`] is what a bench answers with. To add one, write
//! `src/benches/<name>.rs` with a function that returns rows, and add it to the list. [`node`] has
//! nodes to measure, [`machine`] tells what a process uses, [`sample`] turns many figures into few.

pub mod apart;
pub mod benches;
pub mod daemon_process;
pub mod machine;
pub mod node;
pub mod report;
pub mod sample;
mod settings;

pub use settings::Settings;
