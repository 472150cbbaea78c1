//! The nodes that are alive, as the engine was last told.

use std::collections::BTreeSet;

use crate::kernel::model::{Execution, NodeName, NodeView};

/// The living nodes; unknown until somebody tells.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    views: Option<Vec<NodeView>>,
    instances: BTreeSet<(NodeName, u64)>,
}

impl Nodes {
    /// Takes the new list; returns the processes that were on the old one only.
    pub(super) fn replace(&mut self, views: &[NodeView]) -> BTreeSet<(NodeName, u64)> {
        let instances = views.iter().map(|view| (view.name.clone(), view.instance)).collect();
        let old = std::mem::replace(&mut self.instances, instances);
        self.views = Some(views.to_vec());
        old.into_iter().filter(|process| !self.instances.contains(process)).collect()
    }

    /// Returns the list; `None` if nobody has told yet.
    pub(super) fn views(&self) -> Option<&[NodeView]> {
        self.views.as_deref()
    }

    /// Returns whether the process that an execution was claimed for is alive.
    pub(super) fn has_process_of(&self, execution: &Execution) -> bool {
        self.instances.contains(&(execution.id.node.clone(), execution.instance))
    }
}
