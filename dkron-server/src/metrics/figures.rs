//! Everything that one page shows, read together.

use dkron_core::{JobMetrics, Metrics, Timestamp};

use super::Monitor;
use super::process::ProcessFigures;

/// The figures of a moment.
pub(super) struct Figures {
    /// Those of the node; `None` if they cannot be read, or it has stopped.
    pub(super) node: Option<Metrics>,
    pub(super) jobs: Vec<JobMetrics>,
    /// Whether the node is at work: it has not stopped itself, and its figures can be read.
    pub(super) is_healthy: bool,
    pub(super) process: ProcessFigures,
    pub(super) process_started_at: Timestamp,
}

impl Figures {
    /// Reads them. Blocks.
    pub(super) fn read(monitor: &Monitor) -> Self {
        let Monitor { cluster, process_started_at } = monitor;
        let node = cluster
            .metrics()
            .inspect_err(|error| {
                tracing::debug!(error = error.report(), "metrics: those of the node are left out");
            })
            .ok();
        Self {
            is_healthy: node.is_some() && cluster.health().fatal.is_none(),
            node,
            jobs: cluster.job_metrics().unwrap_or_default(),
            process: ProcessFigures::read(),
            process_started_at: *process_started_at,
        }
    }
}
