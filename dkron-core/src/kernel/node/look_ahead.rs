//! How long before its instant a fire is decided: as long as a commit takes.

use std::time::Duration;

use crate::limits::{LOOK_AHEAD_MAX, LOOK_AHEAD_MIN};

/// A round of fewer decisions than this tells what a commit takes by itself; a larger one what each
/// decision adds.
const SMALL_ROUND_MAX: usize = 64;

/// What rounds of proposals have taken lately.
#[derive(Debug)]
pub(super) struct LookAhead {
    /// A round by itself.
    round: Duration,
    /// Each of its decisions.
    decision: Duration,
}

impl LookAhead {
    /// Starts from figures of an ordinary disk.
    pub(super) const fn new() -> Self {
        Self { round: Duration::from_millis(5), decision: Duration::from_micros(30) }
    }

    /// Learns from a round that has been applied.
    pub(super) fn observe(&mut self, latency: Duration, decisions: usize) {
        let latency = latency.min(LOOK_AHEAD_MAX);
        if decisions <= SMALL_ROUND_MAX {
            self.round = follow(self.round, latency);
        } else {
            let decisions = u32::try_from(decisions).unwrap_or(u32::MAX);
            self.decision = follow(self.decision, latency.saturating_sub(self.round) / decisions);
        }
    }

    /// Returns how long ahead to decide so many fires of one instant.
    ///
    /// Twice what a round takes and a quarter more for the decisions: a round that is open already
    /// has to end first.
    pub(super) fn span(&self, decisions: usize) -> Duration {
        let decisions = u32::try_from(decisions).unwrap_or(u32::MAX);
        let span = (self.round * 2).saturating_add(self.decision.saturating_mul(decisions) * 5 / 4);
        span.clamp(LOOK_AHEAD_MIN, LOOK_AHEAD_MAX)
    }
}

/// Goes half the way up at once, and down slowly.
fn follow(old: Duration, new: Duration) -> Duration {
    if new > old { (old + new) / 2 } else { old - (old - new) / 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_follows_the_latency_of_commits_within_its_bounds() {
        let mut look_ahead = LookAhead::new();
        assert!(look_ahead.span(1) >= LOOK_AHEAD_MIN);
        for _ in 0..100 {
            look_ahead.observe(MS / 10, 1);
        }
        assert_eq!(look_ahead.span(1), LOOK_AHEAD_MIN);
        for _ in 0..20 {
            look_ahead.observe(50 * MS, 1);
        }
        assert!((99 * MS..110 * MS).contains(&look_ahead.span(1)), "{look_ahead:?}");
        for _ in 0..20 {
            look_ahead.observe(Duration::from_secs(3_600), 1);
        }
        assert_eq!(look_ahead.span(1), LOOK_AHEAD_MAX);
    }

    #[test]
    fn many_fires_of_one_instant_are_decided_earlier() {
        let mut look_ahead = LookAhead::new();
        for _ in 0..50 {
            look_ahead.observe(2 * MS, 1);
            look_ahead.observe(82 * MS, 8_000);
        }
        assert_eq!(look_ahead.span(10), LOOK_AHEAD_MIN, "{look_ahead:?}");
        assert!((200 * MS..400 * MS).contains(&look_ahead.span(20_000)), "{look_ahead:?}");
    }
}
