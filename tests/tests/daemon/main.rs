//! Tests of the daemon as a process: `cargo build -p dkron-server && cargo test -p dkron-e2e`.

mod damage;
mod disk_full;
mod first_process;
mod getting_started;
mod hostile;
mod kill_9;
mod open_files;
mod schedule;
mod shutdown;
