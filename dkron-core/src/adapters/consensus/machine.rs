//! The state machine: committed entries in, outcomes and events out; snapshots of it and from it.
//!
//! Behind [`Machine`] the kind of the store is forgotten, so that the rest of this directory need
//! not know it.
//!
//! # Invariants
//!
//! * The mark of how far the state is applied is in the same transaction as what was applied.
//! * No entry is applied twice: one that is not after the mark is a fault of ours and stops the
//!   node.

use std::io::{Read, Write};
use std::sync::Arc;

use openraft::EntryPayload;
use openraft::entry::RaftEntry as _;
use tokio_util::sync::CancellationToken;

use super::raft_types::{Membership, RaftEntry, to_log_id, to_position};
use super::record::{
    AppliedMark, MalformedRecord, decode_applied, decode_membership, encode_applied,
    encode_membership,
};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{
    Event, Outcome, SnapshotReader, SnapshotWriter, Table, TableError, Tables, TablesMut, apply,
};
use crate::kernel::time::Timestamp;
use crate::ports::{Change, LogPosition, Replica, SnapshotStore, StoredSnapshot};

/// Where the state keeps how far it is applied.
const APPLIED: &[u8] = b"log.applied";
/// Where the state keeps who is in the cluster.
const MEMBERSHIP: &[u8] = b"log.membership";
/// How much of a snapshot is read at once.
const READ_BYTES: usize = 64 << 10;

/// How far a state is applied.
#[derive(Clone, Debug, Default)]
pub struct AppliedState {
    /// The last entry, and the greatest time of all entries; `None` if there was none.
    pub mark: Option<AppliedMark>,
    /// Who is in the cluster.
    pub membership: Membership,
}

/// What became of one entry.
#[derive(Debug)]
pub struct AppliedEntry {
    /// Where it stands.
    pub position: LogPosition,
    /// Its commands' proposer's time; `None` if it held none.
    pub at: Option<Timestamp>,
    /// The answers to its commands.
    pub outcomes: Vec<Outcome>,
    /// What they made known.
    pub events: Vec<Event>,
}

/// The state, as the log's adapter uses it. Everything here blocks.
pub trait Machine: Send + Sync + 'static {
    /// Returns how far the state is applied, as it is on the disk.
    fn applied(&self) -> Result<AppliedState, Error>;

    /// Applies entries in one transaction.
    fn apply(&self, entries: &[RaftEntry]) -> Result<Vec<AppliedEntry>, Error>;

    /// Writes a snapshot of a consistent view; false if nothing is applied, so that there is none.
    /// Gives up between two chunks when `stop` fires.
    fn write_snapshot(
        &self,
        snapshots: &dyn SnapshotStore,
        stop: &CancellationToken,
    ) -> Result<bool, Error>;

    /// Replaces the state by the newest snapshot.
    fn restore(&self, snapshots: &dyn SnapshotStore) -> Result<AppliedState, Error>;
}

/// The state machine over one kind of store.
pub struct MachineOver<S> {
    /// The store.
    pub state: Arc<S>,
}

impl<S: Replica> Machine for MachineOver<S> {
    fn applied(&self) -> Result<AppliedState, Error> {
        read_applied(&self.state.read()?).map_err(failed("read how far the state is applied"))
    }

    fn apply(&self, entries: &[RaftEntry]) -> Result<Vec<AppliedEntry>, Error> {
        self.state.update(&mut ApplyEntries { entries })
    }

    fn write_snapshot(
        &self,
        snapshots: &dyn SnapshotStore,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        let view = self.state.read()?;
        let applied = read_applied(&view).map_err(failed("read how far the state is applied"))?;
        let Some(mark) = &applied.mark else { return Ok(false) };
        let meta = encode_meta(&applied.membership, mark.at);
        let mut fill = |to: &mut dyn Write| {
            let mut writer = SnapshotWriter::new();
            while let Some(chunk) =
                writer.next_chunk(&view).map_err(failed("read the state for a snapshot"))?
            {
                to.write_all(&chunk).map_err(failed("write a snapshot"))?;
                if stop.is_cancelled() {
                    return Err(Error::new(ErrorKind::Stopped, "write a snapshot: the node stops"));
                }
            }
            Ok(())
        };
        snapshots.write(mark.position, &meta, &mut fill)?;
        Ok(true)
    }

    fn restore(&self, snapshots: &dyn SnapshotStore) -> Result<AppliedState, Error> {
        let mut restore = Restore { snapshots, failure: None };
        let restored = self.state.update(&mut restore);
        match restore.failure {
            Some(error) => Err(error),
            None => restored,
        }
    }
}

fn failed<E>(what: &'static str) -> impl Fn(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| Error::new(ErrorKind::Storage, what).with_source(error)
}

fn read_applied(tables: &impl Tables) -> Result<AppliedState, TableError> {
    let corrupt = |error: MalformedRecord| TableError::Corrupt {
        table: Table::Meta.as_str(),
        reason: error.to_string(),
    };
    let mark = tables.get_with(Table::Meta, APPLIED, decode_applied)?;
    let membership = tables.get_with(Table::Meta, MEMBERSHIP, decode_membership)?;
    Ok(AppliedState {
        mark: mark.transpose().map_err(corrupt)?,
        membership: membership.transpose().map_err(corrupt)?.unwrap_or_default(),
    })
}

/// Applies entries; may be made again from the beginning.
struct ApplyEntries<'a> {
    entries: &'a [RaftEntry],
}

impl Change for ApplyEntries<'_> {
    type Output = Vec<AppliedEntry>;

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<Vec<AppliedEntry>, TableError> {
        let mut mark = read_applied(tables)?.mark;
        let mut applied = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let position = to_position(&entry.log_id());
            if let Some(mark) = mark.as_ref().filter(|mark| mark.position >= position) {
                return Err(TableError::Corrupt {
                    table: Table::Meta.as_str(),
                    reason: format!("{:?} comes after {:?} is applied", position, mark.position),
                });
            }
            let done = apply_entry(tables, entry)?;
            let at = mark.map_or(Timestamp::MIN, |mark| mark.at);
            mark = Some(AppliedMark { position, at: done.at.map_or(at, |time| time.max(at)) });
            applied.push(done);
        }
        if let Some(mark) = mark {
            tables.put(Table::Meta, APPLIED, &encode_applied(&mark))?;
        }
        Ok(applied)
    }
}

fn apply_entry(tables: &mut impl TablesMut, entry: &RaftEntry) -> Result<AppliedEntry, TableError> {
    let position = to_position(&entry.log_id());
    let mut done = AppliedEntry { position, at: None, outcomes: Vec::new(), events: Vec::new() };
    match &entry.payload {
        EntryPayload::Blank => {}
        EntryPayload::Membership(membership) => {
            let stored = Membership::new(Some(to_log_id(position)), membership.clone());
            tables.put(Table::Meta, MEMBERSHIP, &encode_membership(&stored))?;
        }
        EntryPayload::Normal(payload) => {
            let entry = payload.entry().map_err(|reason| TableError::Corrupt {
                table: "log",
                reason: format!("entry {}: {reason}", position.index),
            })?;
            done.events.reserve(entry.commands.len());
            done.outcomes = apply(tables, &entry, &mut done.events)?;
            done.at = Some(entry.at);
        }
    }
    Ok(done)
}

/// Replaces the state by the newest snapshot; opens it anew each time it is made.
struct Restore<'a> {
    snapshots: &'a dyn SnapshotStore,
    /// An error that is not one of the tables.
    failure: Option<Error>,
}

impl Change for Restore<'_> {
    type Output = AppliedState;

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<AppliedState, TableError> {
        self.failure = None;
        self.try_make(tables).map_err(|error| {
            let reason = error.report();
            self.failure = Some(error);
            TableError::Store { action: "write", table: "all", reason }
        })
    }
}

impl Restore<'_> {
    fn try_make(&self, tables: &mut impl TablesMut) -> Result<AppliedState, Error> {
        let Some(stored) = self.snapshots.current()? else {
            return Err(Error::new(ErrorKind::Storage, "restore a snapshot: there is none"));
        };
        let way_out = "the state is not whole without it: restore a backup";
        let message = format!("restore snapshot {}; {way_out}", stored.name);
        self.restore(stored, tables)
            .map_err(|error| Error::new(ErrorKind::Storage, message).with_source(error))
    }

    fn restore(
        &self,
        stored: StoredSnapshot,
        tables: &mut impl TablesMut,
    ) -> Result<AppliedState, Error> {
        let StoredSnapshot { position, meta, mut contents, .. } = stored;
        let (membership, at) = decode_meta(&meta).map_err(failed("read its head"))?;
        let mut reader = SnapshotReader::new(&mut *tables);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = contents.read(&mut buffer).map_err(failed("read it"))?;
            let bytes = buffer.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            reader.push(bytes).map_err(failed("read it"))?;
        }
        reader.finish().map_err(failed("read it"))?;
        let mark = AppliedMark { position, at };
        let put =
            |tables: &mut _, key, value: &[u8]| TablesMut::put(tables, Table::Meta, key, value);
        put(tables, APPLIED, &encode_applied(&mark))
            .and_then(|()| put(tables, MEMBERSHIP, &encode_membership(&membership)))
            .map_err(failed("note how far it reaches"))?;
        Ok(AppliedState { mark: Some(mark), membership })
    }
}

/// What a snapshot carries beside its position: the time of its last entry, and the membership.
pub fn encode_meta(membership: &Membership, at: Timestamp) -> Vec<u8> {
    let mut meta = at.to_key().to_vec();
    meta.extend_from_slice(&encode_membership(membership));
    meta
}

/// Reads what a snapshot carries beside its position.
pub fn decode_meta(meta: &[u8]) -> Result<(Membership, Timestamp), String> {
    let damaged = || "its meta data does not decode".to_owned();
    let (at, membership) = meta.split_first_chunk().ok_or_else(damaged)?;
    let at = Timestamp::from_key(*at).ok_or_else(damaged)?;
    Ok((decode_membership(membership).map_err(|error| error.to_string())?, at))
}

/// Reads who was in the cluster when a snapshot was taken.
pub fn snapshot_membership(snapshot: &StoredSnapshot) -> Result<Membership, Error> {
    match decode_meta(&snapshot.meta) {
        Ok((membership, _)) => Ok(membership),
        Err(reason) => Err(failed("read the head of the snapshot")(reason)),
    }
}
