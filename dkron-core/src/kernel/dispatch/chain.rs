//! Decisions on consecutive fires of one schedule, each consuming the row the one before it leaves.

use super::facts::Facts;
use crate::kernel::model::SkipReason;
use crate::kernel::state::{DueKind, DueRow, Fire, Target, Verdict};
use crate::kernel::time::Timestamp;

/// The decisions on one schedule in one plan.
///
/// A decision says when the schedule fires next, and the next decision is on that row: `apply`
/// takes them in their order. If it refuses one, it refuses those that build on it.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    facts: &'a Facts,
    /// The row that the next decision consumes; `None` once the schedule is over.
    at: Option<Timestamp>,
    fires: Vec<Fire>,
}

impl<'a> Chain<'a> {
    /// Starts at the row that is there.
    pub(super) const fn new(facts: &'a Facts, at: Timestamp) -> Self {
        Self { facts, at: Some(at), fires: Vec::new() }
    }

    /// Returns the instant of the next row; `None` if there is none.
    pub(super) const fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Returns how many decisions there are.
    pub(super) const fn len(&self) -> usize {
        self.fires.len()
    }

    /// Starts the fire on `targets`; the row after it is at `next`.
    pub(super) fn start(&mut self, targets: Vec<Target>, next: Option<Timestamp>) {
        self.push(Verdict::Start { targets: targets.into() }, next);
    }

    /// Skips `count` fires up to `last`; the row after them is at `next`.
    ///
    /// Fires that follow each other and are skipped for one reason become one decision.
    pub(super) fn skip(
        &mut self,
        last: Timestamp,
        count: u32,
        reason: SkipReason,
        next: Option<Timestamp>,
    ) {
        if let Some(Fire { verdict, next: fire_next, .. }) = self.fires.last_mut()
            && let Verdict::Skip { last: fire_last, fires, reason: fire_reason } = verdict
            && *fire_reason == reason
        {
            *fire_last = last;
            *fires = fires.saturating_add(count);
            *fire_next = next;
            self.at = next;
            return;
        }
        self.push(Verdict::Skip { last, fires: count, reason }, next);
    }

    /// Returns the decisions in their order.
    pub(super) fn into_fires(self) -> Vec<Fire> {
        self.fires
    }

    fn push(&mut self, verdict: Verdict, next: Option<Timestamp>) {
        let Some(at) = self.at else { return };
        let job = self.facts.job.name.clone();
        self.fires.push(Fire {
            revision: self.facts.revision,
            due: Some(DueRow { at, job: job.clone(), kind: DueKind::Schedule }),
            job,
            at,
            next,
            is_forced: false,
            verdict,
        });
        self.at = next;
    }
}
