//! Claims that wait for their instant.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::model::JobName;
use crate::kernel::state::Claim;
use crate::kernel::time::Timestamp;

/// Claims that are committed and not handed to their nodes yet: those of the next instants.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By fencing token. Boxed: the map moves its values when it grows and shrinks.
    claims: BTreeMap<u64, Box<Waiting>>,
    by_time: BTreeSet<(Timestamp, u64)>,
}

#[derive(Debug)]
struct Waiting {
    claim: Claim,
    /// Committed in this term: no other leader can have handed it out.
    is_ours: bool,
}

impl Claims {
    /// Adds a claim.
    pub(super) fn add(&mut self, claim: Claim, is_ours: bool) {
        let token = claim.execution.token;
        self.by_time.insert((claim.start_at, token));
        self.claims.insert(token, Box::new(Waiting { claim, is_ours }));
    }

    /// Takes a claim out; tells whether it was committed in this term.
    pub(super) fn remove(&mut self, token: u64) -> Option<(Claim, bool)> {
        let Waiting { claim, is_ours } = *self.claims.remove(&token)?;
        self.by_time.remove(&(claim.start_at, token));
        Some((claim, is_ours))
    }

    /// Takes out the first claim that starts at `until` or before; tells whether it was committed
    /// in this term.
    pub(super) fn pop_due(&mut self, until: Timestamp) -> Option<(Claim, bool)> {
        let (_, token) =
            self.by_time.first().copied().filter(|(start_at, _)| *start_at <= until)?;
        self.remove(token)
    }

    /// Returns the first instant.
    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(start_at, _)| *start_at)
    }

    /// Returns the tokens of this term's claims of these jobs.
    pub(super) fn ours_of(&self, jobs: &BTreeSet<JobName>) -> Vec<u64> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let ours = self.claims.values().filter(|waiting| waiting.is_ours);
        let executions = ours.map(|waiting| &waiting.claim.execution);
        executions.filter(|execution| jobs.contains(&execution.job)).map(|e| e.token).collect()
    }

    /// Returns a claim.
    pub(super) fn get(&self, token: u64) -> Option<&Claim> {
        self.claims.get(&token).map(|waiting| &waiting.claim)
    }
}
