//! Running jobs by hand, following, cancelling, and the history.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::builder::job_name;
use super::jobs::MOVED_TRIES_MAX;
use super::node::Node;
use super::{Cluster, ExecutionOutput, RunReceipt, RunningExecution};
use crate::driver::{self, FireWait, StartedRun, Told};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::{Execution, ExecutionId, JobName, Skip};
use crate::kernel::state::query::{self, Part};
use crate::kernel::state::{Command, Event, Order, Outcome, TableError, Tables};
use crate::kernel::time::Timestamp;
use crate::limits::{EXECUTIONS_PER_JOB_MAX, HISTORY_REMOVALS_MAX};
use crate::ports::OutputFollower;

/// Executions read at a time while those of one fire are gathered.
const FIRE_PAGE_EXECUTIONS: usize = 64;

/// A fire that was asked for; see [`Cluster::run`].
pub struct Run {
    cluster: Cluster,
    receipt: RunReceipt,
    /// Ends with the fire.
    over: FireWait,
}

impl Run {
    /// Returns what was claimed.
    pub fn receipt(&self) -> &RunReceipt {
        &self.receipt
    }

    /// Waits until the fire is over: every attempt has ended, retries included, and none is due.
    ///
    /// Returns its executions, oldest first; those that retention has removed meanwhile are
    /// missing, all of them if the job was deleted. A further attempt that was skipped is none of
    /// them; [`Cluster::skips`] has it. There is no time limit of its own: a run of an hour takes
    /// an hour. Dropping the future, or the `Run`, does not touch the run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if the node stops first; the run may go on, and its result is kept.
    pub async fn wait(self) -> Result<Vec<Execution>, Error> {
        let Self { cluster, receipt, over } = self;
        if !over.over().await {
            return Err(cluster.stopped("wait for a run"));
        }
        let node = cluster.node()?;
        // Its claim has waited for the check of the history already, should there have been one.
        node.query(|view| executions_of_fire(view, &receipt.job, receipt.fire_time))
    }
}

impl Cluster {
    /// Runs a job now, beside its schedule, and returns once the run is claimed.
    ///
    /// As in Dkron, a run by hand ignores `concurrency` and the job's window; a disabled job that
    /// is no child is refused. The run starts within milliseconds on the nodes that the job's tags
    /// select. Safe to retry only in the sense that each success is one more run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job; [`ErrorKind::Conflict`] if it is disabled, or if
    /// others keep changing it; [`ErrorKind::Unavailable`] if no node is capable of it;
    /// [`ErrorKind::LimitExceeded`] if [`limits::RUNS_MAX`](crate::limits::RUNS_MAX) executions run
    /// already; and those of [every write](Cluster#writes).
    pub async fn run(&self, job: &str) -> Result<Run, Error> {
        let name = job_name(job)?;
        let node = self.node()?;
        let over = node.watch.fire_of(&name);
        let (at, outcome) = claim_run(&node, &name).await?;
        let Outcome::Claimed { executions } = outcome else {
            return Err(node.unexpected("run job", &name, &outcome));
        };
        let fire_time = executions.first().map_or(at, ExecutionId::due_at);
        over.expect(fire_time);
        let receipt = RunReceipt { job: name, fire_time, executions: executions.into() };
        Ok(Run { cluster: self.clone(), receipt, over })
    }

    /// Asks for the end of a running execution and waits until it has ended, at most `timeout`.
    ///
    /// The execution is `Cancelled` only once nothing of it is left; if it ends by itself first,
    /// its true outcome stands. Handlers are asked and have to comply; processes are killed after
    /// a grace time. A further attempt that waits for its time is no execution yet and cannot be
    /// cancelled: disabling or deleting the job keeps it from starting, but for one that follows a
    /// run by hand, which only deleting does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if it is not running; [`ErrorKind::DeadlineExceeded`] if it still
    /// runs after `timeout`. With [`Error::may_have_happened`] the request stands, and the
    /// execution may end by it. And those of [every write](Cluster#writes). Safe to retry.
    pub async fn cancel(
        &self,
        job: &str,
        execution: &ExecutionId,
        timeout: Duration,
    ) -> Result<Execution, Error> {
        let name = job_name(job)?;
        let node = self.node()?;
        let mut events = node.watch.follow();
        self.request_cancel(job, execution).await?;
        let gone = || {
            let text = format!("execution \"{execution}\" of job \"{name}\" is gone");
            Error::new(ErrorKind::NotFound, text)
        };
        // Whoever has ended is in the history, which may still be being checked.
        let stored = || {
            let (name, execution) = (name.clone(), execution.clone());
            node.blocking(move |node| node.query(|view| query::execution(view, &name, &execution)))
        };
        let ended = async {
            loop {
                let is_behind = match events.recv().await {
                    Ok(Told::Started(_)) => continue,
                    Ok(Told::Event(event)) => {
                        if let Event::Finished { execution: ended, .. } = &*event
                            && (&ended.job, &ended.id) == (&name, execution)
                        {
                            return Ok(ended.clone());
                        }
                        false
                    }
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => {
                        return Err(self.stopped("wait for a cancelled execution"));
                    }
                };
                // The end may come without its event. That of a deleted job is nowhere else.
                match stored().await? {
                    Some(found) if found.state.is_final() => return Ok(found),
                    None if is_behind => return Err(gone()),
                    _ => {}
                }
            }
        };
        let ended = match node.within(timeout, ended).await {
            Some(ended) => ended,
            None if stored().await?.is_none() => Err(gone()),
            None => {
                let text = format!("execution \"{execution}\" of job \"{name}\" still runs");
                Err(Error::new(ErrorKind::DeadlineExceeded, text))
            }
        };
        // Whatever kept the end from being seen: the request stands.
        ended.map_err(Error::maybe_happened)
    }

    /// Asks for the end of a running execution as [`Cluster::cancel`] does, and waits for nothing
    /// but that the request is committed. Safe to retry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if it is not running; and those of [every write](Cluster#writes).
    pub async fn request_cancel(&self, job: &str, execution: &ExecutionId) -> Result<(), Error> {
        let command = Command::Cancel { job: job_name(job)?, execution: execution.clone() };
        self.node()?.propose_one(command).await?;
        Ok(())
    }

    /// Returns executions of a job, newest first, at most `limit`. Reads this node's state.
    ///
    /// All of them are held in memory; [`Cluster::list_executions`] goes on from a cursor, and
    /// chooses by state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job.
    pub fn executions(&self, job: &str, limit: usize) -> Result<Vec<Execution>, Error> {
        let name = job_name(job)?;
        let part = Part { order: Order::Descending, skip: 0, limit };
        let node = self.node()?;
        let page = node.query_job(&name, |view| query::executions_page(view, &name, part))?;
        Ok(page.items.into_iter().map(|execution| as_it_runs(&node, execution)).collect())
    }

    /// Returns one execution, if it is kept. Reads this node's state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if `job` is not a job name.
    pub fn execution(&self, job: &str, id: &ExecutionId) -> Result<Option<Execution>, Error> {
        let name = job_name(job)?;
        let node = self.node()?;
        let execution = node.query(|view| query::execution(view, &name, id))?;
        Ok(execution.map(|execution| as_it_runs(&node, execution)))
    }

    /// Returns what is kept of an execution's output; while it runs here, what it wrote so far.
    ///
    /// `None` if there is no such execution.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the stored output is damaged.
    pub fn output(&self, job: &str, id: &ExecutionId) -> Result<Option<ExecutionOutput>, Error> {
        let name = job_name(job)?;
        let node = self.node()?;
        let Some(execution) = node.query(|view| query::execution(view, &name, id))? else {
            return Ok(None);
        };
        // A run stays known until its report is acknowledged; by then the state has its output.
        if !execution.state.is_final()
            && let Some(run) = node.runs.get(execution.token)
        {
            let now = run.output.snapshot();
            return Ok(Some(ExecutionOutput { bytes: now.bytes, bytes_total: now.bytes_total }));
        }
        let stored = node.query(|view| query::output(view, &name, id))?.unwrap_or_default();
        let bytes = driver::unpack(&stored).ok_or_else(|| {
            let text = format!("read the output of execution \"{id}\" of job \"{name}\"");
            Error::new(ErrorKind::Storage, text)
        })?;
        Ok(Some(ExecutionOutput { bytes, bytes_total: stored.bytes_total }))
    }

    /// Follows the output of an execution that runs on this node, from the byte at `offset` on.
    ///
    /// `None` if it does not run here; then [`Cluster::output`] has all of it. The run never waits
    /// for a follower: one that is too slow is told how many bytes it missed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if `job` is not a job name.
    pub fn follow_output(
        &self,
        job: &str,
        id: &ExecutionId,
        offset: u64,
    ) -> Result<Option<OutputFollower>, Error> {
        let Some(execution) = self.execution(job, id)? else { return Ok(None) };
        let run = self.node()?.runs.get(execution.token);
        Ok(run.map(|run| run.output.follow(offset)))
    }

    /// Returns the fires of a job that were skipped, newest first, at most `limit`, with reasons.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job.
    pub fn skips(&self, job: &str, limit: usize) -> Result<Vec<Skip>, Error> {
        let name = job_name(job)?;
        self.node()?.query_job(&name, |view| query::skips(view, &name, Order::Descending, limit))
    }

    /// Returns what runs on this node at present, oldest claim first, each with the last
    /// `output_bytes_max` bytes of what it has written so far.
    ///
    /// Those bytes are copied: of a thousand runs a thousand times as many. Runs that wait for a
    /// place are not among them; [`Health::waiting`](crate::Health::waiting) counts these. Never
    /// touches the disk.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] after a shutdown.
    pub fn running(&self, output_bytes_max: usize) -> Result<Vec<RunningExecution>, Error> {
        let running = self.node()?.runs.running().into_iter().map(|run| {
            let output = run.output.tail(output_bytes_max);
            RunningExecution {
                execution: run.execution,
                output: ExecutionOutput { bytes: output.bytes, bytes_total: output.bytes_total },
                progress: run.output.progress().map(|progress| (progress.done, progress.note)),
            }
        });
        Ok(running.collect())
    }

    /// Returns what runs on this node at present, oldest claim first, without its output; each of
    /// them can be followed. As [`Cluster::running`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] after a shutdown.
    pub fn started_runs(&self) -> Result<Vec<StartedRun>, Error> {
        Ok(self.node()?.runs.running().iter().map(StartedRun::from).collect())
    }

    /// Deletes a job's history and zeroes its counters; running executions stay. Safe to retry.
    ///
    /// A long history goes in parts, the oldest first, each committed by itself: it takes seconds
    /// for a million executions, and holds up nothing else. If this is given up in between, the
    /// rest is there still.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job; and those of [every write](Cluster#writes).
    pub async fn delete_executions(&self, job: &str) -> Result<(), Error> {
        let job = job_name(job)?;
        let command = || Command::DeleteExecutions { job: job.clone() };
        let mut outcome = self.node()?.propose_one(command()).await?;
        // Runs that end meanwhile may be as many: there is an end to it nevertheless.
        for _ in 0..EXECUTIONS_PER_JOB_MAX.div_ceil(HISTORY_REMOVALS_MAX) {
            if outcome != Outcome::Unfinished {
                break;
            }
            let next = self.node().map_err(Error::maybe_happened)?;
            outcome = next.propose_one(command()).await.map_err(Error::maybe_happened)?;
        }
        Ok(())
    }

    /// The error of waiting on a node that stops.
    pub(super) fn stopped(&self, what: &str) -> Error {
        let node = self.node().ok();
        let fatal = node.as_ref().and_then(|node| node.fatal.get());
        let why = fatal.map_or("the node was shut down".to_owned(), |fatal| {
            format!("the node has stopped itself: {fatal}")
        });
        Error::new(ErrorKind::Stopped, format!("{what}: {why}"))
    }
}

/// Decides a run by hand and claims it, anew whenever the job moved in between; returns the instant
/// that was asked for, and what the log answered.
async fn claim_run(node: &Node, job: &JobName) -> Result<(Timestamp, Outcome), Error> {
    for _ in 0..MOVED_TRIES_MAX {
        let fire = node.plan_run(job, true)?;
        let at = fire.at;
        match node.propose_one(Command::Fire(fire)).await {
            Ok(outcome) => return Ok((at, outcome)),
            // All that can be in the way of a forced run: it was decided for another revision.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let text = format!("run job \"{job}\": others keep changing it");
    Err(Error::new(ErrorKind::Conflict, text))
}

/// Returns the executions of one fire that have ended and are kept, oldest first: of a job that was
/// deleted one may still run.
///
/// Attempts of a fire are due at its instant or later, so the walk from the newest ends there.
fn executions_of_fire(
    view: &impl Tables,
    job: &JobName,
    fire_time: Timestamp,
) -> Result<Vec<Execution>, TableError> {
    let first_ns = ExecutionId::due_ns_of(fire_time);
    let mut found = Vec::new();
    let mut part = Part { order: Order::Descending, skip: 0, limit: FIRE_PAGE_EXECUTIONS };
    loop {
        let page = query::executions_page(view, job, part)?.items;
        let is_last = page.len() < part.limit
            || page.last().is_some_and(|oldest| oldest.id.due_ns < first_ns);
        let has_ended = |run: &Execution| run.fire_time == fire_time && run.state.is_final();
        found.extend(page.into_iter().filter(has_ended));
        if is_last {
            found.reverse();
            return Ok(found);
        }
        part.skip += part.limit as u64;
    }
}

/// Returns an execution with its true start, if it runs on this node: the state learns that when
/// the run is over.
pub(super) fn as_it_runs(node: &Node, mut execution: Execution) -> Execution {
    if !execution.state.is_final()
        && let Some(run) = node.runs.get(execution.token)
    {
        execution.started_at = run.execution.started_at;
    }
    execution
}
