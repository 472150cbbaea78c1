//! The state, as those who read see it.

use crate::error::Error;
use crate::kernel::state::Tables;

/// Gives consistent views of the state.
pub trait Store: Send + Sync + 'static {
    /// A view; short-lived, for it may pin old pages of the store or hold off the writer.
    type View<'a>: Tables
    where
        Self: 'a;

    /// Opens a view of what is applied by now. Costs well under a microsecond.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the store fails.
    fn read(&self) -> Result<Self::View<'_>, Error>;
}
