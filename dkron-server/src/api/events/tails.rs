//! What running executions write, looked at now and then: the new end of each output.
//!
//! A look takes what is new and goes on at once: no run waits for it. What an execution writes
//! beyond a piece between two looks is counted, not shown; its stored output has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dkron_core::limits::{EVENT_OUTPUT_BYTES_MAX, EVENT_OUTPUTS_MAX};
use dkron_core::{OutputFollower, OutputNews, StartedRun};
use futures_util::FutureExt as _;

/// A look at all of them ends once it has found so many bytes; the next one goes on there.
const LOOK_BYTES_MAX: usize = 1 << 18;

/// Pieces of news taken of one run in a look: more than what is kept of its output.
const NEWS_PER_LOOK_MAX: usize = 8;

/// A piece of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The place of its first byte in all that the execution writes.
    pub(super) offset: u64,
    /// Bytes before it that no chunk has.
    pub(super) missing: u64,
    pub(super) bytes: Vec<u8>,
}

/// The runs whose outputs may be wanted, by fencing token.
#[derive(Default)]
pub(super) struct Tails {
    runs: BTreeMap<u64, Tail>,
    is_wanted: bool,
    /// Where the next look goes on.
    next: u64,
}

struct Tail {
    run: Arc<StartedRun>,
    /// Present while outputs are wanted.
    follower: Option<OutputFollower>,
    /// The beginning of a character whose end was not written yet.
    rest: Vec<u8>,
    /// The place behind the last byte that was taken.
    end: u64,
    /// Bytes that were not taken since the last chunk.
    missing: u64,
}

impl Tails {
    /// Takes a run that begins. Those beyond [`EVENT_OUTPUTS_MAX`] are not followed.
    pub(super) fn begin(&mut self, run: &Arc<StartedRun>) {
        let follower = self.is_wanted.then(|| run.follow_output()).flatten();
        self.insert(run, follower);
    }

    /// Sees to it that these are the runs, and no others; those that are new are followed from now
    /// on.
    pub(super) fn replace(&mut self, runs: Vec<StartedRun>) {
        let mut before = std::mem::take(&mut self.runs);
        for run in runs {
            let token = run.execution().token;
            if let Some(known) = before.remove(&token) {
                self.runs.insert(token, known);
            } else {
                let follower = self.is_wanted.then(|| run.follow_new_output()).flatten();
                self.insert(&Arc::new(run), follower);
            }
        }
    }

    fn insert(&mut self, run: &Arc<StartedRun>, follower: Option<OutputFollower>) {
        if self.runs.len() < EVENT_OUTPUTS_MAX {
            let (token, run) = (run.execution().token, Arc::clone(run));
            let tail = Tail { run, follower, rest: Vec::new(), end: 0, missing: 0 };
            self.runs.insert(token, tail);
        }
    }

    /// Begins to follow outputs, from now on, or ceases to.
    pub(super) fn want(&mut self, is_wanted: bool) {
        if self.is_wanted == is_wanted {
            return;
        }
        self.is_wanted = is_wanted;
        for tail in self.runs.values_mut() {
            tail.follower = is_wanted.then(|| tail.run.follow_new_output()).flatten();
            tail.rest.clear();
            tail.missing = 0;
        }
    }

    /// Returns whether outputs are followed.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Returns what is new, of each run in one piece.
    pub(super) fn look(&mut self) -> Vec<(Arc<StartedRun>, Chunk)> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let next = std::mem::take(&mut self.next);
        let (before, behind): (Vec<u64>, Vec<u64>) =
            self.runs.keys().partition(|token| **token < next);
        for token in behind.into_iter().chain(before) {
            if bytes >= LOOK_BYTES_MAX {
                self.next = token;
                break;
            }
            let Some(tail) = self.runs.get_mut(&token) else { continue };
            if let Some(chunk) = tail.look(false) {
                bytes += chunk.bytes.len();
                found.push((Arc::clone(&tail.run), chunk));
            }
        }
        found
    }

    /// Lets go of a run that has ended; returns the last that is new of its output.
    pub(super) fn end(&mut self, token: u64) -> Option<Chunk> {
        self.runs.remove(&token)?.look(true)
    }
}

impl Tail {
    /// Returns what is new; `is_last` says that nothing follows it.
    fn look(&mut self, is_last: bool) -> Option<Chunk> {
        let follower = self.follower.as_mut()?;
        let mut bytes = std::mem::take(&mut self.rest);
        for _ in 0..NEWS_PER_LOOK_MAX {
            match follower.next().now_or_never() {
                Some(Some(OutputNews::Output { offset, bytes: more })) => {
                    self.end = offset + more.len() as u64;
                    bytes.extend(more);
                    self.missing += cut_front(&mut bytes, EVENT_OUTPUT_BYTES_MAX);
                }
                Some(Some(OutputNews::Missed { bytes: gone })) => {
                    self.missing += gone + bytes.len() as u64;
                    bytes.clear();
                }
                Some(Some(OutputNews::Progress(_))) => {}
                Some(None) | None => break,
            }
        }
        if !is_last {
            self.rest = bytes.split_off(bytes.len() - unfinished(&bytes));
        }
        if bytes.is_empty() && !(is_last && self.missing > 0) {
            return None;
        }
        let offset = self.end - (bytes.len() + self.rest.len()) as u64;
        Some(Chunk { offset, missing: std::mem::take(&mut self.missing), bytes })
    }
}

/// Keeps the last `bytes_max` bytes, from a whole character on; returns how many it took away.
fn cut_front(bytes: &mut Vec<u8>, bytes_max: usize) -> u64 {
    let Some(excess) = bytes.len().checked_sub(bytes_max).filter(|excess| *excess > 0) else {
        return 0;
    };
    let is_within = |byte: &&u8| **byte & 0xc0 == 0x80;
    let within = bytes.iter().skip(excess).take(3).take_while(is_within).count();
    bytes.drain(..excess + within);
    (excess + within) as u64
}

/// Returns how many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(3).position(|byte| *byte >= 0xc0);
    let Some(before) = last else { return 0 };
    let begun = bytes.get(bytes.len() - before - 1..).unwrap_or_default();
    let is_unfinished = std::str::from_utf8(begun).is_err_and(|error| error.error_len().is_none());
    if is_unfinished { begun.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_its_end() {
        let check = |bytes: &[u8], want| assert_eq!(unfinished(bytes), want, "{bytes:?}");
        check(b"", 0);
        check(b"abc", 0);
        check("aß".as_bytes(), 0);
        check(b"a\xc3", 1);
        check(b"\xe6\x97", 2);
        check(b"a\xf0\x9f\x98", 3);
        check("日".as_bytes(), 0);
        check(b"\xff", 0);
        check(b"a\x80\x80\x80\x80", 0);
    }

    #[test]
    fn the_end_is_kept_from_a_whole_character_on() {
        let check = |text: &str, bytes_max, want: &str, gone| {
            let mut bytes = text.as_bytes().to_vec();
            assert_eq!(cut_front(&mut bytes, bytes_max), gone, "{text}");
            assert_eq!(bytes, want.as_bytes(), "{text}");
        };
        check("abcd", 4, "abcd", 0);
        check("abcd", 3, "bcd", 1);
        check("a日c", 3, "c", 4);
        check("a日c", 4, "日c", 1);
    }
}
