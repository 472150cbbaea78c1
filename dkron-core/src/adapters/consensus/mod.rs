//! The replicated log: proposes, commits, applies; elects a leader; takes snapshots.
//!
//! Answers: how does a command become part of the state on a majority of nodes, exactly once and in
//! one order? Does not know what commands mean (`kernel::state` does), nor how records are kept
//! (the ports `LogStore`, `Replica` and `SnapshotStore`). openraft does the protocol; this
//! directory is the only place that names it.
//!
//! # Where to begin reading
//!
//! [`Consensus`], which `open` makes; then `proposer`, where a command comes in, `log_storage`,
//! where its entry is written, and `apply_thread`, where it takes effect.
//!
//! # Invariants
//!
//! * What is answered is durable on a majority and applied on this node.
//! * Events leave in the order of the log, after their changes are committed.
//! * An error says that the write may have happened exactly when its entry had been handed to the
//!   log and no answer came.
//!
//! May use: `ports`, `kernel::{model, time, state}`, `limits`, `error`.

mod apply_thread;
mod config;
#[cfg(feature = "testing")]
pub mod fuzzed;
mod handle;
mod leadership;
mod log_budget;
mod log_storage;
mod log_tail;
mod machine;
mod network;
mod open;
#[cfg(test)]
mod process_test;
mod proposer;
mod queue;
mod raft_types;
mod record;
mod state_machine;
#[cfg(test)]
mod suite_test;
mod ticket;
mod weight;

pub(crate) use apply_thread::ApplyProgress;
pub(crate) use config::ConsensusConfig;
pub(crate) use handle::{Consensus, EntryEvents, SHUTDOWN_RAFT_MAX};
pub(crate) use leadership::Leadership;
pub(crate) use log_budget::LogBudget;
pub(crate) use weight::weight_of_job;
