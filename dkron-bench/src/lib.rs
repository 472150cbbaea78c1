//! Named benches with bounds, and how their figures are shown.
//!
//! # Where to begin reading
//!
//! [`benches::ALL`] is the list; [`report::Row`] is what a bench answers with. To add one, write
//! `src/benches/<name>.rs` with a function that returns rows, and add it to the list.

pub mod benches;
pub mod report;
