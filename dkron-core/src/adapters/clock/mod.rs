//! The system's clock: the one place that reads it for the decisions of a node.
//!
//! May use: `ports`, `kernel::time`.

use std::time::SystemTime;

use crate::kernel::time::Timestamp;
use crate::ports::Clock;

/// The wall clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[cfg_attr(
        not(test),
        expect(clippy::disallowed_methods, reason = "this adapter is where time comes from")
    )]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Timestamp::UNIX_EPOCH.saturating_add(after),
            Err(before) => Timestamp::UNIX_EPOCH.saturating_sub(before.duration()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_past_the_year_2024() {
        assert!(SystemClock.now() > Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
    }
}
