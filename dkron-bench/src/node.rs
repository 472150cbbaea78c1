//! Nodes to measure: started, filled with jobs, watched.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use dkron_core::{Cluster, Config, Job, JobBuilder, Timestamp};
use tokio::runtime::{Builder, Runtime};

/// Jobs declared in one call: what a large program declares at once.
const DECLARED_MAX: usize = 10_000;

/// The name of every node that is measured.
pub const NODE: &str = "bench";

/// A node, and a runtime to call it from.
pub struct Node {
    /// Its handle.
    pub cluster: Cluster,
    /// Where its futures are waited for.
    pub runtime: Runtime,
}

impl Node {
    /// Starts a node with its data in `folder`, durable.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn on_disk(folder: &Path) -> Result<Self> {
        Self::start(Config::new(NODE).data_dir(folder))
    }

    /// Starts a node that keeps everything in memory.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn in_memory() -> Result<Self> {
        Self::start(Config::new(NODE).in_memory())
    }

    fn start(config: Config) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let config = config.shutdown_timeout(Duration::from_secs(60));
        let cluster = Cluster::start_blocking(config).context("start a node")?;
        Ok(Self { cluster, runtime })
    }

    /// Registers a handler that does nothing but count, and returns its count.
    ///
    /// # Errors
    ///
    /// If the node has stopped.
    pub fn handle_noop(&self, name: &str) -> Result<Arc<AtomicU64>> {
        let count = Arc::new(AtomicU64::new(0));
        let runs = Arc::clone(&count);
        self.cluster.handle(name, move |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(String::new()))
        })?;
        Ok(count)
    }

    /// Declares jobs, ten thousand at a time; returns how long that took.
    ///
    /// # Errors
    ///
    /// The first that a declaration fails with.
    pub fn declare(&self, jobs: impl Iterator<Item = Result<Job>>) -> Result<Duration> {
        let mut jobs = jobs.peekable();
        let mut took = Duration::ZERO;
        while jobs.peek().is_some() {
            let some = jobs.by_ref().take(DECLARED_MAX).collect::<Result<Vec<Job>>>()?;
            let begun = Instant::now();
            self.runtime.block_on(self.cluster.apply("bench", some, false))?;
            took += begun.elapsed();
        }
        Ok(took)
    }

    /// Returns the ends that are committed: attempts of today and yesterday.
    ///
    /// # Errors
    ///
    /// If the state cannot be read.
    pub fn ends(&self) -> Result<u64> {
        let days = self.cluster.stats(2)?;
        Ok(days.iter().map(|day| day.success_count + day.failed_count).sum())
    }

    /// Waits until `holds`, at most `bound`.
    ///
    /// # Errors
    ///
    /// After `bound`, naming `what`.
    pub fn wait_until(
        &self,
        what: &str,
        bound: Duration,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let begun = Instant::now();
        while !holds()? {
            if begun.elapsed() > bound {
                bail!("waited {bound:?} in vain for {what}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Stops the node in good order.
    ///
    /// # Errors
    ///
    /// As [`Cluster::shutdown`].
    pub fn stop(self) -> Result<()> {
        Ok(self.cluster.shutdown_blocking()?)
    }
}

/// Returns jobs that never fire while a bench runs, as diverse as those of a large program.
pub fn idle_jobs(count: usize) -> impl Iterator<Item = Result<Job>> {
    (0..count).map(|number| {
        let schedule = match number % 4 {
            0 => format!("{} {} 3 29 2 *", number % 60, number / 60 % 60),
            1 => "0 0 0 1 1 *".to_owned(),
            2 => "@every 8760h".to_owned(),
            _ => format!("@at 2999-01-01T00:{:02}:{:02}Z", number / 60 % 60, number % 60),
        };
        let job = JobBuilder::new(format!("idle-{number:07}"))
            .schedule(schedule)
            .handler("noop")
            .metadata("team", format!("team-{}", number % 100));
        Ok(job.build()?)
    })
}

/// Returns jobs that fire every second.
pub fn busy_jobs(count: usize, handler: &str) -> impl Iterator<Item = Result<Job>> {
    (0..count).map(move |number| {
        let job = JobBuilder::new(format!("busy-{number:07}"));
        Ok(job.schedule("* * * * * *").handler(handler).build()?)
    })
}

/// Returns the present instant.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
