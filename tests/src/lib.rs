//! The harness of the end-to-end tests: real processes, real files, bounded waits.
//!
//! What it offers: a [`Daemon`](daemon::Daemon) on a port of its own that is gone, with every
//! process it started, when the value is dropped, also by a panic; a plain
//! [HTTP client](http::Http) that sends exactly the bytes it is told to; a [ledger](ledger::Ledger)
//! that jobs write to themselves, so that what ran is known from outside; [waits](wait) with a
//! bound; and [randomness](seed::Seed) that can be repeated.
//!
//! What it does not do: assert. Tests do, in `tests/daemon/`.
//!
//! # Where to begin reading
//!
//! `daemon`, which `launch` starts; then the test `getting_started`.

pub mod daemon;
pub mod http;
pub mod launch;
pub mod ledger;
mod log;
mod processes;
pub mod seed;
pub mod stream;
pub mod wait;
