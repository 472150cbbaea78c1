//! The dkron daemon as a library.
// What tests may do and production code must not: STYLE.md, clippy.toml.
#![cfg_attr(
    not(test),
    warn(
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::string_slice,
        clippy::too_many_lines,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod agent;
pub mod api;
pub mod cli;
mod client;
mod clock;
pub mod config;
mod explanation;
pub mod go_json;
pub mod metrics;
mod terminal;
