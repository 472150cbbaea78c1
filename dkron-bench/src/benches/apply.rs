//! How fast does a program declare its jobs?

use anyhow::{Result, ensure};

use crate::Settings;
use crate::node::{Node, idle_jobs};
use crate::report::{Bound, Row};

const JOBS: usize = 100_000;
const RATE_MIN: f64 = 20_000.0;

/// Declares jobs that are new, and the same again.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let node = Node::on_disk(folder.path())?;
    let rows = measure(&node, settings)?;
    node.stop()?;
    Ok(rows)
}

/// Declares jobs on a node that has none of them.
///
/// # Errors
///
/// If the node refuses them.
pub fn measure(node: &Node, settings: &Settings) -> Result<Vec<Row>> {
    let jobs = settings.count(JOBS);
    let jobs_before = node.cluster.jobs_count()?;
    let new = node.declare(idle_jobs(jobs))?;
    ensure!(node.cluster.jobs_count()? == jobs_before + jobs as u64, "jobs are missing");
    let same = node.declare(idle_jobs(jobs))?;
    let rate = |took: std::time::Duration| jobs as f64 / took.as_secs_f64();
    Ok(vec![
        Row::new("new jobs", rate(new), "1/s", Bound::AtLeast(RATE_MIN)),
        Row::free("unchanged jobs", rate(same), "1/s"),
    ])
}
