//! The fire times of one job, forwards and backwards, within the bounds the job sets.

use std::time::Duration;

use crate::kernel::model::Job;
use crate::kernel::schedule::Schedule;
use crate::kernel::time::Timestamp;

/// The least difference between two instants.
pub(super) const TICK: Duration = Duration::from_nanos(1);

/// The fire times of a job from one of them on.
///
/// Only a cron expression fixes its instants; those of `@every` depend on where one starts to
/// count. So every question starts at a fire that is known, the anchor: phases hold, whenever the
/// question is asked.
#[derive(Debug)]
pub(super) struct JobFires<'a> {
    schedule: &'a Schedule,
    /// A fire.
    anchor: Timestamp,
    starts_at: Timestamp,
    expires_at: Timestamp,
}

impl<'a> JobFires<'a> {
    /// Takes the schedule of `job`, counted from `anchor`.
    pub(super) fn new(job: &Job, schedule: &'a Schedule, anchor: Timestamp) -> Self {
        Self {
            schedule,
            anchor,
            starts_at: job.starts_at.unwrap_or(Timestamp::MIN),
            expires_at: job.expires_at.unwrap_or(Timestamp::MAX),
        }
    }

    /// Returns the earliest fire strictly later than `after` that is not before `starts_at`; `None`
    /// if there is none up to and including `expires_at`.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = match self.starts_at > after {
            true => self.starts_at.saturating_sub(TICK),
            false => after,
        };
        self.raw_next_after(after).filter(|next| *next <= self.expires_at)
    }

    /// Returns whether a fire may start as late as `instant` because its schedule says so: within
    /// the grace period of `@after`.
    pub(super) fn is_within_grace(&self, instant: Timestamp) -> bool {
        self.schedule.grace_end().is_some_and(|end| instant <= end)
    }

    /// Returns the latest fire before `end` that is not before the anchor.
    ///
    /// The anchor must be a fire before `end`. `gap` is a guess at how far back that may be: the
    /// better, the cheaper; at worst some sixty questions to the schedule.
    pub(super) fn last_before(&self, end: Timestamp, gap: Duration) -> Timestamp {
        if let Some(period_s) = self.period_s() {
            let whole = end.saturating_sub(TICK).since(self.anchor).as_secs() / period_s;
            return self.anchor.saturating_add(Duration::from_secs(whole * period_s));
        }
        let mut known = self.probe(end, gap);
        // Every fire before `end` lies at or before `high`: halve until none fits between.
        let mut high = end.saturating_sub(TICK);
        while known < high {
            match self.raw_next_after(known) {
                Some(next) if next < end => known = next,
                _ => break,
            }
            let middle = known.saturating_add(high.since(known) / 2);
            match self.raw_next_after(middle) {
                Some(next) if next < end => known = next,
                _ => high = middle,
            }
        }
        known
    }

    /// Finds a fire before `end` by looking from ever further back.
    fn probe(&self, end: Timestamp, gap: Duration) -> Timestamp {
        let mut span = gap.max(TICK).saturating_add(TICK);
        loop {
            let from = end.saturating_sub(span);
            if from <= self.anchor {
                return self.anchor;
            }
            match self.raw_next_after(from) {
                Some(fire) if fire < end => return fire,
                _ => span = span.saturating_mul(2),
            }
        }
    }

    /// Counts the fires from `first`, which is one, up to and including `last`.
    ///
    /// Stops at `count_max`, or when `questions_left` to the schedule is used up: then what is
    /// returned is a lower bound, at least 1.
    pub(super) fn count(
        &self,
        first: Timestamp,
        last: Timestamp,
        count_max: u32,
        questions_left: &mut u32,
    ) -> u32 {
        if let Some(period_s) = self.period_s() {
            let whole = last.since(first).as_secs() / period_s;
            return u32::try_from(whole).unwrap_or(u32::MAX).saturating_add(1);
        }
        let (mut fire, mut fires) = (first, 1);
        while fire < last && fires < count_max && *questions_left > 0 {
            *questions_left -= 1;
            match self.raw_next_after(fire) {
                Some(next) if next <= last => fire = next,
                _ => break,
            }
            fires += 1;
        }
        fires
    }

    /// Returns the next fire without regard to the job's bounds, in the phase of the anchor.
    fn raw_next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let Some(period_s) = self.period_s() else {
            return self.schedule.next_after(after);
        };
        if after < self.anchor {
            return Some(self.anchor);
        }
        let periods = after.since(self.anchor).as_secs() / period_s + 1;
        let span = Duration::from_secs(periods.checked_mul(period_s)?);
        let next = self.anchor.saturating_add(span);
        (next < Timestamp::MAX).then_some(next)
    }

    /// Returns the period of `@every`, at least 1.
    fn period_s(&self) -> Option<u64> {
        self.schedule.period().map(|period| period.as_secs().max(1))
    }
}

#[cfg(test)]
#[path = "job_fires_test.rs"]
mod tests;
