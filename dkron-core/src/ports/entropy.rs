//! Randomness.

use crate::kernel::state::RequestId;

/// The random source of this node; good enough for ids that nobody may guess. Never blocks.
pub trait Entropy: Send + Sync + 'static {
    /// Returns a random number.
    fn random_u64(&self) -> u64;

    /// Returns an id that no other request has.
    fn request_id(&self) -> RequestId {
        RequestId(u128::from(self.random_u64()) << 64 | u128::from(self.random_u64()))
    }
}
