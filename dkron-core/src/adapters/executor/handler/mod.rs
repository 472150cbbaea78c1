//! Runs functions of the process as jobs.
//!
//! A function is registered under a name; a job whose executor is `handler` calls the one that its
//! `executor_config["handler"]` names, or that is called like the job itself. What the function
//! returns becomes the output; an error, or a panic, makes the attempt a failed one.
//!
//! # How a run ends early
//!
//! A cancellation, or the job's `timeout`, is told to the function through its context. An async
//! one that does not comply within [`CANCEL_GRACE`](crate::limits::CANCEL_GRACE) is dropped, which
//! ends it for good. A blocking one cannot be ended from outside: the run goes on
//! until the
//! function returns, and says so by not being over.
//!
//! # Where to begin reading
//!
//! [`HandlerRegistry`]; [`HandlerContext`] is what a function is given, `pool` where blocking ones
//! run.

mod context;
mod pool;
mod registry;
#[cfg(test)]
mod registry_test;

pub use context::HandlerContext;
pub(crate) use registry::HandlerRegistry;
