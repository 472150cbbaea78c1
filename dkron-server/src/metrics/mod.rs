//! The figures of the node and its process, for monitors: as a page, and sent to a collector.
//!
//! What is counted is counted by `dkron_core`; here it gets its names and formats. Each scrape and
//! each flush reads everything anew: nothing is held between two of them but what a collector was
//! told last.
//!
//! # Where to begin reading
//!
//! `catalog` is the list of all metrics, and the only place that names them; a test holds
//! docs/operate/metrics.md against it. `figures` reads, `exposition` writes the page, `process`
//! asks the system about this process, `statsd` sends.
//!
//! # Invariants
//!
//! * The number of series is bounded: by [`METRIC_JOBS_MAX`] for each metric that has one for every
//!   job, by what the catalog lists for the others.
//! * A page is given whatever state the node is in; what cannot be read is left out.
//!
//! May use: `dkron_core`'s public names, `clock`.
//!
//! [`METRIC_JOBS_MAX`]: dkron_core::limits::METRIC_JOBS_MAX

mod catalog;
#[cfg(test)]
mod documents_test;
mod exposition;
mod figures;
mod process;
mod statsd;

pub(crate) use exposition::Format;
pub(crate) use statsd::{Collector, Feed};

use dkron_core::{Cluster, Timestamp};

use self::figures::Figures;

/// Reads the figures of a node and its process.
#[derive(Clone)]
pub struct Monitor {
    cluster: Cluster,
    process_started_at: Timestamp,
}

impl Monitor {
    /// Watches a node in a process that was started at `process_started_at`.
    pub fn new(cluster: Cluster, process_started_at: Timestamp) -> Self {
        Self { cluster, process_started_at }
    }

    /// Writes the page of all metrics. Reads the state and the files of the process: blocks.
    pub(crate) fn page(&self, format: Format) -> String {
        exposition::write(&Figures::read(self), format)
    }
}
