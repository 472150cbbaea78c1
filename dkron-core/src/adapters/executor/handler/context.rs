//! What a function is given when it runs.

use tokio_util::sync::CancellationToken;

use crate::kernel::time::Timestamp;
use crate::ports::RunContext;

/// The run that a handler is called for. Cheap to clone, and free to move to other threads.
#[derive(Clone)]
pub struct HandlerContext {
    run: RunContext,
    cancel: CancellationToken,
}

impl HandlerContext {
    /// `cancel` also fires when the job's timeout passes, unlike the one in `run`.
    pub(super) fn new(run: RunContext, cancel: CancellationToken) -> Self {
        Self { run, cancel }
    }

    /// Returns the job's name.
    pub fn job(&self) -> &str {
        &self.run.job
    }

    /// Returns the execution's id, `<nanoseconds>-<node>`.
    pub fn execution(&self) -> &str {
        &self.run.execution
    }

    /// Returns the instant at which the fire was due: the same for all its attempts.
    pub fn fire_time(&self) -> Timestamp {
        self.run.fire_time
    }

    /// Returns the number of the attempt, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// Returns the fencing token: of two attempts of one job the later has the greater.
    ///
    /// Hand it to whatever the function writes to, if that can refuse a smaller one.
    pub fn token(&self) -> u64 {
        self.run.token
    }

    /// Returns a value of the job's `executor_config`.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.run.config.get(key).map(String::as_str)
    }

    /// Returns whether the run shall end: it was cancelled, its timeout passed, or the node stops.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Resolves once the run shall end.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Appends to the output, which followers see at once. Never blocks.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.run.output.write(bytes.as_ref());
    }

    /// Tells how far the run has come: `done` within 0 to 1, and a word about it. Never blocks.
    pub fn progress(&self, done: f64, note: &str) {
        self.run.output.progress(done, note);
    }
}
