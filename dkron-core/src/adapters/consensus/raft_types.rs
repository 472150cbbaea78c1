//! The types that openraft is made of here; nothing outside this directory names it.
//!
//! A node is identified by its name. An entry carries its commands both as bytes, for the log, and
//! decoded, for the state, so that the node that made it does neither twice.

use std::fmt;
use std::sync::Arc;

use openraft::raft::responder::Responder;
use openraft::type_config::alias::{
    CommittedLeaderIdOf, EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf,
};
use openraft::{EntryPayload, OptionalSend, RaftTypeConfig};

use super::state_machine::StateMachine;
use crate::kernel::model::NodeName;
use crate::kernel::state::{Entry, Outcome, decode_entry};
use crate::ports::{LogPosition, StoredSnapshot};

/// How openraft is parameterised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeConfig;

impl RaftTypeConfig for TypeConfig {
    type D = Payload;
    type R = Vec<Outcome>;
    type NodeId = PeerId;
    type Node = Peer;
    type Term = u64;
    type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, PeerId>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Payload, PeerId, Peer>;
    type Entry = openraft::Entry<CommittedLeaderIdOf<Self>, Self::Payload>;
    type AsyncRuntime = openraft::TokioRuntime;
    type Responder<T>
        = CallBack<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

/// The handle of a running node.
pub type Raft = openraft::Raft<TypeConfig, StateMachine>;
/// Term and index.
pub type LogId = LogIdOf<TypeConfig>;
/// An entry of the log.
pub type RaftEntry = EntryOf<TypeConfig>;
/// What an entry holds.
pub type RaftPayload = EntryPayload<Payload, PeerId, Peer>;
/// What a node voted for.
pub type Vote = VoteOf<TypeConfig>;
/// Who is in the cluster, and since which entry.
pub type Membership = StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
/// A snapshot with its contents.
pub type Snapshot = SnapshotOf<TypeConfig, StoredSnapshot>;

/// Makes openraft's form of a position.
pub fn to_log_id(position: LogPosition) -> LogId {
    LogId::new(CommittedLeaderIdOf::<TypeConfig>::new(position.term), position.index)
}

/// Makes our form of a position.
pub fn to_position(log_id: &LogId) -> LogPosition {
    LogPosition { term: **log_id.committed_leader_id(), index: log_id.index() }
}

/// The identity of a node: its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// The identity of the node of this name.
    pub fn of(node: &NodeName) -> Self {
        Self(node.as_str().into())
    }

    /// Reads back what [`PeerId::as_str`] gave.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// openraft's conformance suite counts its nodes.
#[cfg(test)]
impl From<u64> for PeerId {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

/// What the cluster's membership says of a node, beside its name.
///
/// Not its address, which may change at any time. The cluster's id is here, the same for all,
/// because then a node knows it from the first entry on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The cluster the node belongs to.
    pub cluster_id: u128,
}

/// What a small command takes, to guess how many there are without decoding.
const COMMAND_BYTES_TYPICAL: usize = 64;

/// The commands of one entry.
#[derive(Clone)]
pub struct Payload {
    bytes: Arc<Vec<u8>>,
    entry: Option<Arc<Entry>>,
}

impl Payload {
    /// Of an entry and its encoding.
    pub fn new(entry: Entry, bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(bytes), entry: Some(Arc::new(entry)) }
    }

    /// Of an encoding that was read from the log, or came from another node.
    pub fn from_bytes(bytes: Arc<Vec<u8>>) -> Self {
        Self { bytes, entry: None }
    }

    /// Returns the encoding.
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Returns about how many commands there are.
    pub fn commands(&self) -> usize {
        match &self.entry {
            Some(entry) => entry.commands.len(),
            None => self.bytes.len() / COMMAND_BYTES_TYPICAL,
        }
    }

    /// Returns the entry, decoded now if it was not before; `Err` says why it does not decode.
    pub fn entry(&self) -> Result<Arc<Entry>, String> {
        match &self.entry {
            Some(entry) => Ok(Arc::clone(entry)),
            None => decode_entry(&self.bytes).map(Arc::new).map_err(|error| error.to_string()),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of commands", self.bytes.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Called with the answer to an entry, in the thread that has it. Dropped if none will come.
pub struct CallBack<T>(Box<dyn FnOnce(T) + Send>);

impl<T> CallBack<T> {
    /// Calls `answer`, which is quick and does not block.
    pub fn new(answer: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(answer))
    }
}

impl<T: OptionalSend + 'static> Responder<TypeConfig, T> for CallBack<T> {
    fn on_complete(self, answer: T) {
        (self.0)(answer);
    }
}
