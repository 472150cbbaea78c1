//! The wall clock, for what the daemon shows: nothing here decides anything.

use dkron_core::Timestamp;

/// Returns the present instant.
#[expect(clippy::disallowed_methods, reason = "the daemon's one look at the clock")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::UNIX_EPOCH.saturating_add(since_epoch.unwrap_or_default())
}
