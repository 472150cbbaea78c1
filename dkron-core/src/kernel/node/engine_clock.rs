//! The engine's time: it never goes back, and it notices when nobody watched.

use std::time::Duration;

use crate::kernel::time::Timestamp;
use crate::limits::CLOCK_JUMP_MIN;

/// What the engine holds of the wall clock.
///
/// Time used for decisions is the greatest instant seen. After the clock was put back, say by two
/// hours, it stands still for two hours: every instant in them was decided when the clock showed it
/// first, so schedules go on when it shows them again and passes them. What does not wait for an
/// instant (runs by hand, dependents, ends, retries that are due) goes on meanwhile.
#[derive(Debug)]
pub(super) struct EngineClock {
    /// The greatest instant seen.
    latest: Timestamp,
    /// The instant shown last.
    shown: Timestamp,
    is_behind: bool,
}

/// What the clock did between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It went on, as far as anybody can tell.
    Steady,
    /// It shows an instant long after the one at which the engine wanted to look again.
    Skipped(Duration),
    /// It was put back.
    WentBack(Duration),
}

impl EngineClock {
    pub(super) const fn new() -> Self {
        Self { latest: Timestamp::MIN, shown: Timestamp::MIN, is_behind: false }
    }

    /// Takes the instant that the clock shows; `wanted` is when the engine asked to be woken.
    pub(super) fn advance(&mut self, shown: Timestamp, wanted: Option<Timestamp>) -> Course {
        self.shown = shown;
        let behind = self.latest.since(shown);
        if behind > Duration::ZERO {
            let is_news = !self.is_behind && behind >= CLOCK_JUMP_MIN;
            self.is_behind |= is_news;
            return if is_news { Course::WentBack(behind) } else { Course::Steady };
        }
        self.is_behind = false;
        self.latest = shown;
        match wanted.map(|wanted| shown.since(wanted)) {
            Some(late) if late >= CLOCK_JUMP_MIN => Course::Skipped(late),
            _ => Course::Steady,
        }
    }

    /// Returns the time for decisions.
    pub(super) const fn now(&self) -> Timestamp {
        self.latest
    }

    /// Returns the instant the clock shows: what to measure a pause by.
    pub(super) const fn shown(&self) -> Timestamp {
        self.shown
    }

    /// Returns when to be woken for what is due at `instant`: now, if that has come.
    pub(super) fn wake_for(&self, instant: Timestamp) -> Timestamp {
        if instant <= self.latest { self.shown } else { instant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::from_unix_s(unix_s).unwrap()
    }

    #[test]
    fn a_step_later_than_asked_for_is_a_gap() {
        let mut clock = EngineClock::new();
        assert_eq!(clock.advance(at(100), None), Course::Steady);
        assert_eq!(clock.advance(at(90_000), None), Course::Steady);
        assert_eq!(clock.advance(at(90_104), Some(at(90_100))), Course::Steady);
        assert_eq!(
            clock.advance(at(90_215), Some(at(90_200))),
            Course::Skipped(Duration::from_secs(15))
        );
    }

    #[test]
    fn a_clock_that_went_back_stands_still_until_it_is_passed() {
        let mut clock = EngineClock::new();
        clock.advance(at(10_000), None);

        let back = Course::WentBack(Duration::from_secs(7_200));
        assert_eq!(clock.advance(at(2_800), None), back);
        assert_eq!(clock.advance(at(2_801), Some(at(2_801))), Course::Steady);
        assert_eq!(clock.now(), at(10_000));
        assert_eq!(clock.shown(), at(2_801));
        assert_eq!(clock.wake_for(at(9_999)), at(2_801));
        assert_eq!(clock.wake_for(at(10_001)), at(10_001));

        assert_eq!(clock.advance(at(10_001), Some(at(10_001))), Course::Steady);
        assert_eq!(clock.now(), at(10_001));
    }

    #[test]
    fn small_corrections_are_no_news() {
        let mut clock = EngineClock::new();
        clock.advance(at(10_000), None);
        assert_eq!(clock.advance(at(9_998), None), Course::Steady);
        assert_eq!(clock.now(), at(10_000));
    }
}
