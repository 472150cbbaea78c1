//! Runs attempts on this node: shell commands, HTTP requests, functions of the process.
//!
//! Each kind implements [`ExecutorPort`](crate::ports::ExecutorPort). Nothing here decides whether
//! or when something runs, keeps a record of it, or retries: the caller hands in one attempt, and
//! is told how it ended.
//!
//! # Where to begin reading
//!
//! [`ExecutorSet`] finds the executor of a job by name;
//! [`OutputCapture`](crate::ports::OutputCapture) takes what a run writes.
//! `shell` and `http` follow Dkron's executors of these names; what differs, and why, stands at the
//! head of each.
//!
//! # Invariants
//!
//! * A run ends when nothing of it is left, never by being forgotten.
//! * A run never waits for a reader of its output, and its memory does not grow with it.
//! * No configuration panics; a bad one is a failed run whose error says what is accepted.
//!
//! May use: `ports`, `kernel::{model, time}`, `limits`, `error`.

mod files;
#[cfg(feature = "testing")]
pub mod fuzzed;
mod handler;
mod http;
#[cfg(test)]
mod kit_test;
mod process;
mod set;
mod shell;
mod system_error;

pub use files::FileShares;
pub use handler::HandlerContext;
pub(crate) use handler::HandlerRegistry;
pub(crate) use http::HttpExecutor;
#[cfg(target_os = "linux")]
pub use process::reap_orphans;
pub(crate) use process::{Leftovers, end_leftovers, kill_runs};
pub(crate) use set::ExecutorSet;
pub(crate) use shell::ShellExecutor;
use system_error::error_text;
