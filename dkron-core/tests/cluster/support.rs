//! Nodes to test with, and waits with a bound.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dkron_core::{Cluster, Config, Event, Events, Execution, Job, JobBuilder, News};
use tokio::sync::Notify;

/// The longest wait for anything. An idle machine needs a hundredth of it.
pub const BOUND: Duration = Duration::from_secs(20);

/// Starts a node that keeps everything in memory.
pub async fn in_memory(name: &str) -> Cluster {
    Cluster::start(config(name).in_memory()).await.expect("start a node in memory")
}

/// Settings of a test's node: it does not wait long for runs when it stops.
pub fn config(name: &str) -> Config {
    Config::new(name).shutdown_timeout(Duration::from_secs(1))
}

/// Returns a job that runs only when it is asked to, by the handler of its name.
pub fn by_hand(name: &str) -> JobBuilder {
    JobBuilder::new(name).schedule("@manually")
}

/// Returns a job that fires every second.
pub fn every_second(name: &str) -> JobBuilder {
    JobBuilder::new(name).schedule("* * * * * *")
}

/// Writes a job.
pub async fn set(cluster: &Cluster, job: JobBuilder) {
    let job: Job = job.build().expect("a job as this test builds it");
    cluster.set_job(job).await.expect("write the job");
}

/// Runs a job and waits until all its attempts have ended.
pub async fn run(cluster: &Cluster, job: &str) -> Vec<Execution> {
    let run = cluster.run(job).await.expect("run the job");
    within("the end of a run", run.wait()).await.expect("wait for the run")
}

/// Returns the output of an execution as text.
pub fn output(cluster: &Cluster, execution: &Execution) -> String {
    let output = cluster.output(execution.job.as_str(), &execution.id).expect("read the output");
    String::from_utf8(output.expect("the execution is kept").bytes).expect("text")
}

/// Where a handler says that it is under way, and waits until it is let go on. Clones are one.
#[derive(Clone, Default)]
pub struct Halt {
    reached: Arc<Notify>,
    released: Arc<Notify>,
}

impl Halt {
    /// Says that the handler is here, and waits.
    pub async fn here(&self) {
        self.reached.notify_one();
        self.released.notified().await;
    }

    /// Waits until a handler is here.
    pub async fn reached(&self) {
        within("a handler", self.reached.notified()).await;
    }

    /// Lets one handler go on.
    pub fn release(&self) {
        self.released.notify_one();
    }
}

/// Waits for `work`, at most [`BOUND`].
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, work).await {
        Ok(done) => done,
        Err(_) => panic!("waited {BOUND:?} in vain for {what}"),
    }
}

/// Waits for the first event that `find` makes something of.
pub async fn event<T>(
    what: &str,
    events: &mut Events,
    mut find: impl FnMut(&Event) -> Option<T>,
) -> T {
    within(what, async {
        loop {
            match events.next().await {
                Some(News::Event(event)) => {
                    if let Some(found) = find(&event) {
                        return found;
                    }
                }
                Some(News::Started(_)) => {}
                Some(News::Missed(missed)) => panic!("missed {missed} events"),
                None => panic!("the node stopped before {what}"),
            }
        }
    })
    .await
}

/// Waits until an execution of `job` has ended.
pub async fn finished(events: &mut Events, job: &str) -> Execution {
    event("the end of an execution", events, |event| match event {
        Event::Finished { execution, .. } if execution.job.as_str() == job => {
            Some(execution.clone())
        }
        _ => None,
    })
    .await
}

/// Waits until a fire of `job` is claimed.
pub async fn claimed(events: &mut Events, job: &str) -> Execution {
    event("a claim", events, |event| match event {
        Event::Claimed(claim) if claim.execution.job.as_str() == job => {
            Some(claim.execution.clone())
        }
        _ => None,
    })
    .await
}
