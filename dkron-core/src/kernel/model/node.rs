//! A node as a decision sees it.

use std::collections::{BTreeMap, BTreeSet};

use super::NodeName;

/// A node that is alive, with what it told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its identity.
    pub name: NodeName,
    /// The process behind the name; another one after each restart.
    pub instance: u64,
    /// Tags for the selection of targets, the reserved ones (`region`, `server`, …) included.
    pub tags: BTreeMap<String, String>,
    /// Names of the handlers registered in it.
    pub handlers: BTreeSet<String>,
}
