//! A run that somebody asked for.

use super::facts;
use super::random::SplitMix64;
use super::targets::Candidates;
use crate::kernel::model::{JobName, NodeView};
use crate::kernel::state::{Fire, TableError, Tables, Verdict, query};
use crate::kernel::time::Timestamp;
use crate::limits::RUNS_MAX;

/// Who asks for a run, where and when.
#[derive(Clone, Copy, Debug)]
pub struct ManualRun<'a> {
    /// The job.
    pub job: &'a JobName,
    /// The present instant: that of the fire, which `apply` makes unique within the job.
    pub now: Timestamp,
    /// The nodes that are alive.
    pub nodes: &'a [NodeView],
    /// The leader's region: jobs run there only.
    pub region: &'a str,
    /// Randomness for the choice of targets.
    pub seed: u64,
    /// Whether it starts beside a running execution of a job that forbids overlap (as in Dkron); if
    /// not, `apply` refuses it then and names that execution.
    pub is_forced: bool,
}

/// Why a run that somebody asked for cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManualRunError {
    /// There is no such job.
    #[error("job \"{job}\" not found")]
    JobNotFound {
        /// Its name.
        job: JobName,
    },
    /// The job is disabled and not a child: Dkron does not run those.
    #[error("job \"{job}\" is disabled")]
    Disabled {
        /// Its name.
        job: JobName,
    },
    /// No living node is capable.
    #[error("no target nodes found to run job {job}: {wanted}")]
    NoCapableNode {
        /// Its name.
        job: JobName,
        /// What was asked for, in words.
        wanted: String,
    },
    /// As many executions run as may.
    #[error("cannot run job \"{job}\" now: {runs_max} executions run already, no more may")]
    Overloaded {
        /// Its name.
        job: JobName,
        /// The limit, [`limits::RUNS_MAX`](crate::limits::RUNS_MAX).
        runs_max: usize,
    },
    /// The state cannot be read.
    #[error("read the job to run")]
    Table(#[source] TableError),
}

/// Decides a run that somebody asked for.
///
/// The job's bounds do not concern it, nor its schedule; and a child may be disabled. The decision
/// is for the job as the view shows it: `apply` refuses it as
/// [`Moved`](crate::kernel::state::Rejection::Moved) if the job is written in between.
///
/// # Errors
///
/// [`ManualRunError`]; nothing is recorded then.
pub fn plan_manual(view: &impl Tables, run: &ManualRun<'_>) -> Result<Fire, ManualRunError> {
    let job = run.job.clone();
    let facts = match facts::of_job(view, run.job).map_err(ManualRunError::Table)? {
        Some(facts) => facts,
        None => return Err(ManualRunError::JobNotFound { job }),
    };
    if facts.job.disabled && facts.job.parent_job.is_none() {
        return Err(ManualRunError::Disabled { job });
    }
    if query::running_count(view).map_err(ManualRunError::Table)? >= RUNS_MAX as u64 {
        return Err(ManualRunError::Overloaded { job, runs_max: RUNS_MAX });
    }
    let mut random = SplitMix64::for_fire(run.seed, &job, run.now);
    let chosen = Candidates::new(run.nodes, run.region).choose(&facts.job, &mut random);
    match chosen {
        Err(wanted) => Err(ManualRunError::NoCapableNode { job, wanted }),
        Ok(targets) => Ok(Fire {
            job,
            revision: facts.revision,
            due: None,
            at: run.now,
            next: None,
            is_forced: run.is_forced,
            verdict: Verdict::Start { targets: targets.into() },
        }),
    }
}
