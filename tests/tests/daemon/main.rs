//! The daemon as a process: how it starts and refuses to, how it ends or is ended, what is left
//! then, and what it bears: `cargo build -p dkron-server && cargo test -p dkron-e2e`.
//!
//! `getting_started` is the first page of the documentation, `start` what a start makes of its
//! arguments and its directory, `shutdown` every way to end in order or in a hurry. What its API
//! answers to who means well is in `rest`; each thing is tested in one of the two.

mod damage;
mod disk_full;
mod first_process;
mod getting_started;
mod hostile;
mod kill_9;
mod metrics;
mod open_files;
mod schedule;
mod shutdown;
mod start;
