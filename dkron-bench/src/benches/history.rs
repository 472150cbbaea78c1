//! A million stored executions: the history must not matter.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dkron_core::JobBuilder;

use super::lateness::{Lateness, in_the_crowd};
use super::{apply, burst, idle, step, throughput};
use crate::Settings;
use crate::machine::Process;
use crate::node::{Node, busy_jobs};
use crate::report::{Bound, Row};
use crate::sample::Sample;

/// Executions that are stored: of ten thousand jobs, a hundred each.
const EXECUTIONS: usize = 1_000_000;
const PER_JOB: usize = 100;

const DURABLE_MIN: f64 = 20_000.0;
const LATENESS_P50_MS_MAX: f64 = 0.5;
const LATENESS_P99_MS_MAX: f64 = 3.0;
const PAGE_MS_MAX: f64 = 5.0;
/// The bound of a daemon's cold start, which is more than the start of a node.
const START_S_MAX: f64 = 0.1;
const FIRST_FIRE_S_MAX: f64 = 5.0;
const PRIVATE_MIB_MAX: f64 = 512.0;

/// Makes the history in one process and measures in another.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let load_rows = step::run("history-load", folder.path(), settings)?;
    let rows = step::run("history-measure", folder.path(), settings)?;
    Ok(load_rows.into_iter().chain(rows).collect())
}

/// The first process: lets jobs run until the history is as long as it shall be, and watches a
/// daemon that has it and nothing to do.
pub fn load(folder: &Path, settings: &Settings) -> Result<Vec<Row>> {
    let node = Node::on_disk(folder)?;
    let jobs = settings.count(EXECUTIONS / PER_JOB);
    let wanted = (jobs * PER_JOB) as u64;
    node.handle_noop("noop")?;
    let begun = Instant::now();
    node.declare(past_jobs(jobs, "* * * * * *"))?;
    let bound = Duration::from_secs(PER_JOB as u64 * 10);
    node.wait_until("the history", bound, || {
        Ok(node.ends()? >= wanted && counted(&node, jobs)? >= wanted)
    })?;
    let took = begun.elapsed();
    // From here on they are history: they keep it, and fire no more.
    node.declare(past_jobs(jobs, "@manually"))?;
    let stored = stored(&node, jobs)?;
    node.stop()?;
    ensure!(stored >= wanted, "{stored} executions are stored instead of {wanted}");
    let mut rows = vec![
        Row::free("executions stored", stored as f64, ""),
        Row::free("made at", wanted as f64 / took.as_secs_f64(), "1/s"),
    ];
    let daemon = idle::measure(settings, Some(folder))?.into_iter();
    rows.extend(daemon.map(|row| Row { name: format!("daemon, {}", row.name), ..row }));
    // What the next step sees fire first.
    let node = Node::on_disk(folder)?;
    node.declare(busy_jobs(1, "noop"))?;
    node.stop()?;
    Ok(rows)
}

fn past_jobs(
    count: usize,
    schedule: &'static str,
) -> impl Iterator<Item = Result<dkron_core::Job>> {
    (0..count).map(move |number| {
        let job = JobBuilder::new(format!("past-{number:06}"));
        Ok(job.schedule(schedule).handler("noop").build()?)
    })
}

/// Returns how many executions the jobs say they have.
fn counted(node: &Node, jobs: usize) -> Result<u64> {
    let mut counted = 0;
    for number in 0..jobs {
        let name = format!("past-{number:06}");
        let job = node.cluster.job(&name)?.with_context(|| format!("{name} is missing"))?;
        counted += u64::from(job.status.executions);
    }
    Ok(counted)
}

/// Returns how many executions can be read.
fn stored(node: &Node, jobs: usize) -> Result<u64> {
    let mut stored = 0;
    for number in 0..jobs {
        let name = format!("past-{number:06}");
        stored += node.cluster.executions(&name, 2 * PER_JOB)?.len() as u64;
    }
    Ok(stored)
}

/// The second process: the figures of the other benches again.
pub fn measure(folder: &Path, settings: &Settings) -> Result<Vec<Row>> {
    let begun = Instant::now();
    let node = Node::on_disk(folder)?;
    let started = begun.elapsed();
    let runs = node.handle_noop("noop")?;
    node.wait_until("the first fire", Duration::from_secs(60), || {
        Ok(runs.load(Ordering::Relaxed) > 0)
    })?;
    let first_fire = begun.elapsed();
    let private = Process::Own.anonymous_mib()?;
    let lateness = Lateness::prepare(&node, settings)?;
    let alone = lateness.measure(settings)?;
    let pages = pages(&node, settings.count(EXECUTIONS / PER_JOB))?;
    let applied = apply::measure(&node, settings)?;
    let crowded = lateness.measure(settings)?;
    let burst = burst::measure(&node, settings)?;
    node.declare(busy_jobs(settings.count(40_000), "noop"))?;
    let rate = throughput::rate(&node, settings)?;
    node.stop()?;

    let bound = |most| Bound::AtMost(most);
    let mut rows = vec![
        Row::new("start", started.as_secs_f64(), "s", bound(START_S_MAX)),
        Row::new("start to first fire", first_fire.as_secs_f64(), "s", bound(FIRST_FIRE_S_MAX)),
        Row::new("private memory after the start", private, "MiB", bound(PRIVATE_MIB_MAX)),
    ];
    let (p50, p99) = (bound(LATENESS_P50_MS_MAX), bound(LATENESS_P99_MS_MAX));
    rows.extend(alone.rows("lateness", "ms", p50, p99));
    rows.extend(crowded.rows("lateness in the crowd", "ms", p50, p99));
    rows.push(in_the_crowd(&alone, &crowded));
    rows.extend(applied);
    rows.extend(burst);
    rows.push(Row::new(
        "100 executions of a job, p99",
        pages.quantile(0.99),
        "ms",
        bound(PAGE_MS_MAX),
    ));
    rows.push(Row::new("durable, committed ends", rate.ends, "1/s", Bound::AtLeast(DURABLE_MIN)));
    rows.push(Row::free("durable, processor time of a run", rate.processor_us, "µs"));
    Ok(rows)
}

fn pages(node: &Node, jobs: usize) -> Result<Sample> {
    let mut took_ms = Vec::new();
    for page in 0..1_000 {
        let name = format!("past-{:06}", page * 7_919 % jobs.max(1));
        let begun = Instant::now();
        node.cluster.executions(&name, PER_JOB)?;
        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Sample::new(took_ms))
}
