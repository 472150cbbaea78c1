//! Whether an execution of another fire of the job is in the way.

use std::collections::BTreeMap;

use super::facts;
use crate::kernel::model::{ConcurrencyPolicy, ExecutionId, Job, JobName, NodeName};
use crate::kernel::state::{FireId, TableError, Tables};
use crate::kernel::time::Timestamp;

/// Which jobs that forbid overlap have an execution: running or claimed in the state, or claimed by
/// the plan that is being made.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    claimed: BTreeMap<JobName, (FireId, ExecutionId)>,
}

impl Overlap {
    /// Returns the execution that keeps `fire` from starting; `None` if nothing does.
    ///
    /// Executions of the same fire are not in the way: a retry runs beside the other nodes of its
    /// fire.
    pub(super) fn in_the_way(
        &self,
        view: &impl Tables,
        job: &Job,
        fire: FireId,
    ) -> Result<Option<ExecutionId>, TableError> {
        if job.concurrency != ConcurrencyPolicy::Forbid {
            return Ok(None);
        }
        match self.claimed.get(&job.name) {
            Some((claimed, execution)) if *claimed != fire => Ok(Some(execution.clone())),
            _ => facts::other_running(view, &job.name, fire),
        }
    }

    /// Notes that the plan claims `fire` for `node`, due at `at`.
    pub(super) fn claim(&mut self, job: &Job, fire: FireId, at: Timestamp, node: &NodeName) {
        if job.concurrency == ConcurrencyPolicy::Forbid {
            let due_ns = ExecutionId::due_ns_of(at);
            let execution = ExecutionId { due_ns, node: node.clone() };
            self.claimed.insert(job.name.clone(), (fire, execution));
        }
    }
}
