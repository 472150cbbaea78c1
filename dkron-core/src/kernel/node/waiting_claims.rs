//! Claims that wait for their instant on the leader.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use crate::kernel::model::JobName;
use crate::kernel::state::Claim;
use crate::kernel::time::Timestamp;

/// Tokens that room is kept for while no claim waits, and that may be held without a claim while
/// some wait.
const TOKENS_KEPT_MAX: usize = 1_024;

/// Claims that are committed and not handed to their nodes yet: those of the next instants.
#[derive(Debug, Default)]
pub(super) struct WaitingClaims {
    /// In the order of their fencing tokens, which is that of the news of them.
    by_token: VecDeque<Numbered>,
    /// How many of the tokens have their claim.
    waiting: usize,
    /// Also holds claims that were taken out, but never as the first.
    by_time: BinaryHeap<Reverse<(Timestamp, u64)>>,
}

/// A token with its claim.
#[derive(Debug)]
struct Numbered {
    token: u64,
    /// `None` once it was taken out.
    waiting: Option<WaitingClaim>,
}

#[derive(Debug)]
struct WaitingClaim {
    claim: Claim,
    /// Committed in this term: no other leader can have handed it out.
    is_ours: bool,
}

impl WaitingClaims {
    /// Adds a claim, in place of one with its token.
    pub(super) fn add(&mut self, claim: Claim, is_ours: bool) {
        let token = claim.execution.token;
        self.by_time.push(Reverse((claim.start_at, token)));
        let new = Numbered { token, waiting: Some(WaitingClaim { claim, is_ours }) };
        self.waiting += 1;
        if self.by_token.back().is_none_or(|last| last.token < token) {
            self.by_token.push_back(new);
            return;
        }
        match self.by_token.binary_search_by_key(&token, |numbered| numbered.token) {
            Ok(index) => {
                if let Some(old) = self.by_token.get_mut(index) {
                    self.waiting -= usize::from(old.waiting.is_some());
                    *old = new;
                }
                self.let_go();
            }
            Err(index) => self.by_token.insert(index, new),
        }
    }

    /// Takes a claim out; tells whether it was committed in this term.
    pub(super) fn remove(&mut self, token: u64) -> Option<(Claim, bool)> {
        let index = self.index(token)?;
        let WaitingClaim { claim, is_ours } = self.by_token.get_mut(index)?.waiting.take()?;
        self.waiting -= 1;
        self.let_go();
        Some((claim, is_ours))
    }

    /// Takes out the first claim that starts at `until` or before; tells whether it was committed
    /// in this term.
    pub(super) fn pop_due(&mut self, until: Timestamp) -> Option<(Claim, bool)> {
        let Reverse((start_at, token)) = *self.by_time.peek()?;
        if start_at > until { None } else { self.remove(token) }
    }

    /// Returns the first instant.
    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.by_time.peek().map(|Reverse((start_at, _))| *start_at)
    }

    /// Returns the tokens of this term's claims of these jobs.
    pub(super) fn ours_of(&self, jobs: &BTreeSet<JobName>) -> Vec<u64> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let waiting = self.by_token.iter().filter_map(|numbered| numbered.waiting.as_ref());
        let executions =
            waiting.filter(|waiting| waiting.is_ours).map(|waiting| &waiting.claim.execution);
        executions.filter(|execution| jobs.contains(&execution.job)).map(|e| e.token).collect()
    }

    /// Returns a claim.
    pub(super) fn get(&self, token: u64) -> Option<&Claim> {
        let numbered = self.by_token.get(self.index(token)?)?;
        numbered.waiting.as_ref().map(|waiting| &waiting.claim)
    }

    fn index(&self, token: u64) -> Option<usize> {
        let first = self.by_token.front()?.token;
        // Mostly the tokens follow each other without a gap.
        let near = usize::try_from(token.checked_sub(first)?).unwrap_or(usize::MAX);
        if self.by_token.get(near).is_some_and(|numbered| numbered.token == token) {
            return Some(near);
        }
        self.by_token.binary_search_by_key(&token, |numbered| numbered.token).ok()
    }

    /// Lets go of what was taken out: at the front and among the first instants at once, behind
    /// claims that wait once it outnumbers them.
    fn let_go(&mut self) {
        while self.by_token.front().is_some_and(|numbered| numbered.waiting.is_none()) {
            self.by_token.pop_front();
        }
        while let Some(Reverse((start_at, token))) = self.by_time.peek()
            && self.get(*token).is_none_or(|claim| claim.start_at != *start_at)
        {
            self.by_time.pop();
        }
        self.close_up();
        if self.by_token.is_empty() && self.by_token.capacity() > TOKENS_KEPT_MAX {
            *self = Self::default();
        }
    }

    /// Costs what is held, after as many claims were taken out.
    fn close_up(&mut self) {
        let is_sparse = |held: usize| held > (self.waiting * 2).max(TOKENS_KEPT_MAX);
        if !is_sparse(self.by_token.len()) && !is_sparse(self.by_time.len()) {
            return;
        }
        self.by_token.retain(|numbered| numbered.waiting.is_some());
        let start = |numbered: &Numbered| {
            let waiting = numbered.waiting.as_ref()?;
            Some(Reverse((waiting.claim.start_at, numbered.token)))
        };
        self.by_time = self.by_token.iter().filter_map(start).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{Job, JobName};

    fn claim(token: u64, start_unix_s: i64) -> Claim {
        let start_at = Timestamp::from_unix_s(start_unix_s).unwrap();
        Claim::sample(Job::new(JobName::parse("job").unwrap()), token, start_at)
    }

    #[test]
    fn claims_come_out_by_instant_then_by_token_however_they_came() {
        let mut claims = WaitingClaims::default();
        for (token, start) in [(7, 10), (3, 20), (9, 5), (8, 10), (20, 10), (4, 30)] {
            claims.add(claim(token, start), token != 9);
        }

        assert!(claims.remove(8).is_some());
        assert!(claims.remove(8).is_none());
        assert!(claims.get(8).is_none() && claims.get(3).is_some());
        claims.add(claim(7, 10), true);
        let jobs = BTreeSet::from([JobName::parse("job").unwrap()]);
        assert_eq!(claims.ours_of(&jobs), [3, 4, 7, 20]);

        let now = Timestamp::from_unix_s(20).unwrap();
        let mut due = Vec::new();
        while let Some((claim, is_ours)) = claims.pop_due(now) {
            assert_eq!(is_ours, claim.execution.token != 9);
            due.push(claim.execution.token);
        }
        assert_eq!(due, [9, 7, 20, 3]);
        assert_eq!(claims.first_at(), Timestamp::from_unix_s(30));
        assert!(claims.remove(4).is_some());
        assert_eq!(claims.first_at(), None);
    }

    /// As while the clock is behind: the claim in front does not start for hours.
    #[test]
    fn claims_taken_out_behind_one_that_waits_take_no_room() {
        let mut claims = WaitingClaims::default();
        claims.add(claim(1, 7_200), true);

        for token in 2..10_000 {
            claims.add(claim(token, if token % 2 == 0 { 10 } else { 9_000 }), true);
            let taken = if token % 2 == 0 {
                claims.pop_due(Timestamp::from_unix_s(20).unwrap()).map(|(claim, _)| claim)
            } else {
                claims.remove(token).map(|(claim, _)| claim)
            };
            assert_eq!(taken.map(|claim| claim.execution.token), Some(token));
        }

        assert!(claims.by_token.len() <= TOKENS_KEPT_MAX);
        assert!(claims.by_time.len() <= TOKENS_KEPT_MAX);
        assert_eq!(claims.first_at(), Timestamp::from_unix_s(7_200));
        assert!(claims.get(1).is_some());
    }
}
