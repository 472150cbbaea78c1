//! A run by hand with everything it sets off: its retries, its dependents, and theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dkron_core::{
    Cause, Cluster, Error, Event, Events, JobChange, JobName, News, Run, RunStatus, Timestamp,
};

/// How long a dependent job's start is waited for. It follows its parent's end within milliseconds;
/// if it does not, it waits for a node, and nobody should wait with it.
const CLAIM_WAIT_MAX: Duration = Duration::from_secs(60);

/// A run that was started, and what it set off.
pub(super) struct Chain {
    cluster: Cluster,
    run: Run,
    events: Events,
    open: Open,
}

/// What is not over yet.
#[derive(Debug, Default)]
struct Open {
    /// Fires that run.
    fires: BTreeSet<(JobName, Timestamp)>,
    /// Jobs whose parent has succeeded, with the number of fires that are still to be claimed.
    awaited: BTreeMap<JobName, usize>,
}

impl Chain {
    /// Runs a job.
    ///
    /// # Errors
    ///
    /// As [`Cluster::run`].
    pub(super) async fn start(cluster: &Cluster, job: &JobName) -> Result<Self, Error> {
        let events = cluster.events()?;
        let run = cluster.run(job.as_str()).await?;
        let fires = BTreeSet::from([(job.clone(), run.receipt().fire_time)]);
        let open = Open { fires, awaited: BTreeMap::new() };
        Ok(Self { cluster: cluster.clone(), run, events, open })
    }

    /// Waits until everything is over, or the node stops.
    pub(super) async fn wait(mut self) {
        while !self.open.is_over() {
            let next = self.events.next();
            let news = if self.open.fires.is_empty() {
                match tokio::time::timeout(CLAIM_WAIT_MAX, next).await {
                    Ok(news) => news,
                    Err(_) => return,
                }
            } else {
                next.await
            };
            match news {
                Some(News::Event(event)) => {
                    let cluster = &self.cluster;
                    self.open.take(&event, |job| dependents_to_come(cluster, job));
                }
                // What was missed may be what is waited for: the run itself is known to end.
                Some(News::Missed(_)) => {
                    let _ = self.run.wait().await;
                    return;
                }
                None => return,
            }
        }
    }
}

/// Returns the jobs that run after `job` if it has just succeeded.
fn dependents_to_come(cluster: &Cluster, job: &JobName) -> Vec<JobName> {
    match cluster.job(job.as_str()) {
        Ok(Some(view)) if view.status.status == RunStatus::Success => view.children,
        _ => Vec::new(),
    }
}

impl Open {
    fn is_over(&self) -> bool {
        self.fires.is_empty() && self.awaited.is_empty()
    }

    /// Takes an event into account; `dependents` tells which jobs follow one that has ended.
    fn take(&mut self, event: &Event, dependents: impl FnOnce(&JobName) -> Vec<JobName>) {
        match event {
            Event::Finished { execution, is_fire_complete: true, .. } => {
                let fire = (execution.job.clone(), execution.fire_time);
                if self.fires.remove(&fire) {
                    for child in dependents(&execution.job) {
                        *self.awaited.entry(child).or_default() += 1;
                    }
                }
            }
            Event::Claimed(claim) if claim.execution.cause == Cause::Parent => {
                let job = &claim.execution.job;
                let fire = (job.clone(), claim.execution.fire_time);
                if !self.fires.contains(&fire) && self.no_longer_awaits(job) {
                    self.fires.insert(fire);
                }
            }
            Event::Withdrawn { execution, .. } => {
                self.fires.remove(&(execution.job.clone(), execution.fire_time));
            }
            Event::Skipped(skip) => {
                self.no_longer_awaits(&skip.job);
            }
            Event::JobChanged { job, change: JobChange::Deleted } => {
                self.awaited.remove(job);
                self.fires.retain(|(of, _)| of != job);
            }
            _ => {}
        }
    }

    /// Counts one fire of a job less to be claimed; false if none was.
    fn no_longer_awaits(&mut self, job: &JobName) -> bool {
        let Some(count) = self.awaited.get_mut(job) else { return false };
        *count -= 1;
        if *count == 0 {
            self.awaited.remove(job);
        }
        true
    }
}
