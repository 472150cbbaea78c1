//! Where facts are kept: ordered tables of bytes, on disk or in memory.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::codec::{Scratch, StatusRow};
use super::rows;
use crate::kernel::model::{Job, JobName};

/// The tables of the state. What keys and values hold is the business of the `state` module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Counters and flags of the whole state; their keys start with `state.`.
    ///
    /// The log adapter may keep keys of its own beside them, which snapshots leave alone.
    Meta,
    /// Job name → definition.
    Jobs,
    /// Job name → computed half.
    Status,
    /// Due instant, kind, job → what a fire, a retry or a dependent run needs to know.
    Due,
    /// Job, then the rest of a key of `Due` → nothing: its retries and dependent runs by job.
    Pending,
    /// Job, fire time, cause → how far an open fire has come; only what is not told by "one
    /// attempt runs or is due, none has ended".
    Fires,
    /// Job, due instant, node → execution that has ended.
    Executions,
    /// The same key → stored output.
    Outputs,
    /// The same key → execution that runs; it moves to `Executions` when it ends.
    Running,
    /// Job, first instant → skip.
    Skips,
    /// Day → counts.
    Stats,
    /// Parent, child → nothing.
    Children,
    /// Declaring program's tag, job → nothing.
    Declared,
    /// Request id → outcome, and the order in which they came.
    Requests,
    /// Name of a job that was deleted → nothing: what is left of its history is swept by and by.
    Deleted,
}

impl Table {
    /// Every table, in the order in which snapshots hold them.
    pub const ALL: [Self; 15] = [
        Self::Meta,
        Self::Jobs,
        Self::Status,
        Self::Due,
        Self::Pending,
        Self::Fires,
        Self::Executions,
        Self::Outputs,
        Self::Running,
        Self::Skips,
        Self::Stats,
        Self::Children,
        Self::Declared,
        Self::Requests,
        Self::Deleted,
    ];

    /// Returns the name under which a store keeps the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Jobs => "jobs",
            Self::Status => "status",
            Self::Due => "due",
            Self::Pending => "pending",
            Self::Fires => "fires",
            Self::Executions => "executions",
            Self::Outputs => "outputs",
            Self::Running => "running",
            Self::Skips => "skips",
            Self::Stats => "stats",
            Self::Children => "children",
            Self::Declared => "declared",
            Self::Requests => "requests",
            Self::Deleted => "deleted",
        }
    }
}

/// A table that cannot be read or written, or holds what nobody of this version wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The store failed; the transaction must be given up.
    #[error("{action} table \"{table}\": {reason}")]
    Store {
        /// What was being done: `read`, `write`.
        action: &'static str,
        /// The table's name.
        table: &'static str,
        /// The store's own words.
        reason: String,
    },
    /// A record does not decode: a flipped bit, or a version this program does not know.
    #[error("table \"{table}\" holds a record that does not decode: {reason}")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// The direction of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key up.
    Ascending,
    /// From the greatest key down.
    Descending,
}

/// A range of keys, compared bytewise.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A consistent view of all tables: it does not change while it is borrowed.
pub trait Tables {
    /// Reads the value of `key` and hands it to `read`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError>;

    /// Walks the keys of `range` in `order` until `visit` breaks.
    ///
    /// O(log n + visited).
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError>;

    /// Returns how many keys `table` holds. O(1).
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn len(&self, table: Table) -> Result<u64, TableError>;

    /// Reads the definition of a job out of [`Table::Jobs`]; `None` if there is none.
    ///
    /// Tables may keep it decoded, until its row changes.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the store fails or the definition does not decode.
    fn job(&self, name: &JobName) -> Result<Option<Arc<Job>>, TableError>
    where
        Self: Sized,
    {
        Ok(rows::job(self, name)?.map(Arc::new))
    }

    /// Reads the status of a job out of [`Table::Status`]; `None` if there is none.
    ///
    /// Tables may keep it decoded, until its row changes.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the store fails or the status does not decode.
    fn status(&self, name: &JobName) -> Result<Option<StatusRow>, TableError>
    where
        Self: Sized,
    {
        rows::status(self, name)
    }
}

/// A view that can be changed; a reader of the same view sees the changes at once.
///
/// Atomicity is the owner's: it commits all changes of an entry together, or none.
pub trait TablesMut: Tables {
    /// Sets the value of `key`. Keys are 1 to 511 bytes.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TableError>;

    /// Sets the status of a job, as [`put`](Self::put) of its encoding does.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn put_status(&mut self, name: &JobName, row: &StatusRow) -> Result<(), TableError> {
        self.put(Table::Status, name.as_bytes(), row.encode(&mut Scratch::default()))
    }

    /// Removes `key`; returns whether it was there.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, TableError>;

    /// Removes every key of `table`.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    fn clear(&mut self, table: Table) -> Result<(), TableError>;
}
