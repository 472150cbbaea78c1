//! A node inside a program, through the public API only.
//!
//! Nothing here sleeps: each test waits for an event, with a bound.

mod declared;
mod disk;
mod executors;
mod handlers;
mod history;
mod host;
mod jobs;
mod life;
mod metrics;
mod policies;
mod support;
