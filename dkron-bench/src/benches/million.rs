//! A million jobs: memory, start, pages, and whether fires become late.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dkron_core::{Cluster, JobName};

use super::lateness::Lateness;
use super::step;
use crate::Settings;
use crate::machine::Process;
use crate::node::{Node, busy_jobs, idle_jobs};
use crate::report::{Bound, Row};
use crate::sample::Sample;

const JOBS: usize = 1_000_000;
const PRIVATE_MIB_MAX: f64 = 512.0;
const FIRST_FIRE_S_MAX: f64 = 5.0;
const PAGE_MS_MAX: f64 = 5.0;
const LATENESS_P50_MS_MAX: f64 = 0.5;
const LATENESS_P99_MS_MAX: f64 = 3.0;

const PAGES: usize = 1_000;
const PAGE_JOBS: usize = 100;

/// Loads the jobs in one process and measures in another, which finds a fresh heap.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let load_rows = step::run("million-load", folder.path(), settings)?;
    let rows = step::run("million-measure", folder.path(), settings)?;
    Ok(load_rows.into_iter().chain(rows).collect())
}

/// The first process: declares the jobs.
pub fn load(folder: &Path, settings: &Settings) -> Result<Vec<Row>> {
    let node = Node::on_disk(folder)?;
    let jobs = settings.count(JOBS);
    let took = node.declare(idle_jobs(jobs))?;
    node.declare(busy_jobs(1, "noop"))?;
    node.stop()?;
    Ok(vec![
        Row::free("jobs held", jobs as f64, ""),
        Row::free("declared", jobs as f64 / took.as_secs_f64(), "1/s"),
    ])
}

/// The second process.
pub fn measure(folder: &Path, settings: &Settings) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let node = Node::on_disk(folder)?;
    let started = begun.elapsed();
    let runs = node.handle_noop("noop")?;
    node.wait_until("the first fire", Duration::from_secs(60), || {
        Ok(runs.load(Ordering::Relaxed) > 0)
    })?;
    let first_fire = begun.elapsed();
    // At once: a machine that pages idle memory out makes it a measurement of its disk later on.
    let pages = pages(&node.cluster, settings.count(JOBS))?;
    let private = Process::Own.anonymous_mib()?;
    let lateness = Lateness::prepare(&node, settings)?.measure(settings)?;
    let most_private = Process::Own.anonymous_mib()?.max(private);
    node.stop()?;

    let within = |most: f64| Bound::AtMost(most);
    let mut rows = vec![
        Row::new("private memory", most_private, "MiB", within(PRIVATE_MIB_MAX)),
        Row::free("start", started.as_secs_f64(), "s"),
        Row::new("start to first fire", first_fire.as_secs_f64(), "s", within(FIRST_FIRE_S_MAX)),
        Row::free("page of 100, p50", pages.quantile(0.5), "ms"),
        Row::new("page of 100, p99", pages.quantile(0.99), "ms", within(PAGE_MS_MAX)),
    ];
    let (p50, p99) = (within(LATENESS_P50_MS_MAX), within(LATENESS_P99_MS_MAX));
    rows.extend(lateness.rows("lateness", "ms", p50, p99));
    Ok(rows)
}

/// Measures pages from all over the names.
///
/// # Errors
///
/// If the state cannot be read.
pub fn pages(cluster: &Cluster, jobs: usize) -> Result<Sample> {
    let mut took_ms = Vec::new();
    for page in 0..PAGES {
        // A stride that shares no factor with the number of jobs visits them in no order.
        let after = JobName::parse(&format!("idle-{:07}", page * 7_919 % jobs.max(1)))?;
        let begun = Instant::now();
        let found = cluster.jobs(Some(&after), PAGE_JOBS)?;
        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(!found.is_empty(), "no job after {after}");
    }
    Ok(Sample::new(took_ms))
}
