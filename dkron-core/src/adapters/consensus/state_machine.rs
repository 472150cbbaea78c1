//! openraft's state machine: hands entries to the thread that applies, and asks for snapshots.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};

use super::apply_thread::ApplyThread;
use super::log_budget::{LogGrowth, blocking};
use super::log_storage::to_io;
use super::machine::{AppliedState, Machine, snapshot_membership};
use super::raft_types::{
    LogId, Membership, RaftEntry, Snapshot, SnapshotMeta, TypeConfig, to_log_id, to_position,
};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::TableError;
use crate::ports::{LogPosition, SnapshotStore, StoredSnapshot};

/// What an entry without commands counts as in the size of the log.
const ENTRY_BYTES_MIN: u64 = 64;
/// The first wait after a snapshot could not be written; doubled up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The state machine, as openraft drives it.
pub struct StateMachine {
    apply: ApplyThread,
    machine: Arc<dyn Machine>,
    snapshots: Arc<dyn SnapshotStore>,
    growth: Arc<LogGrowth>,
}

impl StateMachine {
    /// Puts it together.
    pub fn new(
        apply: ApplyThread,
        machine: Arc<dyn Machine>,
        snapshots: Arc<dyn SnapshotStore>,
        growth: Arc<LogGrowth>,
    ) -> Self {
        Self { apply, machine, snapshots, growth }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = StoredSnapshot;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let AppliedState { mark, membership } = self.machine.applied().map_err(to_io)?;
        Ok((mark.map(|mark| to_log_id(mark.position)), membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Vec::new();
        let mut responders = Vec::new();
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            batch.push(entry);
            responders.push(responder);
        }
        let bytes = batch.iter().map(entry_bytes).sum();
        let answers = self.apply.apply(batch).await.map_err(to_io)?;
        for (responder, answer) in responders.into_iter().zip(answers) {
            if let Some(responder) = responder {
                responder.send(answer);
            }
        }
        self.growth.add(bytes);
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            machine: Arc::clone(&self.machine),
            snapshots: Arc::clone(&self.snapshots),
            growth: Arc::clone(&self.growth),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: StoredSnapshot,
    ) -> Result<(), io::Error> {
        let covered = meta.last_log_id.as_ref().map(to_position);
        if covered != Some(snapshot.position) {
            return Err(io::Error::other("the snapshot covers something else than it says"));
        }
        let stored = self.snapshots.current().map_err(to_io)?.map(|stored| stored.position);
        if stored != covered {
            let snapshots = Arc::clone(&self.snapshots);
            let store = move || store_snapshot(&*snapshots, snapshot);
            blocking(store).await.map_err(to_io)?;
        }
        self.apply.restore(Arc::clone(&self.snapshots)).await.map_err(to_io)?;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let (machine, snapshots) = (Arc::clone(&self.machine), Arc::clone(&self.snapshots));
        let stop = self.growth.stop().clone();
        let current = move || {
            if snapshots.is_made_on_demand() && !machine.write_snapshot(&*snapshots, &stop)? {
                return Ok(None);
            }
            current_snapshot(&*snapshots)
        };
        blocking(current).await.map_err(to_io)
    }
}

/// Keeps a snapshot that came from elsewhere.
fn store_snapshot(snapshots: &dyn SnapshotStore, snapshot: StoredSnapshot) -> Result<(), Error> {
    let StoredSnapshot { position, meta, mut contents, .. } = snapshot;
    snapshots.write(position, &meta, &mut |to| match io::copy(&mut contents, to) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::new(ErrorKind::Storage, "keep the snapshot received").with_source(error))
        }
    })
}

/// Writes snapshots of what is applied when it is asked.
pub struct SnapshotBuilder {
    machine: Arc<dyn Machine>,
    snapshots: Arc<dyn SnapshotStore>,
    growth: Arc<LogGrowth>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = StoredSnapshot;

    /// Tries until it succeeds: an error would end the node, and a disk that is full now is no
    /// reason for that. The log grows meanwhile.
    ///
    /// A state that cannot be read is one: the log would grow for ever, while the next start can
    /// make the state anew from the last snapshot and that log.
    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let counted = self.growth.counted();
        let snapshot = self.build().await?;
        let covered = snapshot.meta.last_log_id.as_ref().map(to_position);
        self.growth.written(covered, snapshot.snapshot.bytes, counted);
        Ok(snapshot)
    }
}

impl SnapshotBuilder {
    async fn build(&self) -> Result<Snapshot, io::Error> {
        if self.snapshots.is_made_on_demand() {
            return Ok(head_of_snapshot(self.machine.applied().map_err(to_io)?));
        }
        let mut wait = RETRY_MIN;
        loop {
            let (machine, snapshots) = (Arc::clone(&self.machine), Arc::clone(&self.snapshots));
            let stop = self.growth.stop().clone();
            let written = blocking(move || machine.write_snapshot(&*snapshots, &stop)).await;
            let error = match written {
                Ok(true) => break,
                Ok(false) => return Ok(head_of_snapshot(AppliedState::default())),
                Err(error) if is_unreadable(&error) => return Err(to_io(stopped_by(error))),
                Err(error) if error.kind() == ErrorKind::Storage => error,
                Err(error) => return Err(to_io(error)),
            };
            tracing::error!(error = error.report(), "cannot write a snapshot: the log grows");
            if self.growth.stop().run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(to_io(error));
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
        let snapshot = current_snapshot(&*self.snapshots).map_err(to_io)?;
        snapshot.ok_or_else(|| io::Error::other("the snapshot has vanished"))
    }
}

/// Returns whether it is the state that failed, not what was to be written of it.
fn is_unreadable(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.downcast_ref::<TableError>().is_some())
}

/// Says what becomes of a node whose state cannot be read.
fn stopped_by(error: Error) -> Error {
    let message = "write a snapshot of a state that cannot be read: start the node anew, which \
         makes a damaged state from the last snapshot and the log, or says what is wanting";
    Error::new(ErrorKind::Storage, message).with_source(error)
}

/// A snapshot whose contents nobody has asked for yet: it says how far the log may be cut.
///
/// openraft reads the contents only of what [`StateMachine::get_current_snapshot`] answers.
fn head_of_snapshot(AppliedState { mark, membership }: AppliedState) -> Snapshot {
    let position = mark.map(|mark| mark.position);
    let last_log_id = position.map(to_log_id);
    let position = position.unwrap_or(LogPosition { term: 0, index: 0 });
    let contents = Box::new(io::empty());
    let (meta, name) = (Vec::new(), "without contents".to_owned());
    let snapshot = StoredSnapshot { position, meta, name, bytes: 0, contents };
    Snapshot { meta: SnapshotMeta { last_log_id, last_membership: membership }, snapshot }
}

fn current_snapshot(snapshots: &dyn SnapshotStore) -> Result<Option<Snapshot>, Error> {
    let Some(snapshot) = snapshots.current()? else { return Ok(None) };
    let last_membership = snapshot_membership(&snapshot)?;
    let meta = SnapshotMeta { last_log_id: Some(to_log_id(snapshot.position)), last_membership };
    Ok(Some(Snapshot { meta, snapshot }))
}

fn entry_bytes(entry: &RaftEntry) -> u64 {
    let body = match &entry.payload {
        EntryPayload::Normal(payload) => payload.bytes().len() as u64,
        _ => 0,
    };
    body + ENTRY_BYTES_MIN
}

#[cfg(test)]
#[path = "state_machine_test.rs"]
mod tests;
