//! Entries, votes and memberships as bytes: what the log, the state and snapshots keep of openraft.
//!
//! openraft's own types may change with each of its versions; these records do not. A body begins
//! with a version byte.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openraft::EntryPayload;
use openraft::entry::{RaftEntry as _, RaftPayload as _};
use serde::{Deserialize, Serialize};

use super::raft_types::{
    Membership, Payload, Peer, PeerId, RaftEntry, RaftPayload, Vote, to_log_id, to_position,
};
use crate::kernel::time::Timestamp;
use crate::ports::{LogPosition, LogRecord};

/// Version of every record written today, but for commands: their bytes carry their own.
const VERSION: u8 = 1;

/// A record that a new leader begins with.
const KIND_BLANK: u8 = 0;
/// A record of commands.
const KIND_COMMANDS: u8 = 1;
/// A record of who is in the cluster.
const KIND_MEMBERSHIP: u8 = 2;

/// Bytes that nobody of this version wrote; says what of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not decode")]
pub struct MalformedRecord {
    what: &'static str,
}

/// What the state keeps beside the tables of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedMark {
    /// The last record that is applied.
    pub position: LogPosition,
    /// The greatest time of all entries that are applied.
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct VoteRecord<'a> {
    term: u64,
    voted_for: &'a str,
    is_committed: bool,
}

#[derive(Serialize, Deserialize)]
struct MembershipRecord {
    /// Where it stands in the log: term and index.
    position: Option<(u64, u64)>,
    /// The voters; two sets while they change.
    voters: Vec<Vec<String>>,
    /// Everyone, learners included, with the cluster's id.
    nodes: Vec<(String, u128)>,
}

#[derive(Serialize, Deserialize)]
struct AppliedRecord {
    term: u64,
    index: u64,
    /// Key form of the time.
    at: [u8; 12],
}

/// Makes the record of an entry.
pub fn encode_record(entry: &RaftEntry) -> LogRecord {
    let position = to_position(&entry.log_id());
    let (kind, body) = match &entry.payload {
        EntryPayload::Blank => (KIND_BLANK, Arc::default()),
        EntryPayload::Normal(payload) => (KIND_COMMANDS, Arc::clone(payload.bytes())),
        EntryPayload::Membership(membership) => {
            let stored = Membership::new(None, membership.clone());
            (KIND_MEMBERSHIP, Arc::new(encode_membership(&stored)))
        }
    };
    LogRecord { position, kind, body }
}

/// Reads the entry of a record.
pub fn decode_record(record: LogRecord) -> Result<RaftEntry, MalformedRecord> {
    let payload = match record.kind {
        KIND_BLANK => RaftPayload::blank(),
        KIND_COMMANDS => RaftPayload::normal(Payload::from_bytes(record.body)),
        KIND_MEMBERSHIP => {
            RaftPayload::membership(decode_membership(&record.body)?.membership().clone())
        }
        _ => return Err(MalformedRecord { what: "a log record of an unknown kind" }),
    };
    Ok(RaftEntry::new(to_log_id(record.position), payload))
}

/// Writes a vote.
pub fn encode_vote(vote: &Vote) -> Vec<u8> {
    let leader = &vote.leader_id;
    encode(&VoteRecord {
        term: leader.term,
        voted_for: leader.voted_for.as_str(),
        is_committed: vote.committed,
    })
}

/// Reads a vote.
pub fn decode_vote(bytes: &[u8]) -> Result<Vote, MalformedRecord> {
    let record: VoteRecord<'_> = decode(bytes, "the vote")?;
    let node = PeerId::from_text(record.voted_for);
    Ok(if record.is_committed {
        Vote::new_committed(record.term, node)
    } else {
        Vote::new(record.term, node)
    })
}

/// Writes a membership and where it stands.
pub fn encode_membership(stored: &Membership) -> Vec<u8> {
    let position = stored.log_id().as_ref().map(to_position);
    let membership = stored.membership();
    let names = |ids: &BTreeSet<PeerId>| ids.iter().map(|id| id.as_str().to_owned()).collect();
    encode(&MembershipRecord {
        position: position.map(|at| (at.term, at.index)),
        voters: membership.get_joint_config().iter().map(names).collect(),
        nodes: membership
            .nodes()
            .map(|(id, peer)| (id.as_str().to_owned(), peer.cluster_id))
            .collect(),
    })
}

/// Reads a membership and where it stands.
pub fn decode_membership(bytes: &[u8]) -> Result<Membership, MalformedRecord> {
    const WHAT: &str = "the membership";
    let record: MembershipRecord = decode(bytes, WHAT)?;
    let ids = |names: &Vec<String>| names.iter().map(|name| PeerId::from_text(name)).collect();
    let voters: Vec<BTreeSet<PeerId>> = record.voters.iter().map(ids).collect();
    let nodes: BTreeMap<PeerId, Peer> = record
        .nodes
        .iter()
        .map(|(name, cluster_id)| (PeerId::from_text(name), Peer { cluster_id: *cluster_id }))
        .collect();
    // An empty one is what a node has before it is in a cluster; openraft makes no other way.
    let membership = if voters.is_empty() && nodes.is_empty() {
        openraft::Membership::default()
    } else {
        openraft::Membership::new(voters, nodes).map_err(|_| MalformedRecord { what: WHAT })?
    };
    let log_id = record.position.map(|(term, index)| to_log_id(LogPosition { term, index }));
    Ok(Membership::new(log_id, membership))
}

/// Writes how far the state is applied.
pub fn encode_applied(mark: &AppliedMark) -> Vec<u8> {
    let AppliedMark { position: LogPosition { term, index }, at } = mark;
    encode(&AppliedRecord { term: *term, index: *index, at: at.to_key() })
}

/// Reads how far the state is applied.
pub fn decode_applied(bytes: &[u8]) -> Result<AppliedMark, MalformedRecord> {
    const WHAT: &str = "the mark of how far the state is applied";
    let AppliedRecord { term, index, at } = decode(bytes, WHAT)?;
    let at = Timestamp::from_key(at).ok_or(MalformedRecord { what: WHAT })?;
    Ok(AppliedMark { position: LogPosition { term, index }, at })
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(record, vec![VERSION])
        .expect("invariant: records hold nothing that postcard cannot write")
}

fn decode<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<T, MalformedRecord> {
    let malformed = MalformedRecord { what };
    match bytes.split_first() {
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((record, [])) => Ok(record),
            _ => Err(malformed),
        },
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::state::{Command, Entry, Envelope};

    fn peers(names: &[&str]) -> BTreeMap<PeerId, Peer> {
        names.iter().map(|name| (PeerId::from_text(name), Peer { cluster_id: 7 })).collect()
    }

    fn membership() -> openraft::Membership<PeerId, Peer> {
        let voters = vec![
            BTreeSet::from([PeerId::from_text("a"), PeerId::from_text("b")]),
            BTreeSet::from([PeerId::from_text("b")]),
        ];
        openraft::Membership::new(voters, peers(&["a", "b", "learner"])).unwrap()
    }

    #[track_caller]
    fn check_entry(payload: RaftPayload) {
        let entry = RaftEntry::new(to_log_id(LogPosition { term: 3, index: 9 }), payload);
        let read = decode_record(encode_record(&entry)).unwrap();
        assert_eq!(read.log_id(), entry.log_id());
        assert_eq!(format!("{read:?}"), format!("{entry:?}"));
    }

    #[test]
    fn every_kind_of_entry_comes_back_as_it_was() {
        check_entry(RaftPayload::blank());
        check_entry(RaftPayload::membership(membership()));
        let commands =
            vec![Envelope { request: None, command: Command::SetPaused { paused: true } }];
        let entry = Entry { at: Timestamp::UNIX_EPOCH, commands };
        let payload = Payload::new(entry.clone(), crate::kernel::state::encode_entry(&entry));
        check_entry(RaftPayload::normal(payload.clone()));
        let read = Payload::from_bytes(Arc::clone(payload.bytes()));
        assert_eq!(*read.entry().unwrap(), entry);
    }

    #[test]
    fn votes_memberships_and_marks_come_back_as_they_were() {
        for vote in [
            Vote::new(7, PeerId::from_text("a")),
            Vote::new_committed(u64::MAX, PeerId::from_text("node with a space")),
        ] {
            assert_eq!(decode_vote(&encode_vote(&vote)).unwrap(), vote);
        }
        let at = to_log_id(LogPosition { term: 2, index: 5 });
        for stored in [Membership::default(), Membership::new(Some(at), membership())] {
            assert_eq!(decode_membership(&encode_membership(&stored)).unwrap(), stored);
        }
        let position = LogPosition { term: 2, index: 5 };
        let mark = AppliedMark { position, at: Timestamp::from_unix_ns(77) };
        assert_eq!(decode_applied(&encode_applied(&mark)).unwrap(), mark);
    }

    #[test]
    fn what_nobody_wrote_is_an_error() {
        let good = encode_vote(&Vote::new(7, PeerId::from_text("a")));
        for bytes in [&[][..], &[2], &good[..good.len() - 1], &[&good[..], &[0]].concat()] {
            assert!(decode_vote(bytes).is_err(), "{bytes:?}");
            assert!(decode_membership(bytes).is_err(), "{bytes:?}");
            assert!(decode_applied(bytes).is_err(), "{bytes:?}");
        }
        let position = LogPosition { term: 1, index: 1 };
        let record = LogRecord { position, kind: 9, body: Arc::default() };
        assert!(decode_record(record).is_err());
    }
}
