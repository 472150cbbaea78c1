//! What a node keeps on its disk: the log, the state, snapshots, and the directory they are in.
//!
//! Answers: how are records kept so that what was acknowledged survives kill -9 and power loss, how
//! is damage found, and what happens when the disk is full? Does not know what records mean, who
//! leads, or when a snapshot is due: the consensus adapter does, through
//! [`LogStore`](crate::ports::LogStore), [`Replica`](crate::ports::Replica) and
//! [`SnapshotStore`](crate::ports::SnapshotStore).
//!
//! # Where to begin reading
//!
//! [`Storage::open`] opens everything. `DataDir` is the directory, [`StateStore`] the state,
//! `log_writer` the thread that writes the log; `page_check` finds damage before LMDB
//! meets it, `history_check` does so behind a start, `StorageHealth` says whether writes are
//! accepted.
//!
//! # Invariants
//!
//! * A write of the log is durable before it is answered; writes are answered in order.
//! * A full disk is never an error of a write: it waits. New proposals are refused meanwhile.
//! * A flipped bit is an error that names the place, never a panic.
//!
//! May use: `ports`, `kernel::{model, time, state}`, `limits`, `error`.

mod crc32;
mod data_dir;
mod dir_lock;
mod dir_sync;
#[cfg(test)]
pub(in crate::adapters) mod disk_full_test;
mod env;
#[cfg(feature = "testing")]
pub mod fuzzed;
mod health;
mod history_check;
mod log_batch;
mod log_env;
mod log_format;
mod log_memory;
mod log_writer;
mod mapped_pages;
mod open;
mod outbox;
mod outbox_memory;
mod outbox_records;
mod page_check;
mod page_format;
mod page_walk;
mod snapshots;
mod stamp;
mod state_env;
mod state_store;
mod state_tables;

pub(crate) use data_dir::DataDirConfig;
#[cfg(test)]
use health::StorageCondition;
pub(crate) use health::StorageHealth;
pub(crate) use mapped_pages::{Milestones, let_go_at_times};
pub(crate) use open::Storage;
pub(crate) use state_store::{StateStore, StateView};
