//! Runs functions of this process as jobs.
//!
//! A job whose executor is `handler` names its function in `executor_config["handler"]`, or it is
//! the job's own name. A function is async, and runs where the caller of the executor does, or it
//! blocks, and has a thread of a bounded pool: neither may starve the other, nor what the runtime
//! does on its own threads. What a function returns is appended to its output; an error or a panic
//! is a failed run.
//!
//! # Asked to end
//!
//! A cancellation, or the job's timeout, is told to the function through its context. An async one
//! that does not return within [`limits::CANCEL_GRACE`](crate::limits::CANCEL_GRACE) is dropped at
//! the point where it waits, which ends it for good. A blocking one cannot be ended from outside:
//! the run goes on until it returns, and says so by not being over. One that waits for a thread
//! never starts.
//!
//! After a cancellation, `Ok` is a success all the same, and an error is a cancelled run. After a
//! timeout the run has failed. A timeout counts from the start, not from when the run was queued.
//!
//! # Where to begin reading
//!
//! [`HandlerRegistry`]; `run` is the life of one call, [`HandlerContext`] what the function sees.

mod context;
mod pool;
mod registry;
#[cfg(test)]
mod registry_test;
mod run;
#[cfg(test)]
mod run_test;

pub use context::HandlerContext;
pub(crate) use registry::HandlerRegistry;
