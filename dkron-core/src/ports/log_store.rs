//! The log on disk, as the consensus adapter sees it: records of opaque bytes, in order.

use std::sync::Arc;

use crate::error::Error;

/// Where a record stands: the term of the leader that made it, and its number.
///
/// Ordered by term, then by index, as Raft orders logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The term.
    pub term: u64,
    /// The index; the first record of a log has 0.
    pub index: u64,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Where it stands.
    pub position: LogPosition,
    /// What kind of record it is; the consensus adapter knows.
    pub kind: u8,
    /// What it holds; the consensus adapter knows.
    pub body: Arc<Vec<u8>>,
}

/// What a log holds: the records after `purged`, up to and including `last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// The newest record that was removed because a snapshot covers it.
    pub purged: Option<LogPosition>,
    /// The newest record; `purged` if there is none after it.
    pub last: Option<LogPosition>,
}

/// One change of the log.
#[derive(Debug)]
pub enum LogWrite {
    /// Adds records; the first follows the last one of the log.
    Append(Vec<LogRecord>),
    /// Removes the records after this index; all of them if `None`.
    TruncateAfter(Option<u64>),
    /// Removes the records up to and including this one. The space comes back bit by bit.
    Purge(LogPosition),
    /// Sets what this node has voted for.
    Vote(Vec<u8>),
    /// Notes how far the log is known to be committed. Written with the next write, not by itself:
    /// an older note is true, too.
    Committed(LogPosition),
}

/// Called once a write is durable, or can never be; perhaps before the write is handed over whole.
pub type WriteDone = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A durable log with a vote.
///
/// Writes are carried out in the order in which they are handed over, and answered in that order.
/// A write becomes readable some time between the two; readers that want it earlier keep it
/// themselves. A full disk is not an error: the write waits until there is space, or the log is
/// closed. After an error every later write fails, too.
pub trait LogStore: Send + Sync + 'static {
    /// Hands over a write and returns at once; `done` is called from any thread, perhaps before
    /// this returns. For [`LogWrite::Committed`] it always is.
    fn write(&self, write: LogWrite, done: WriteDone);

    /// Returns what the log holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the log cannot be read or is damaged.
    fn bounds(&self) -> Result<LogBounds, Error>;

    /// Reads the records from index `first` up to but not including `end`, in order; those that do
    /// not exist are left out. Stops after the record that reaches `bytes_max`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if a record cannot be read, its checksum
    /// does not match, or one is missing in between.
    fn read(&self, first: u64, end: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Error>;

    /// Returns the index of the oldest of the newest records up to and including `last` that are
    /// no more than `count_max`, and whose bodies take no more than `bytes_max` bytes together;
    /// `last + 1` if not even one is within that. Reads sizes only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the log cannot be read,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) in a forked child.
    fn oldest_within(&self, last: u64, count_max: u64, bytes_max: u64) -> Result<u64, Error>;

    /// Returns the vote that was written last.
    ///
    /// # Errors
    ///
    /// As for [`LogStore::bounds`].
    fn vote(&self) -> Result<Option<Vec<u8>>, Error>;

    /// Returns how far the log is known to be committed.
    ///
    /// # Errors
    ///
    /// As for [`LogStore::bounds`].
    fn committed(&self) -> Result<Option<LogPosition>, Error>;

    /// Returns about how much the records take on the disk, in bytes. O(1).
    ///
    /// # Errors
    ///
    /// As for [`LogStore::bounds`].
    fn bytes(&self) -> Result<u64, Error>;

    /// Tells whether new records would fit. Asked before each entry; costs microseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DiskFull`](crate::ErrorKind::DiskFull) while the disk is full or nearly so,
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) after the log has failed,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) in a forked child of the process that
    /// opened the log.
    fn check_writable(&self) -> Result<(), Error>;

    /// As [`LogStore::check_writable`], but looks at the disk only if it was full the last time.
    /// Asked before each proposal; costs a fraction of a microsecond.
    ///
    /// # Errors
    ///
    /// As for [`LogStore::check_writable`].
    fn check_accepting(&self) -> Result<(), Error>;
}
