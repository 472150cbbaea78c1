//! How many handler runs does a node sustain, every start and end committed?

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Settings;
use crate::machine::Process;
use crate::node::{Node, busy_jobs};
use crate::report::{Bound, Row};

/// Jobs due at every second: more than the bound, so that the node is never out of work.
const JOBS_DURABLE: usize = 40_000;
const JOBS_IN_MEMORY: usize = 300_000;

/// How long is measured, after as long to come to a steady state.
const MEASURED: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_secs(4);

const DURABLE_MIN: f64 = 20_000.0;
const IN_MEMORY_MIN: f64 = 200_000.0;

/// Measures a node with a disk.
pub fn durable(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    measure(Node::on_disk(folder.path())?, JOBS_DURABLE, DURABLE_MIN, settings)
}

/// Measures a node without one.
pub fn in_memory(settings: &Settings) -> Result<Vec<Row>> {
    measure(Node::in_memory()?, JOBS_IN_MEMORY, IN_MEMORY_MIN, settings)
}

fn measure(node: Node, jobs: usize, runs_min: f64, settings: &Settings) -> Result<Vec<Row>> {
    let jobs = settings.count(jobs);
    let runs = node.handle_noop("noop")?;
    node.declare(busy_jobs(jobs, "noop"))?;
    let Rate { ends, processor_us } = rate(&node, settings)?;
    let started = runs.load(std::sync::atomic::Ordering::Relaxed);
    node.stop()?;
    Ok(vec![
        Row::new("committed ends", ends, "1/s", Bound::AtLeast(runs_min)),
        Row::free("processor time of a run", processor_us, "µs"),
        Row::free("jobs due each second", jobs as f64, ""),
        Row::free("runs in all", started as f64, ""),
    ])
}

/// What a node does that has more due than it can do.
pub struct Rate {
    /// Committed ends per second.
    pub ends: f64,
    /// Processor time of the whole process per end, in microseconds: hardly depends on what else
    /// the machine does.
    pub processor_us: f64,
}

/// Measures a node that has more due than it can do.
///
/// # Errors
///
/// If the state cannot be read.
pub fn rate(node: &Node, settings: &Settings) -> Result<Rate> {
    std::thread::sleep(settings.span(SETTLED));
    let (before, begun) = (node.ends()?, Instant::now());
    let used = Process::Own.processor_time()?;
    std::thread::sleep(settings.span(MEASURED));
    let (after, took) = (node.ends()?, begun.elapsed());
    let used = Process::Own.processor_time()?.saturating_sub(used);
    let ends = (after - before) as f64;
    Ok(Rate {
        ends: ends / took.as_secs_f64(),
        processor_us: used.as_secs_f64() * 1e6 / ends.max(1.0),
    })
}
