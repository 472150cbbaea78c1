//! The engine's time: what the clock shows, what has passed, and whether nobody watched.

use std::time::Duration;

use crate::kernel::dispatch::Present;
use crate::kernel::time::Timestamp;
use crate::limits::CLOCK_JUMP_MIN;

/// What the engine holds of the wall clock.
///
/// A clock can be put back while the engine runs or while it does not, and that of another leader
/// may be ahead of this one. So there are two instants: the one it shows, by which schedules fire,
/// and the greatest that has passed for whoever led. Why no instant of a schedule is decided again
/// all the same: docs/adr/0013.
#[derive(Debug)]
pub(super) struct EngineClock {
    /// The instant shown.
    now: Timestamp,
    /// The greatest instant that was shown, here or to a leader before, or is that of an entry.
    passed: Timestamp,
    /// It is behind what has passed, and that was told.
    is_behind: bool,
}

/// What the clock did between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It went on, as far as anybody can tell.
    Steady,
    /// It shows an instant long after the one at which the engine wanted to look again.
    Skipped(Duration),
    /// It was put back, and is so far behind what has passed.
    WentBack(Duration),
}

impl EngineClock {
    pub(super) const fn new() -> Self {
        Self { now: Timestamp::MIN, passed: Timestamp::MIN, is_behind: false }
    }

    /// Takes the instant that the clock shows; `wanted` is when the engine asked to be woken.
    pub(super) fn advance(&mut self, shown: Timestamp, wanted: Option<Timestamp>) -> Course {
        let back = self.now.since(shown);
        self.now = shown;
        let behind = self.passed.since(shown);
        if behind.is_zero() {
            self.passed = shown;
            self.is_behind = false;
        } else if behind >= CLOCK_JUMP_MIN && (!self.is_behind || back >= CLOCK_JUMP_MIN) {
            self.is_behind = true;
            return Course::WentBack(behind);
        }
        match wanted.map(|wanted| shown.since(wanted)) {
            Some(late) if late >= CLOCK_JUMP_MIN => Course::Skipped(late),
            _ => Course::Steady,
        }
    }

    /// Takes the time of an entry that is applied: it may have been made while nobody looked here.
    pub(super) fn entered(&mut self, at: Timestamp) {
        self.passed = self.passed.max(at);
    }

    /// Takes the time of the last entry of the log when a term begins; returns how far the clock is
    /// behind, if that is worth telling.
    pub(super) fn start_after(&mut self, last_entry_at: Timestamp) -> Option<Duration> {
        self.passed = self.passed.max(last_entry_at);
        let behind = self.passed.since(self.now);
        self.is_behind = behind >= CLOCK_JUMP_MIN;
        self.is_behind.then_some(behind)
    }

    /// Returns the instant the clock shows.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the greatest instant that has passed, here or for a leader before: `now`, unless the
    /// clock was put back.
    pub(super) const fn passed(&self) -> Timestamp {
        self.passed
    }

    /// Returns the time for decisions.
    pub(super) const fn present(&self) -> Present {
        Present { now: self.now, passed: self.passed }
    }

    /// Returns when to be woken for what is due at `instant`: now, if that has come.
    pub(super) fn wake_for(&self, instant: Timestamp) -> Timestamp {
        instant.max(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::from_unix_s(unix_s).unwrap()
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_step_later_than_asked_for_is_a_gap() {
        let mut clock = EngineClock::new();
        assert_eq!(clock.advance(at(100), None), Course::Steady);
        assert_eq!(clock.advance(at(90_000), None), Course::Steady);
        assert_eq!(clock.advance(at(90_104), Some(at(90_100))), Course::Steady);
        assert_eq!(clock.advance(at(90_215), Some(at(90_200))), Course::Skipped(s(15)));
    }

    #[test]
    fn a_clock_that_went_back_goes_on_from_there_and_knows_what_has_passed() {
        let mut clock = EngineClock::new();
        clock.advance(at(10_000), None);

        assert_eq!(clock.advance(at(2_800), None), Course::WentBack(s(7_200)));
        assert_eq!(clock.advance(at(2_801), Some(at(2_801))), Course::Steady);
        assert_eq!((clock.now(), clock.passed()), (at(2_801), at(10_000)));
        assert_eq!(clock.wake_for(at(2_800)), at(2_801));
        assert_eq!(clock.wake_for(at(9_999)), at(9_999));
        assert_eq!(clock.advance(at(3_000), Some(at(2_900))), Course::Skipped(s(100)));
        assert_eq!(clock.advance(at(1_000), None), Course::WentBack(s(9_000)));

        assert_eq!(clock.advance(at(10_001), None), Course::Steady);
        assert_eq!((clock.now(), clock.passed()), (at(10_001), at(10_001)));
    }

    #[test]
    fn a_term_begins_after_the_last_entry_of_the_log() {
        let mut clock = EngineClock::new();
        clock.advance(at(1_000), None);
        assert_eq!(clock.start_after(Timestamp::MIN), None);
        assert_eq!(clock.start_after(at(1_004)), None);
        assert_eq!(clock.start_after(at(1_060)), Some(s(60)));
        assert_eq!((clock.now(), clock.passed()), (at(1_000), at(1_060)));
        assert_eq!(clock.advance(at(1_001), None), Course::Steady, "told already");
    }

    #[test]
    fn the_time_of_an_entry_has_passed_though_it_was_never_seen_here() {
        let mut clock = EngineClock::new();
        clock.advance(at(1_000), None);
        clock.entered(at(900));
        assert_eq!(clock.advance(at(1_001), None), Course::Steady);
        assert_eq!((clock.now(), clock.passed()), (at(1_001), at(1_001)));

        clock.entered(at(5_000));
        assert_eq!(clock.advance(at(1_002), None), Course::WentBack(s(3_998)));
        assert_eq!((clock.now(), clock.passed()), (at(1_002), at(5_000)));
        clock.entered(at(5_000));
        assert_eq!(clock.advance(at(1_003), None), Course::Steady, "told already");
    }

    #[test]
    fn small_corrections_are_no_news() {
        let mut clock = EngineClock::new();
        clock.advance(at(10_000), None);
        assert_eq!(clock.advance(at(9_998), None), Course::Steady);
        assert_eq!((clock.now(), clock.passed()), (at(9_998), at(10_000)));
    }
}
