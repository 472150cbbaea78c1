//! Results that no leader has acknowledged yet.

use crate::error::Error;
use crate::kernel::state::Report;

/// Keeps reports on disk from the moment they cannot be delivered at once until they are.
///
/// Blocking, and synced before it returns: called from a thread that may wait for a disk.
pub trait Outbox: Send + Sync + 'static {
    /// Adds reports; they survive the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage); then none of them is kept.
    fn add(&self, reports: &[Report]) -> Result<(), Error>;

    /// Returns what is kept, oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if it cannot be read. A record cut off by
    /// a crash is no error: it was never promised.
    fn load(&self) -> Result<Vec<Report>, Error>;

    /// Forgets everything: all of it was acknowledged.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage).
    fn clear(&self) -> Result<(), Error>;
}
