//! The state as those who apply the log to it see it: one writer, and snapshots.

use std::io::{Read, Write};

use super::{LogPosition, Store};
use crate::error::Error;
use crate::kernel::state::{TableError, TablesMut};

/// A change of the state that is made as a whole.
pub trait Change {
    /// What it answers.
    type Output;

    /// Makes the change.
    ///
    /// May be called again from the beginning if what it wrote could not be kept, for want of space
    /// on the disk: it must not use up what it was given.
    ///
    /// # Errors
    ///
    /// [`TableError`]; then nothing of the change is kept.
    fn make(&mut self, tables: &mut impl TablesMut) -> Result<Self::Output, TableError>;
}

/// A [`Store`] that can be changed. Only one thread at a time changes it.
pub trait Replica: Store {
    /// Makes a change and commits it; those who read see all of it or nothing.
    ///
    /// Blocks, also while the disk is full. What it committed survives the end of the process; the
    /// last commit may be lost with the power, never a part of one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if a table cannot be read or written,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if the store is closed while the disk is
    /// full. Nothing of the change is kept then.
    fn update<C: Change>(&self, change: &mut C) -> Result<C::Output, Error>;
}

/// A snapshot that is complete.
pub struct StoredSnapshot {
    /// The last record it covers.
    pub position: LogPosition,
    /// What else belongs to it; the consensus adapter knows.
    pub meta: Vec<u8>,
    /// What an error calls it: its file, if it has one.
    pub name: String,
    /// How much it takes on the disk, in bytes.
    pub bytes: u64,
    /// Its contents, from the beginning.
    pub contents: Box<dyn Read + Send>,
}

/// Keeps the newest snapshot.
pub trait SnapshotStore: Send + Sync + 'static {
    /// Writes a snapshot of everything up to `position`: `fill` gives its contents. Once this
    /// returns it is durable and the one that [`SnapshotStore::current`] answers; older ones are
    /// gone. Blocks.
    ///
    /// # Errors
    ///
    /// That of `fill`, or [`ErrorKind::Storage`](crate::ErrorKind::Storage); then the older
    /// snapshot is still the current one.
    fn write(
        &self,
        position: LogPosition,
        meta: &[u8],
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// Returns whether the contents are better made when somebody asks for a snapshot than when
    /// the log is cut.
    ///
    /// So it is in memory: whoever restarts has nothing to restore, and a snapshot that nobody
    /// reads would double what is held, and keep the writer from the state while it is copied.
    fn is_made_on_demand(&self) -> bool {
        false
    }

    /// Opens the newest complete snapshot. It can be read to its end even if a newer one comes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if it cannot be read or its head is
    /// damaged. The contents carry checksums of their own.
    fn current(&self) -> Result<Option<StoredSnapshot>, Error>;
}
