//! The newest events, written once for all who listen.
//!
//! Events are kept in blocks: what was told at one time. A listener takes a block, or what of it
//! passes its filter, and holds nothing but its position; one who is slower than the ring is long
//! finds out that its next event is not kept any more.
//!
//! Pure: told the time, and what there is to tell.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::body::Bytes;
use dkron_core::JobName;

use super::filter::{EventType, Filter};
use super::position::Position;

/// What a block takes beside its text and its entries, about.
const BLOCK_BYTES: usize = 128;

/// An event in a block.
struct Entry {
    event: EventType,
    /// `None` = it is about no job.
    job: Option<JobName>,
    /// Where its text ends in that of the block.
    end: usize,
}

/// Events that are being written and not told yet.
#[derive(Default)]
pub(super) struct Draft {
    text: String,
    entries: Vec<Entry>,
    at_ms: u64,
}

/// Events that were told together; at least one.
pub(super) struct Block {
    /// The number of the first.
    first: u64,
    /// The position behind the last.
    last: Position,
    entries: Vec<Entry>,
    text: Bytes,
}

/// What a position leads to.
pub(super) enum Next {
    /// Nothing was told since.
    Nothing,
    /// The events behind the position are not kept any more; the first that is kept has a number.
    Lost(u64),
    /// The block that holds the event behind the position.
    Block(Arc<Block>),
}

/// A row of events, of which the newest are kept.
pub(super) struct Ring {
    row: u64,
    /// The number of the next event.
    next: u64,
    blocks: VecDeque<Arc<Block>>,
    bytes: usize,
    bytes_max: usize,
    /// From which number on outputs are told; `None` = they are not.
    outputs_from: Option<u64>,
}

impl Draft {
    /// Returns whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many bytes there are to tell.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

impl Block {
    /// Returns the position behind its last event.
    pub(super) fn last(&self) -> Position {
        self.last
    }

    /// Returns the text of its events from a number on that pass a filter; shared if it is open.
    pub(super) fn text_from(&self, number: u64, filter: &Filter) -> Bytes {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let mut start = match skipped.checked_sub(1) {
            Some(before) => self.entries.get(before).map_or(self.text.len(), |entry| entry.end),
            None => 0,
        };
        if filter.is_open() {
            return self.text.slice(start..);
        }
        let mut text = Vec::new();
        for entry in self.entries.iter().skip(skipped) {
            if filter.lets_pass(entry.event, entry.job.as_ref().map(JobName::as_str)) {
                text.extend_from_slice(self.text.get(start..entry.end).unwrap_or_default());
            }
            start = entry.end;
        }
        Bytes::from(text)
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>() + BLOCK_BYTES
    }
}

impl Ring {
    /// Begins a row, of which the newest `bytes_max` bytes are kept, about.
    pub(super) fn new(row: u64, bytes_max: usize) -> Self {
        let blocks = VecDeque::new();
        Self { row, next: 1, blocks, bytes: 0, bytes_max, outputs_from: None }
    }

    /// Returns which row it is.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Returns the number of the next event that is told.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Returns the number of the oldest event that is kept, or else of the next one.
    pub(super) fn first(&self) -> u64 {
        self.blocks.front().map_or(self.next, |block| block.first)
    }

    /// Writes an event behind those of a draft, which is to be told next. `data` is JSON.
    pub(super) fn draft(
        &self,
        draft: &mut Draft,
        event: EventType,
        job: Option<&JobName>,
        at_ms: u64,
        data: &str,
    ) {
        let number = self.next + draft.entries.len() as u64;
        let position = Position { row: self.row, number, at_ms };
        write_event(&mut draft.text, position, event, data);
        draft.at_ms = at_ms;
        draft.entries.push(Entry { event, job: job.cloned(), end: draft.text.len() });
    }

    /// Tells what a draft holds, and empties it.
    pub(super) fn tell(&mut self, draft: &mut Draft) {
        let Draft { text, entries, at_ms } = std::mem::take(draft);
        let Some(before) = (entries.len() as u64).checked_sub(1) else { return };
        let last = Position { row: self.row, number: self.next + before, at_ms };
        let text = Bytes::from(text.into_boxed_str().into_boxed_bytes());
        let block = Block { first: self.next, last, entries, text };
        self.next = last.number + 1;
        self.bytes += block.bytes();
        self.blocks.push_back(Arc::new(block));
        while self.bytes > self.bytes_max && self.blocks.len() > 1 {
            let oldest = self.blocks.pop_front();
            self.bytes -= oldest.map_or(0, |block| block.bytes());
        }
    }

    /// Notes whether outputs are told from now on: behind what a draft holds.
    pub(super) fn set_outputs(&mut self, are_told: bool, draft: &Draft) {
        self.outputs_from = are_told.then_some(self.next + draft.entries.len() as u64);
    }

    /// Returns whether outputs were told ever since the event with a number.
    pub(super) fn has_outputs_since(&self, number: u64) -> bool {
        self.outputs_from.is_some_and(|from| from <= number.saturating_add(1))
    }

    /// Returns what comes behind the event with a number.
    pub(super) fn behind(&self, number: u64) -> Next {
        let wanted = number.saturating_add(1);
        if wanted >= self.next {
            return Next::Nothing;
        }
        if wanted < self.first() {
            return Next::Lost(self.first());
        }
        let at = self.blocks.partition_point(|block| block.last.number < wanted);
        self.blocks.get(at).map_or(Next::Nothing, |block| Next::Block(Arc::clone(block)))
    }
}

/// Looks at a ring; one who panicked left it whole.
pub(super) fn read(ring: &RwLock<Ring>) -> RwLockReadGuard<'_, Ring> {
    ring.read().unwrap_or_else(PoisonError::into_inner)
}

/// Changes a ring.
pub(super) fn write(ring: &RwLock<Ring>) -> RwLockWriteGuard<'_, Ring> {
    ring.write().unwrap_or_else(PoisonError::into_inner)
}

/// Writes an event as it is sent.
pub(super) fn write_event(text: &mut String, id: Position, event: EventType, data: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "id: {id}\nevent: {}\ndata: {data}\n\n", event.name());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::query::Query;

    const EVENT: EventType = EventType::JobChanged;

    fn job(name: &str) -> JobName {
        JobName::parse(name).unwrap()
    }

    /// Tells one block of events, one for each job.
    fn tell(ring: &mut Ring, jobs: &[&str]) {
        let mut draft = Draft::default();
        for name in jobs {
            ring.draft(&mut draft, EVENT, Some(&job(name)), 7, name);
        }
        ring.tell(&mut draft);
        assert!(draft.is_empty());
    }

    /// Reads everything behind an event as a listener does: the `data` of each event.
    fn read(ring: &Ring, mut number: u64, filter: &Filter) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match ring.behind(number) {
                Next::Nothing => return seen,
                Next::Lost(first) => {
                    seen.push(format!("lost {}", first - number - 1));
                    number = first - 1;
                }
                Next::Block(block) => {
                    let text = block.text_from(number + 1, filter);
                    let text = String::from_utf8(text.to_vec()).unwrap();
                    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
                    seen.extend(data.map(str::to_owned));
                    number = block.last().number;
                }
            }
        }
    }

    fn open() -> Filter {
        Filter::default()
    }

    #[test]
    fn an_event_is_sent_with_its_position_its_type_and_one_line_of_data() {
        let mut ring = Ring::new(0xab, 1 << 20);
        tell(&mut ring, &["a", "b"]);
        let Next::Block(block) = ring.behind(1) else { panic!("nothing") };
        assert_eq!(block.text_from(2, &open()), "id: ab-2-7\nevent: job_changed\ndata: b\n\n");
    }

    #[test]
    fn who_comes_back_goes_on_behind_what_it_has_seen_also_within_a_block() {
        let mut ring = Ring::new(1, 1 << 20);
        tell(&mut ring, &["a", "b", "c"]);
        tell(&mut ring, &["d"]);
        tell(&mut ring, &[]);
        for (number, want) in
            [(0, &["a", "b", "c", "d"][..]), (1, &["b", "c", "d"]), (3, &["d"]), (4, &[])]
        {
            assert_eq!(read(&ring, number, &open()), want, "behind {number}");
        }
        assert_eq!(ring.next(), 5);
    }

    #[test]
    fn a_filter_leaves_out_events_and_not_their_numbers() {
        let mut ring = Ring::new(1, 1 << 20);
        tell(&mut ring, &["a", "b", "a"]);
        tell(&mut ring, &["b"]);
        let only = |name: &str| Filter::parse(&Query::parse(&format!("job={name}"))).unwrap();
        assert_eq!(read(&ring, 0, &only("a")), ["a", "a"]);
        assert_eq!(read(&ring, 1, &only("a")), ["a"]);
        assert_eq!(read(&ring, 2, &only("b")), ["b"]);
        assert_eq!(read(&ring, 0, &only("c")), Vec::<String>::new());
    }

    #[test]
    fn the_oldest_leave_and_who_wanted_them_learns_how_many() {
        let mut ring = Ring::new(1, 2_000);
        for _ in 0..1_000 {
            tell(&mut ring, &["a", "b"]);
            assert!(ring.bytes <= 2_000);
        }
        let kept = ring.next() - ring.first();
        assert!((2..40).contains(&kept), "{kept}");

        let seen = read(&ring, 0, &open());

        assert_eq!(seen[0], format!("lost {}", 2_000 - kept));
        assert_eq!(seen.len() as u64, 1 + kept);
        assert_eq!(read(&ring, ring.first() - 1, &open()).len() as u64, kept, "nothing is lost");
    }

    #[test]
    fn who_was_away_while_outputs_were_not_told_is_known() {
        let mut ring = Ring::new(1, 1 << 20);
        tell(&mut ring, &["a"]);
        assert!(!ring.has_outputs_since(1));
        ring.set_outputs(true, &Draft::default());
        assert!(ring.has_outputs_since(1) && !ring.has_outputs_since(0));
        ring.set_outputs(false, &Draft::default());
        assert!(!ring.has_outputs_since(1));
    }

    #[test]
    fn an_event_that_is_larger_than_the_ring_is_told_all_the_same() {
        let mut ring = Ring::new(1, 10);
        tell(&mut ring, &["a"]);
        tell(&mut ring, &["b"]);
        assert_eq!(read(&ring, 1, &open()), ["b"]);
    }
}
