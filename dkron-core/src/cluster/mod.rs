//! The public face: a node of a cluster inside a program.
//!
//! Wires the adapters to the driver and gives them one handle. The only module that names a
//! concrete adapter.
//!
//! # Where to begin reading
//!
//! [`Cluster::start`]; `node` holds the parts, `assembly` says which adapters they are, `life`
//! starts them and `ending` stops them, `office` takes office, the other files are the methods of
//! [`Cluster`] by subject.
//!
//! May use: everything in the crate but `testing`.

mod assembly;
mod builder;
mod config;
mod control;
mod ending;
mod gate;
mod handle;
mod jobs;
mod life;
mod lists;
mod node;
mod office;
mod owned;
mod runs;
mod views;

pub use builder::JobBuilder;
pub use config::{Config, DataLocation};
pub use control::{Events, News};
pub use handle::Cluster;
pub use jobs::WriteJob;
pub use lists::{ExecutionPage, ExecutionQuery, JobPage, JobQuery};
pub use runs::Run;
pub use views::{Applied, ExecutionOutput, Health, Member, RunReceipt, RunningExecution};
