//! The last bytes of an endless stream.

use std::collections::VecDeque;

/// A ring that keeps the last bytes pushed and allocates only as they come.
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    bytes_max: usize,
    seen: u64,
}

impl Tail {
    /// Makes an empty one, without allocating.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), bytes_max, seen: 0 }
    }

    /// Appends a chunk; bytes beyond the limit leave at the front.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.seen = self.seen.saturating_add(chunk.len() as u64);
        let excess = chunk.len().saturating_sub(self.bytes_max);
        let kept = chunk.get(excess..).unwrap_or_default();
        let overflow = (self.bytes.len() + kept.len()).saturating_sub(self.bytes_max);
        self.bytes.drain(..overflow);
        self.reserve(kept.len());
        self.bytes.extend(kept);
    }

    /// Makes room by doubling, yet never beyond the limit.
    fn reserve(&mut self, additional: usize) {
        let needed = self.bytes.len() + additional;
        if needed > self.bytes.capacity() {
            let capacity = (2 * self.bytes.capacity()).max(needed).min(self.bytes_max);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// Returns how many bytes were pushed in all.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Returns the offset in the stream of the first byte that is kept.
    pub(super) fn start(&self) -> u64 {
        self.seen.saturating_sub(self.bytes.len() as u64)
    }

    /// Copies what is kept from `offset` on, at most `bytes_max` bytes of it.
    ///
    /// An offset before [`Self::start`] counts as that, one past the end yields nothing.
    pub(super) fn copy_from(&self, offset: u64, bytes_max: usize) -> Vec<u8> {
        let skip = usize::try_from(offset.saturating_sub(self.start())).unwrap_or(usize::MAX);
        let skip = skip.min(self.bytes.len());
        let end = self.bytes.len().min(skip.saturating_add(bytes_max));
        self.bytes.range(skip..end).copied().collect()
    }

    /// Appends the last `bytes_max` bytes that are kept to `into`.
    pub(super) fn append_last(&self, bytes_max: usize, into: &mut Vec<u8>) {
        let mut skip = self.bytes.len().saturating_sub(bytes_max);
        let (front, back) = self.bytes.as_slices();
        for slice in [front, back] {
            into.extend_from_slice(slice.get(skip..).unwrap_or_default());
            skip = skip.saturating_sub(slice.len());
        }
    }

    /// Returns the size of the allocation, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream in which every byte tells its own offset.
    fn stream(range: std::ops::Range<u64>) -> Vec<u8> {
        range.map(|offset| (offset % 251) as u8).collect()
    }

    /// Goal: the ring agrees with keeping everything.
    /// Method: chunks of seeded sizes into both; compare after each.
    #[test]
    fn the_tail_is_the_end_of_everything_pushed() {
        let seed: u64 = std::env::var("DKRON_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        let mut tail = Tail::new(1000);
        let mut seen = 0;
        for _ in 0..2000 {
            let chunk = below(if seen % 7 == 0 { 3000 } else { 90 });
            tail.push(&stream(seen..seen + chunk));
            seen += chunk;

            let start = seen.saturating_sub(1000);
            assert_eq!((tail.seen(), tail.start()), (seen, start), "seed {seed}");
            let mut kept = vec![9];
            tail.append_last(usize::MAX, &mut kept);
            assert_eq!(kept.get(1..).unwrap(), stream(start..seen), "seed {seed}");
            let from = start.saturating_sub(5) + below(1100);
            let want = stream(from.clamp(start, seen)..(from.max(start) + 64).clamp(start, seen));
            assert_eq!(tail.copy_from(from, 64), want, "seed {seed}, from {from} of {seen}");
            let mut last = Vec::new();
            tail.append_last(10, &mut last);
            assert_eq!(last, stream(start.max(seen.saturating_sub(10))..seen), "seed {seed}");
        }
    }

    #[test]
    fn memory_follows_what_is_kept_and_stops_at_the_limit() {
        let mut tail = Tail::new(256_000);
        assert_eq!(tail.capacity(), 0);

        tail.push(b"one line\n");
        assert!(tail.capacity() <= 64, "{}", tail.capacity());

        for _ in 0..100 {
            tail.push(&[0; 9999]);
        }
        assert_eq!(tail.capacity(), 256_000);
    }
}
