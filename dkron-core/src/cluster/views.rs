//! What reads answer.

use std::collections::BTreeMap;

use crate::kernel::model::{Execution, ExecutionId, JobName, NodeName};
use crate::kernel::time::Timestamp;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its identity.
    pub name: NodeName,
    /// Its tags, the reserved ones included.
    pub tags: BTreeMap<String, String>,
    /// Whether it leads.
    pub is_leader: bool,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether this node leads.
    pub is_leader: bool,
    /// Who leads, as far as this node knows.
    pub leader: Option<NodeName>,
    /// Whether it went on, when it started, in a cluster that it belonged to already. Otherwise it
    /// formed one.
    pub has_rejoined: bool,
    /// Why writes are refused at present: the disk is full, say. `None` = they are accepted.
    pub storage_fault: Option<String>,
    /// Executions running on this node.
    pub running: usize,
    /// Executions claimed for this node that wait for a place: as many commands or requests go on
    /// as may. See [`Config::shell_runs`](crate::Config::shell_runs).
    pub waiting: usize,
    /// The last entry of the log that has taken effect here; `None` before the first.
    pub applied_index: Option<u64>,
    /// Why the node has stopped itself; `None` while it lives. Nothing but a restart helps then.
    pub fatal: Option<String>,
}

impl Health {
    /// The health of a node that is no more.
    pub(super) fn of_stopped(reason: &str) -> Self {
        Self {
            is_leader: false,
            leader: None,
            has_rejoined: false,
            storage_fault: None,
            running: 0,
            waiting: 0,
            applied_index: None,
            fatal: Some(reason.to_owned()),
        }
    }

    /// Returns whether a write would be accepted now: by this node or, through it, by the leader.
    pub fn is_ready(&self) -> bool {
        self.leader.is_some() && self.storage_fault.is_none() && self.fatal.is_none()
    }
}

/// The output of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionOutput {
    /// What is kept: the last bytes, after the error text if the execution failed with one.
    pub bytes: Vec<u8>,
    /// What the execution wrote in all.
    pub bytes_total: u64,
}

/// An execution that is running on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningExecution {
    /// It.
    pub execution: Execution,
    /// What it has written so far: the last bytes, as many as were asked for.
    pub output: ExecutionOutput,
    /// How far it says it has come, within 0 to 1, and a word about it.
    pub progress: Option<(f64, String)>,
}

/// What [`Cluster::apply`](crate::Cluster::apply) changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// New jobs.
    pub created: u32,
    /// Changed jobs.
    pub updated: u32,
    /// Jobs that were like that already.
    pub unchanged: u32,
    /// Deleted jobs.
    pub pruned: u32,
}

/// A fire that was asked for and claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReceipt {
    /// The job.
    pub job: JobName,
    /// The instant of the fire: with the job, its identity.
    pub fire_time: Timestamp,
    /// The first attempt on each node.
    pub executions: Vec<ExecutionId>,
}
