//! The end of the log as it is in memory: entries that are not both on disk and applied.
//!
//! An entry can be read from the moment it is handed over, though it is written later; and what was
//! made on this node is applied without being read back and decoded. Entries leave from the front
//! once they are written and applied, from the back when they are truncated.
//!
//! Invariant: an entry that is not here is on disk. A record that is written tells its number in
//! the order of writes, so that an old write does not let go of a newer entry at its index.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openraft::entry::RaftEntry as _;

use super::raft_types::{RaftEntry, Vote, to_position};
use crate::ports::{LogBounds, LogPosition};

/// The end of the log, shared by those who write, read and apply it.
pub struct LogTail {
    state: Mutex<TailState>,
}

struct TailState {
    /// The first entry that is not purged, if there is one.
    first: u64,
    bounds: LogBounds,
    vote: Option<Vote>,
    recent: VecDeque<Recent>,
    /// The number of the newest write that was handed over.
    handed_over: u64,
    /// The number of the newest write that is on disk.
    written: u64,
    /// The newest entry that is applied.
    applied: Option<u64>,
}

/// An entry and the write it is part of.
struct Recent {
    entry: RaftEntry,
    write: u64,
}

impl LogTail {
    /// Begins with what is on disk.
    pub fn new(bounds: LogBounds, vote: Option<Vote>) -> Self {
        Self {
            state: Mutex::new(TailState {
                first: bounds.purged.map_or(0, |purged| purged.index.saturating_add(1)),
                bounds,
                vote,
                recent: VecDeque::new(),
                handed_over: 0,
                written: 0,
                applied: None,
            }),
        }
    }

    /// Returns what the log holds, written or not.
    pub fn bounds(&self) -> LogBounds {
        self.state().bounds
    }

    /// Returns the index of the first entry that is not purged, if there is one.
    pub fn first(&self) -> u64 {
        self.state().first
    }

    /// Returns the vote that was saved last.
    pub fn vote(&self) -> Option<Vote> {
        self.state().vote.clone()
    }

    /// Notes a vote that is saved.
    pub fn set_vote(&self, vote: Vote) {
        self.state().vote = Some(vote);
    }

    /// Takes entries that are about to be handed over for writing; returns the number of the write.
    pub fn append(&self, entries: Vec<RaftEntry>) -> u64 {
        let mut state = self.state();
        state.handed_over += 1;
        let write = state.handed_over;
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            if state.bounds.last.is_none() {
                state.first = first.log_id().index();
            }
            state.bounds.last = Some(to_position(&last.log_id()));
        }
        state.recent.extend(entries.into_iter().map(|entry| Recent { entry, write }));
        write
    }

    /// Notes that a write, and so every one before it, is on disk.
    pub fn set_written(&self, write: u64) {
        let mut state = self.state();
        state.written = state.written.max(write);
        state.let_go();
    }

    /// Notes that the entries up to and including this one are applied.
    pub fn set_applied(&self, index: u64) {
        let mut state = self.state();
        state.applied = state.applied.max(Some(index));
        state.let_go();
    }

    /// Forgets the entries after `last`; all if `None`.
    pub fn truncate_after(&self, last: Option<LogPosition>) {
        let mut state = self.state();
        while state.recent.back().is_some_and(|recent| {
            last.is_none_or(|last| to_position(&recent.entry.log_id()).index > last.index)
        }) {
            state.recent.pop_back();
        }
        state.bounds.last = state.bounds.last.min(last).max(state.bounds.purged);
    }

    /// Forgets the entries up to and including `upto`.
    pub fn purge(&self, upto: LogPosition) {
        let mut state = self.state();
        while state
            .recent
            .front()
            .is_some_and(|recent| to_position(&recent.entry.log_id()).index <= upto.index)
        {
            state.recent.pop_front();
        }
        state.first = state.first.max(upto.index.saturating_add(1));
        state.bounds.purged = state.bounds.purged.max(Some(upto));
        state.bounds.last = state.bounds.last.max(Some(upto));
    }

    /// Returns the part of `range` that has to be read from disk, and the entries after it.
    pub fn split(&self, range: Range<u64>) -> (Range<u64>, Vec<RaftEntry>) {
        let state = self.state();
        let first = state.first;
        let end = state.bounds.last.map_or(0, |last| last.index.saturating_add(1));
        let range = range.start.max(first)..range.end.min(end);
        if range.is_empty() {
            return (range, Vec::new());
        }
        let Some(front) = state.recent.front() else { return (range, Vec::new()) };
        let here = to_position(&front.entry.log_id()).index;
        let skip = usize::try_from(range.start.saturating_sub(here)).unwrap_or(usize::MAX);
        let from = range.start.max(here);
        let take = usize::try_from(range.end.saturating_sub(from)).unwrap_or(usize::MAX);
        let entries = state.recent.iter().skip(skip).take(take);
        let entries = entries.map(|recent| recent.entry.clone()).collect();
        (range.start..range.end.min(here), entries)
    }

    fn state(&self) -> MutexGuard<'_, TailState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TailState {
    fn let_go(&mut self) {
        while self.recent.front().is_some_and(|recent| {
            recent.write <= self.written
                && Some(to_position(&recent.entry.log_id()).index) <= self.applied
        }) {
            self.recent.pop_front();
        }
        if self.recent.is_empty() && self.recent.capacity() > RECENT_KEPT_MAX {
            self.recent = VecDeque::new();
        }
    }
}

/// Room for entries that is kept while there are none.
const RECENT_KEPT_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use openraft::entry::RaftPayload as _;

    use super::*;
    use crate::adapters::consensus::raft_types::{RaftPayload, to_log_id};

    fn entry(term: u64, index: u64) -> RaftEntry {
        RaftEntry::new(to_log_id(LogPosition { term, index }), RaftPayload::blank())
    }

    #[track_caller]
    fn check(tail: &LogTail, range: Range<u64>, want_disk: Range<u64>, want_here: &[u64]) {
        let (disk, here) = tail.split(range);
        let here: Vec<u64> = here.iter().map(|entry| entry.log_id().index()).collect();
        if !(disk.is_empty() && want_disk.is_empty()) {
            assert_eq!(disk, want_disk);
        }
        assert_eq!(here, want_here);
    }

    #[test]
    fn entries_leave_once_they_are_written_and_applied() {
        let tail = LogTail::new(LogBounds::default(), None);
        let first = tail.append((0..3).map(|index| entry(1, index)).collect());
        let second = tail.append((3..5).map(|index| entry(1, index)).collect());
        check(&tail, 0..9, 0..0, &[0, 1, 2, 3, 4]);
        check(&tail, 1..4, 1..1, &[1, 2, 3]);

        tail.set_written(first);
        check(&tail, 0..9, 0..0, &[0, 1, 2, 3, 4]);
        tail.set_applied(1);
        check(&tail, 0..9, 0..2, &[2, 3, 4]);
        tail.set_applied(4);
        check(&tail, 0..9, 0..3, &[3, 4]);
        tail.set_written(second);
        check(&tail, 0..9, 0..5, &[]);
    }

    #[test]
    fn an_old_write_does_not_let_go_of_a_rewritten_entry() {
        let tail = LogTail::new(LogBounds::default(), None);
        let old = tail.append(vec![entry(1, 0), entry(1, 1)]);
        tail.truncate_after(Some(LogPosition { term: 1, index: 0 }));
        tail.append(vec![entry(2, 1)]);
        tail.set_written(old);
        tail.set_applied(1);

        check(&tail, 0..9, 0..1, &[1]);
        assert_eq!(tail.bounds().last, Some(LogPosition { term: 2, index: 1 }));
    }

    #[test]
    fn purged_entries_are_in_no_answer() {
        let tail = LogTail::new(LogBounds::default(), None);
        tail.append((0..5).map(|index| entry(1, index)).collect());
        tail.purge(LogPosition { term: 1, index: 2 });
        check(&tail, 0..9, 3..3, &[3, 4]);

        let ahead = LogPosition { term: 3, index: 9 };
        tail.purge(ahead);
        check(&tail, 0..99, 0..0, &[]);
        assert_eq!(tail.bounds(), LogBounds { purged: Some(ahead), last: Some(ahead) });
    }
}
