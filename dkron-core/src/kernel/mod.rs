//! The pure half: it is told the time, the randomness and the news, and answers with decisions.
//!
//! Nothing here reads a clock, a random source, a file or the environment; nothing starts a thread
//! or a task, is async, or logs. Reasons travel as data in the answers. `clippy.toml` and
//! `cargo xtask tidy` hold this up.
//!
//! # Where to begin reading
//!
//! [`time`] and [`model`] are the vocabulary, [`schedule`] and [`state`] the two halves of what a
//! decision needs (maths and replicated facts), `dispatch` the decisions, [`node`] the engine.
#![deny(clippy::disallowed_types)]

pub mod dispatch;
pub mod model;
pub mod node;
pub mod schedule;
pub mod state;
pub mod time;
