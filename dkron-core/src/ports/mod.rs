//! The traits between the pure kernel and the world; the kernel's types are their vocabulary.
//!
//! Adapters implement them, the driver uses them, and neither knows the other.
//!
//! May use: `kernel::{model, time, state}`, `error`.

mod clock;
mod entropy;
mod executor;
mod log;
mod log_store;
mod meter;
mod outbox;
mod output;
mod replica;
mod store;

pub use clock::Clock;
pub use entropy::Entropy;
pub use executor::{
    ExecutorPort, Executors, Output, OutputWriter, RunContext, RunEnd, RunFuture, RunOutcome,
};
pub use log::{Log, LogFuture};
pub use log_store::{LogBounds, LogPosition, LogRecord, LogStore, LogWrite, WriteDone};
pub use meter::{ANSWER_SPANS, Histogram, RUN_SPANS, SpanMeter};
pub use outbox::{Outbox, OutboxMark};
#[cfg(test)]
pub use output::CapturedOutput;
pub use output::{OutputCapture, OutputFollower, OutputNews, Progress};
pub use replica::{Change, Replica, SnapshotStore, StoredSnapshot};
pub use store::Store;
