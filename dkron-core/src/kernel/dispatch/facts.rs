//! What a decision reads from the state.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kernel::model::{Execution, ExecutionId, ExecutionState, Job, JobName, NodeName};
use crate::kernel::state::query::{self, Part};
use crate::kernel::state::{FireId, Order, TableError, Tables};
use crate::kernel::time::Timestamp;

/// How many of a job's newest executions are looked at for those of one fire.
const EXECUTIONS_LOOKED_AT_MAX: usize = 1_000;

/// What a decision needs to know of a job.
#[derive(Debug)]
pub(super) struct Facts {
    /// Its definition.
    pub(super) job: Arc<Job>,
    /// The revision of that.
    pub(super) revision: u64,
    /// The newest instant of its schedule that is decided.
    pub(super) last_fire: Option<Timestamp>,
}

/// Reads what a decision needs to know of a job; `None` if there is none.
pub(super) fn of_job(view: &impl Tables, name: &JobName) -> Result<Option<Facts>, TableError> {
    let (Some(job), Some(status)) = (view.job(name)?, query::status(view, name)?) else {
        return Ok(None);
    };
    Ok(Some(Facts { job, revision: status.revision, last_fire: status.last_fire }))
}

/// Returns a running execution of the job that belongs to another fire.
pub(super) fn other_running(
    view: &impl Tables,
    job: &JobName,
    fire: FireId,
) -> Result<Option<ExecutionId>, TableError> {
    let first = query::running(view, Some(job), 1)?;
    let is_other = |execution: &Execution| FireId::of_execution(execution) != fire;
    let running = match first.first() {
        Some(execution) if !is_other(execution) => query::running(view, Some(job), usize::MAX)?,
        _ => first,
    };
    Ok(running.into_iter().find(is_other).map(|other| other.id))
}

/// Returns the nodes on which the fire runs or has succeeded.
pub(super) fn nodes_of_fire(
    view: &impl Tables,
    job: &JobName,
    fire: FireId,
) -> Result<BTreeSet<NodeName>, TableError> {
    let part = Part { order: Order::Descending, skip: 0, limit: EXECUTIONS_LOOKED_AT_MAX };
    let newest = query::executions_page(view, job, part)?.items.into_iter();
    let counts = |execution: &Execution| {
        let state = execution.state;
        FireId::of_execution(execution) == fire
            && matches!(state, ExecutionState::Running | ExecutionState::Succeeded)
    };
    Ok(newest.filter(counts).map(|execution| execution.id.node).collect())
}
