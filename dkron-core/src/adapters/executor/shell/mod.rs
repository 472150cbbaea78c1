//! Runs a command of this machine, as Dkron's `shell` executor does.
//!
//! Configuration: `command`, `shell`, `env`, `cwd`, `su`, `payload`, `timeout`, `mem_limit`; other
//! keys are ignored. An empty value counts as absent. Standard output and error are one stream, in
//! the order of arrival. Success is exit status 0.
//!
//! # Where to begin reading
//!
//! `run` is the life of one command; `config` reads the keys, `launch` starts the process.
//!
//! # What differs from Dkron
//!
//! * Without a shell, an unquoted `;`, `&`, `|`, `<` or `>` fails the run: Dkron drops the text
//!   from there on and runs the rest.
//! * The command gets the environment of this process without the variables that begin with
//!   `DKRON_`, which configure dkron and hold its secrets; then `ENV_JOB_NAME`, `DKRON_JOB`,
//!   `DKRON_EXECUTION_ID`, `DKRON_FIRE_TIME`, `DKRON_ATTEMPT`, `DKRON_TOKEN`, and `DKRON_RUN` by
//!   which dkron knows the processes of a run; then `env`.
//! * A `payload` may be of any size, and need not be read.
//! * Every command leads a process group of its own. `timeout`, `mem_limit` and a cancellation end
//!   the whole tree of processes, also those with a session of their own.
//! * A `timeout` of zero or less is none.
//!
//! Kept: a background process that holds the output keeps the run open until it ends. One that
//! does not (its output goes elsewhere) is left alone when the command has ended by itself.

mod config;
#[cfg(test)]
mod end_test;
mod environment;
mod exit;
mod identity;
mod launch;
mod open_files;
mod program;
mod run;
#[cfg(test)]
mod run_test;
mod words;

use std::sync::Arc;

#[cfg(feature = "testing")]
pub(super) use self::config::ShellConfig;
use super::process::ProcessScanner;
use crate::ports::{ExecutorPort, RunContext, RunFuture};

/// The executor named `shell`.
#[derive(Default)]
pub(crate) struct ShellExecutor {
    scanner: Arc<ProcessScanner>,
    open_files: Option<u64>,
}

impl ShellExecutor {
    /// Makes the executor of a node.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets commands open so many files (their soft limit), or as many as their hard limit allows;
    /// without a number as many as this process.
    #[must_use]
    pub(crate) fn with_open_files(self, open_files: Option<u64>) -> Self {
        Self { open_files, ..self }
    }
}

impl ExecutorPort for ShellExecutor {
    fn run(&self, context: RunContext) -> RunFuture {
        Box::pin(run::run(context, Arc::clone(&self.scanner), self.open_files))
    }
}
