//! What a function is told about its run, and what it may tell.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::kernel::time::Timestamp;
use crate::ports::RunContext;

/// One run, as the function that does it sees it. Cloning is cheap, and shares the run.
#[derive(Clone)]
pub struct HandlerContext {
    shared: Arc<Shared>,
}

struct Shared {
    run: RunContext,
    /// The execution's id as text; made when it is asked for.
    execution: OnceLock<String>,
    /// Fires when the function shall end: the run is cancelled, or over its time.
    stop: CancellationToken,
}

impl HandlerContext {
    /// Begins a run.
    pub(super) fn new(run: RunContext) -> Self {
        // A timeout must stop this function without cancelling the run; else one token will do.
        let stop = match run.timeout {
            Some(_) => run.cancel.child_token(),
            None => run.cancel.clone(),
        };
        Self { shared: Arc::new(Shared { run, execution: OnceLock::new(), stop }) }
    }

    /// Returns the run that the caller of the executor has asked for.
    pub(super) fn run(&self) -> &RunContext {
        &self.shared.run
    }

    /// Asks the function to end.
    pub(super) fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// Returns the name of the job.
    pub fn job(&self) -> &str {
        self.shared.run.job.as_str()
    }

    /// Returns the execution's id, `<nanoseconds>-<node>`.
    pub fn execution(&self) -> &str {
        let Shared { run, execution, .. } = &*self.shared;
        execution.get_or_init(|| run.execution.to_string())
    }

    /// Returns the instant at which the run was due; the same for all attempts of one fire.
    pub fn fire_time(&self) -> Timestamp {
        self.shared.run.fire_time
    }

    /// Returns which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.shared.run.attempt
    }

    /// Returns the fencing token: of two attempts of one job the later has the greater.
    ///
    /// Hand it to whatever the run changes, and let that refuse a token smaller than one it has
    /// seen: a run that was thought dead can then do no harm.
    pub fn token(&self) -> u64 {
        self.shared.run.token
    }

    /// Returns a value of the job's `executor_config`.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.shared.run.config.get(key).map(String::as_str)
    }

    /// Appends bytes to the output of the run. Never blocks; of a long output the end is kept.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.shared.run.output.write(bytes.as_ref());
    }

    /// Says how far the run has come: `done` within 0 to 1, and a word about it.
    pub fn progress(&self, done: f64, note: &str) {
        self.shared.run.output.progress(done, note);
    }

    /// Returns whether the run shall end: it was cancelled, its timeout passed, or the node stops.
    ///
    /// A function that then returns an error has ended early. One that returns `Ok` says that it
    /// has done its work all the same.
    pub fn is_cancelled(&self) -> bool {
        self.shared.stop.is_cancelled()
    }

    /// Resolves once the run shall end; as [`Self::is_cancelled`].
    pub async fn cancelled(&self) {
        self.shared.stop.cancelled().await;
    }
}

impl fmt::Debug for HandlerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerContext")
            .field("job", &self.job())
            .field("execution", &self.execution())
            .field("fire_time", &self.fire_time())
            .field("attempt", &self.attempt())
            .field("token", &self.token())
            .finish_non_exhaustive()
    }
}
