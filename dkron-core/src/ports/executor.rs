//! What runs an attempt of a job on this node: a shell command, an HTTP request, a function.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::kernel::model::{ExecutionId, Job, JobName};
use crate::kernel::time::Timestamp;

/// One kind of executor: `shell`, `http`, `handler`.
///
/// One instance serves all runs of its kind on a node, concurrently.
pub trait ExecutorPort: Send + Sync + 'static {
    /// Runs one attempt to its end.
    ///
    /// Resolves when the run is truly over: the process tree is gone, the request is answered or
    /// abandoned, the function has returned. After `context.cancel` fires the executor ends the
    /// run as fast as it can and answers [`RunOutcome::Cancelled`] only once nothing of it is left;
    /// if it finished first, the true outcome stands.
    ///
    /// Never panics on any `config`; a bad one is a failed run whose error says what is accepted.
    /// Dropping the future may leave the run behind: the driver drops it only at process exit.
    fn run(&self, context: RunContext) -> RunFuture;
}

/// The executors of a node, by the names that jobs use.
pub trait Executors: Send + Sync + 'static {
    /// Runs one attempt with the executor of this name; as [`ExecutorPort::run`].
    ///
    /// A name that is empty or unknown here is a failed run whose output says so.
    fn run(&self, executor: &str, context: RunContext) -> RunFuture;
}

/// The end of a run, once it comes.
pub type RunFuture = Pin<Box<dyn Future<Output = RunEnd> + Send>>;

/// Everything one attempt is told.
#[derive(Clone)]
pub struct RunContext {
    /// The job's name.
    pub job: JobName,
    /// The execution's id, `<nanoseconds>-<node>`.
    pub execution: ExecutionId,
    /// The due instant of the fire this attempt belongs to; the same for all its attempts.
    pub fire_time: Timestamp,
    /// Counts from 1.
    pub attempt: u32,
    /// Fencing token: of two attempts of one job the later has the greater.
    pub token: u64,
    /// The process instance of this node; with the token, it names the run on the whole machine.
    pub instance: u64,
    /// The job's `executor_config`.
    pub config: RunConfig,
    /// The job's own `timeout` policy; beside it the shell and http executors know a config key.
    pub timeout: Option<std::time::Duration>,
    /// Where the run's output goes.
    pub output: OutputWriter,
    /// Fires when the run shall end early.
    pub cancel: CancellationToken,
}

/// The `executor_config` of a job; shares the job, so that a run costs no copy.
#[derive(Clone)]
pub struct RunConfig {
    job: Arc<Job>,
}

impl From<Arc<Job>> for RunConfig {
    fn from(job: Arc<Job>) -> Self {
        Self { job }
    }
}

impl Deref for RunConfig {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &BTreeMap<String, String> {
        &self.job.executor_config
    }
}

#[cfg(test)]
impl From<BTreeMap<String, String>> for RunConfig {
    fn from(executor_config: BTreeMap<String, String>) -> Self {
        let job = Job::new(JobName::placeholder());
        Arc::new(Job { executor_config, ..job }).into()
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It did what it was asked to do.
    Succeeded,
    /// It ran, or could not be started, and failed.
    Failed,
    /// It was asked to end early, did, and is gone.
    Cancelled,
}

/// The outcome of a run with the error text that belongs in front of its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Dkron writes it, with a newline, before the output: `exit status 3`.
    pub error: Option<String>,
}

impl RunEnd {
    /// It did what it was asked to do.
    pub const fn succeeded() -> Self {
        Self { outcome: RunOutcome::Succeeded, error: None }
    }

    /// It failed, and `error` says how.
    pub fn failed(error: impl Into<String>) -> Self {
        Self { outcome: RunOutcome::Failed, error: Some(error.into()) }
    }

    /// It was ended on request; `how` says what became of it.
    pub fn cancelled(how: &str) -> Self {
        Self { outcome: RunOutcome::Cancelled, error: Some(format!("cancelled: {how}")) }
    }
}

/// Takes the output of one run: keeps its last bytes and shows it to whoever follows live.
#[derive(Clone)]
pub struct OutputWriter {
    sink: Arc<dyn Output>,
}

/// Where an [`OutputWriter`] leads. Writing never blocks and never fails.
pub trait Output: Send + Sync {
    /// Appends bytes, in the order in which they arrive.
    fn write(&self, bytes: &[u8]);

    /// Notes how far the run has come: `done` within 0 to 1, and a word about it.
    fn progress(&self, done: f64, note: &str);
}

impl OutputWriter {
    /// Leads to `sink`.
    pub fn new(sink: Arc<dyn Output>) -> Self {
        Self { sink }
    }

    /// Appends bytes to the output.
    pub fn write(&self, bytes: &[u8]) {
        self.sink.write(bytes);
    }

    /// Notes the progress; `done` is cut to 0..=1.
    pub fn progress(&self, done: f64, note: &str) {
        self.sink.progress(done.clamp(0.0, 1.0), note);
    }
}
