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
mod declared;
mod ending;
mod execution_list;
mod gate;
mod handle;
mod job_list;
mod jobs;
mod life;
mod metrics;
mod node;
mod office;
mod owned;
mod runs;
mod views;

pub use builder::JobBuilder;
pub use config::{Config, DataLocation};
pub use control::{Events, News};
pub use execution_list::{ExecutionPage, ExecutionQuery};
pub use handle::Cluster;
pub use job_list::{JobPage, JobQuery};
pub use jobs::WriteJob;
pub use metrics::Metrics;
pub use runs::Run;
pub use views::{Applied, ExecutionOutput, Health, Member, RunReceipt, RunningExecution};
