//! Where a further attempt runs.

use std::collections::{BTreeMap, BTreeSet};

use super::facts;
use super::random::SplitMix64;
use super::targets::Candidates;
use crate::kernel::model::{Job, JobName, NodeName};
use crate::kernel::state::{FireId, TableError, Tables, Target};
use crate::kernel::time::Timestamp;

/// The further attempts that a plan moves to other nodes.
#[derive(Debug, Default)]
pub(super) struct Retries {
    moved: BTreeMap<(JobName, Timestamp), BTreeSet<NodeName>>,
}

impl Retries {
    /// Chooses the node for a further attempt of `fire`: the one where the last attempt failed, if
    /// it is alive and still can; else another that can and has no part in the fire yet.
    ///
    /// A job that runs on every node has no other node to go to: each has a share of its own.
    ///
    /// # Errors
    ///
    /// The outer error if the view cannot be read; the inner one says what was asked for, in words.
    pub(super) fn choose(
        &mut self,
        view: &impl Tables,
        candidates: &mut Candidates<'_>,
        job: &Job,
        fire: FireId,
        last_node: &NodeName,
        random: &mut SplitMix64,
    ) -> Result<Result<Target, String>, TableError> {
        if let Some(target) = candidates.choose_node(job, last_node) {
            return Ok(Ok(target));
        }
        let mut busy = facts::nodes_of_fire(view, &job.name, fire)?;
        let moved = self.moved.entry((job.name.clone(), fire.fire_time)).or_default();
        busy.extend(moved.iter().cloned());
        let chosen = candidates.choose_instead(job, last_node, &busy, random);
        if let Ok(target) = &chosen {
            moved.insert(target.node.clone());
        }
        Ok(chosen)
    }
}
