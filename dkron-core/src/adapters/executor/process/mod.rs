//! The processes of a run: who belongs to it, how much memory they use, how they are ended.
//!
//! A run is a tree of processes that may leave its process group, its session and its ancestors.
//! Linux tells all of that in `/proc`; elsewhere the tables are empty, and only the process group
//! is known.
//!
//! # Where to begin reading
//!
//! [`ProcessTree`]: who belongs to a run, and its end. `table` reads `/proc`.
//! [`kill_runs`] ends many runs of this process by one look; [`end_leftovers`] ends what an earlier
//! process of this node left running when it was killed.
//! [`reap_orphans`] stands apart: it is for a process that others' orphans are given to (process 1
//! of a container), and does not touch the children of runs.

mod at_once;
mod leftover;
mod owned;
#[cfg(target_os = "linux")]
mod reap;
#[cfg(all(test, target_os = "linux"))]
mod reap_test;
mod table;
mod tree;

pub(crate) use at_once::kill_runs;
pub(crate) use leftover::{Leftovers, end_leftovers};
pub(super) use leftover::{RUN_VARIABLE, instance_mark};
pub(super) use owned::OwnedChild;
#[cfg(target_os = "linux")]
pub use reap::reap_orphans;
pub(super) use table::ProcessScanner;
pub(super) use tree::ProcessTree;
