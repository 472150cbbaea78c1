//! The figures of a node, for monitors: read when somebody asks, counted by whoever does the work.
//!
//! Nothing here belongs to the process: two nodes in one program have figures of their own, and no
//! recorder is installed. Names and formats are for the host to choose; the daemon's are in
//! `dkron-server/src/metrics`.

use std::time::Duration;

use super::Cluster;
use super::node::Node;
use crate::driver::{Backlog, EndedExecutions, JobMetrics, RunFigures, SkippedFires};
use crate::error::Error;
use crate::kernel::state::query;
use crate::ports::Histogram;

/// The figures of a node: what was counted since it started, and how it is at present.
///
/// What is counted is counted on one node alone, so that sums over the nodes of a cluster are true:
/// an execution on the node that it ran on, once its end is part of the state; a skip, and what the
/// scheduler meets with, on the node that led then. Counts begin at zero with each start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// How late executions began on this node, after the instant at which the attempt was due: for
    /// whatever reason, waits for a place and fires that were caught up included.
    pub start_lateness: Histogram,
    /// How long executions took on this node, from begin to end.
    pub run_time: Histogram,
    /// How long proposals of this node took that have taken effect: from the moment they were made
    /// until they were on disk at a majority and part of the state here.
    pub commit_time: Histogram,
    /// Executions of this node that have ended.
    pub executions_ended: EndedExecutions,
    /// Of those, how many [`Cluster::job_metrics`] counts for no job, because there are too many
    /// jobs or theirs was deleted; 0 unless [`Config::job_metrics`](crate::Config::job_metrics).
    pub executions_of_no_job: u64,
    /// Fires that were skipped while this node led; every reason is there.
    pub fires_skipped: Vec<SkippedFires>,
    /// Further attempts of fires that were skipped while this node led.
    pub attempts_skipped: u64,
    /// How often this node has begun to lead.
    pub terms_led: u64,
    /// How often, while this node led, the clock was put forward or back, or the machine had stood
    /// still.
    pub clock_jumps: u64,
    /// How often, while this node led, what was due began to wait because too much ran.
    pub overloads: u64,
    /// How many rounds of decisions this node could not commit; they were made anew.
    pub rounds_failed: u64,

    /// Executions that go on on this node.
    pub executions_running: u64,
    /// Executions that are claimed for this node and wait for a place.
    pub executions_waiting: u64,
    /// Results of this node that no leader has acknowledged yet.
    pub results_waiting: u64,
    /// Whether results may wait in the outbox on disk, those of earlier starts included.
    pub is_outbox_in_use: bool,
    /// Bytes of commands of this node that wait for the log or are under way, about.
    pub proposed_bytes: u64,
    /// Jobs of the cluster.
    pub jobs: u64,
    /// For how long the fire that should have been decided first has been due: zero while nothing
    /// waits for a decision. Grows on every server while nobody leads.
    pub overdue: Duration,
    /// Bytes of the log on the disk, about.
    pub log_bytes: u64,
    /// The last record of the log; `None` before the first.
    pub last_log_index: Option<u64>,
    /// The last record that has taken effect here; `None` before the first.
    pub applied_index: Option<u64>,
    /// The last record that the newest snapshot covers; `None` without one.
    pub snapshot_index: Option<u64>,
    /// Whether this node leads.
    pub is_leader: bool,
    /// Whether anybody leads, as far as this node knows.
    pub has_leader: bool,
    /// Whether the data directory takes writes: there is space on its disk, and it has not failed.
    pub is_storage_writable: bool,
}

impl Cluster {
    /// Returns the figures of this node. Never waits for others; reads the state and asks the disk
    /// how much space is left, and holds up nothing that is due.
    ///
    /// ```
    /// use dkron_core::{Cluster, Config, JobBuilder};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let cluster = Cluster::start(Config::new("node-1").in_memory()).await?;
    /// cluster.handle("greet", async |_| Ok("hello".to_owned()))?;
    /// cluster.set_job(JobBuilder::new("greet").schedule("@every 1h").build()?).await?;
    /// cluster.run("greet").await?.wait().await?;
    ///
    /// let metrics = cluster.metrics()?;
    /// assert_eq!((metrics.jobs, metrics.executions_ended.succeeded), (1, 1));
    /// assert_eq!(metrics.start_lateness.count(), 1);
    /// # cluster.shutdown().await?;
    /// # Ok::<(), dkron_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the state cannot be read,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after a shutdown.
    pub fn metrics(&self) -> Result<Metrics, Error> {
        self.node()?.metrics()
    }

    /// Returns, ordered by name, the executions of each job that have ended on this node: of jobs
    /// that had one since the start, and that are not deleted.
    ///
    /// Empty unless [`Config::job_metrics`](crate::Config::job_metrics) asks for it. Never blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after a shutdown.
    pub fn job_metrics(&self) -> Result<Vec<JobMetrics>, Error> {
        Ok(self.node()?.tally.jobs())
    }
}

impl Node {
    fn metrics(&self) -> Result<Metrics, Error> {
        let RunFigures { start_lateness, run_time, running, results_waiting } = self.runs.figures();
        let (jobs, first_due) = self.query(|view| {
            let due = query::first_due(view)?;
            Ok((query::job_count(view)?, due.map(|row| row.at)))
        })?;
        let overdue = first_due.map_or(Duration::ZERO, |at| self.now().since(at));
        let leader = self.leader();
        let log = self.consensus.metrics();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Metrics {
            start_lateness,
            run_time,
            commit_time: self.consensus.commit_time(),
            executions_ended: self.tally.ended(),
            executions_of_no_job: self.tally.of_no_job(),
            fires_skipped: self.tally.fires_skipped(),
            attempts_skipped: self.tally.attempts_skipped(),
            terms_led: self.tally.terms_led(),
            clock_jumps: self.tally.clock_jumps(),
            overloads: self.tally.overloads(),
            rounds_failed: self.tally.rounds_failed(),
            executions_running: running,
            executions_waiting: wide(self.runs.waiting_count()),
            results_waiting,
            is_outbox_in_use: *self.courier.backlog().borrow() != Backlog::None,
            proposed_bytes: wide(log.proposed_bytes),
            jobs,
            overdue,
            log_bytes: self.consensus.log_bytes()?,
            last_log_index: log.last_log_index,
            applied_index: log.applied_index,
            snapshot_index: log.snapshot_index,
            is_leader: leader.as_ref() == Some(&self.name),
            has_leader: leader.is_some(),
            is_storage_writable: self.storage.health.check_writable().is_ok(),
        })
    }
}
