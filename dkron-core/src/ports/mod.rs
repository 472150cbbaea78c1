//! The traits between the pure kernel and the world; the kernel's types are their vocabulary.
//!
//! Adapters implement them, the driver uses them, and neither knows the other.
//!
//! May use: `kernel::{model, time, state}`, `error`.

mod executor;

pub use executor::{ExecutorPort, Output, OutputWriter, RunContext, RunEnd, RunFuture, RunOutcome};
