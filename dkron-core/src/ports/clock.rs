//! What time it is.

use crate::kernel::time::Timestamp;

/// The wall clock of this node.
///
/// May jump in either direction; the engine copes. Never blocks.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present instant.
    fn now(&self) -> Timestamp;
}
