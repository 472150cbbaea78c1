//! Twenty thousand jobs due at one instant: how long until all have started, at what memory?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use dkron_core::{ExecutionState, JobBuilder};

use crate::Settings;
use crate::machine::{Process, reset_peak};
use crate::node::{Node, now};
use crate::report::{Bound, Row};

const JOBS: usize = 20_000;
const STARTED_S_MAX: f64 = 2.0;
const GROWTH_MIB_MAX: f64 = 200.0;

/// From the last write to the instant: everything is at rest by then.
const AHEAD: Duration = Duration::from_secs(5);

/// Measures one burst on a fresh node.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let node = Node::on_disk(folder.path())?;
    let rows = measure(&node, settings)?;
    node.stop()?;
    Ok(rows)
}

/// Measures one burst.
///
/// # Errors
///
/// If the node refuses the jobs, or does not run them within a minute.
pub fn measure(node: &Node, settings: &Settings) -> Result<Vec<Row>> {
    let jobs = settings.count(JOBS);
    let ends_before = node.ends()?;
    let (started, last_ns) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (count, last) = (Arc::clone(&started), Arc::clone(&last_ns));
    node.cluster.handle("burst", move |context| {
        let late = now().since(context.fire_time());
        last.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(String::new()))
    })?;
    // Declaring takes a while, which must be over before the instant.
    let spare = Duration::from_secs(2 + jobs as u64 / 5_000);
    let due = now().truncate_to_s().saturating_add(spare + AHEAD);
    let burst = (0..jobs).map(|number| {
        let job = JobBuilder::new(format!("burst-{number:06}")).handler("burst");
        Ok(job.schedule(format!("@at {due}")).build()?)
    });
    node.declare(burst)?;
    ensure!(now() < due, "declaring the jobs took longer than {spare:?}");
    // The pages that declaring touched are given back, or stay in use for good.
    std::thread::sleep(due.since(now()).saturating_sub(Duration::from_secs(1)));
    let before = Process::Own.resident_mib()?;
    reset_peak()?;

    let bound = AHEAD + Duration::from_secs(60);
    node.wait_until("all starts", bound, || Ok(started.load(Ordering::Relaxed) >= jobs as u64))?;
    let ends = ends_before + jobs as u64;
    node.wait_until("all ends", bound, || Ok(node.ends()? >= ends))?;
    let ended = now().since(due);
    let growth = Process::Own.peak_mib()? - before;
    let mut lost = 0;
    for number in 0..jobs {
        let executions = node.cluster.executions(&format!("burst-{number:06}"), 2)?;
        let is_once = executions.len() == 1 && executions[0].state == ExecutionState::Succeeded;
        lost += usize::from(!is_once);
    }

    let all_started = last_ns.load(Ordering::Relaxed) as f64 / 1e9;
    Ok(vec![
        Row::free("jobs due at one instant", jobs as f64, ""),
        Row::new("until all have started", all_started, "s", Bound::AtMost(STARTED_S_MAX)),
        Row::free("until all ends are committed", ended.as_secs_f64(), "s"),
        Row::new("not run exactly once", lost as f64, "jobs", Bound::AtMost(0.0)),
        Row::new("growth of memory in use", growth, "MiB", Bound::AtMost(GROWTH_MIB_MAX)),
    ])
}
