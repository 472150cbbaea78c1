//! Results that no leader has acknowledged yet.

use crate::error::Error;
use crate::kernel::state::Report;

/// How far an outbox has been read: 0 is its beginning, greater is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxMark(pub u64);

/// Keeps reports on disk from the moment they cannot be delivered at once until they are.
///
/// One at a time adds and clears. Blocking, and synced before it returns: called from a thread that
/// may wait for a disk.
pub trait Outbox: Send + Sync + 'static {
    /// Adds reports; they survive the process, and the power.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage); then none of them counts as kept, though
    /// some may be read again.
    fn add(&self, reports: &[Report]) -> Result<(), Error>;

    /// Returns the reports from a mark on, oldest first, as many as go well into one proposal, with
    /// the mark behind them; `None` if nothing is left.
    ///
    /// What is damaged is passed over, and costs no report but its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if it cannot be read.
    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error>;

    /// Forgets everything: all that could be read was acknowledged. Marks begin anew; what could
    /// not be read is set aside.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage).
    fn clear(&self) -> Result<(), Error>;
}
