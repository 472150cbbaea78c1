//! The one event loop: news in, one step of the engine, effects out.
//!
//! A plain thread owns the engine. It waits for news, or for the instant the engine asked to be
//! woken at, to some fifty microseconds; it reads the store, which may touch the disk; and it never
//! waits for the log: proposals and runs go to the node's runtime, and their answers come back as
//! news.
//!
//! # Where to begin reading
//!
//! [`Driver::run`]. `runs` is the node's side of a claim, `places` where it may have to wait,
//! `starts` how runs begin, `courier` brings results back, `watch` tells those who wait,
//! `tally` and `run_meters` count.
//!
//! # Concurrency
//!
//! *Owner*: the thread `dkron-engine`. *Inputs*: [`EngineNews`] over a bounded channel. *Bound*:
//! [`NEWS_MAX`]; who brings news waits. *Ends* at [`EngineNews::Stop`] or when the engine cannot
//! read the store any more.
//!
//! May use: `kernel::{node, model, state, time}`, `limits`, `ports`, `error`.

mod behind;
mod courier;
mod delivery;
mod late_view;
mod loop_thread;
mod news;
mod packing;
mod places;
#[cfg(test)]
mod places_test;
mod run_meters;
mod runs;
mod starts;
mod tally;
mod watch;

pub use courier::{Backlog, Courier, CourierParts};
pub use loop_thread::{Driver, DriverParts};
pub use news::{EngineNews, NEWS_MAX, NewsSender};
pub use packing::unpack;
pub use run_meters::RunFigures;
pub use runs::{Runs, StartedRun};
pub use tally::{Counter, EndedExecutions, JobMetrics, SkippedFires, Tally};
pub use watch::{AsksForStarts, FireWait, Told, Watch};
