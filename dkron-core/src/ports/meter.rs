//! Counting spans of time without locks: how many were how long.
//!
//! A meter belongs to the node that counts with it, never to the process; what it shows is read as
//! a whole and handed to whoever asks. To record costs a short search and two additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds for spans in which a machine answers: a tenth of a millisecond to a minute.
pub const ANSWER_SPANS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// Bounds for spans in which jobs do their work: a millisecond to a day.
pub const RUN_SPANS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3_600),
    Duration::from_secs(4 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// Counts spans between fixed bounds.
pub struct SpanMeter {
    bounds: &'static [Duration],
    /// Spans up to each bound and above the one before; those above the last bound at the end.
    counts: Box<[AtomicU64]>,
    /// In microseconds: nanoseconds of fires that are caught up after an outage could overflow.
    sum_us: AtomicU64,
}

impl SpanMeter {
    /// Begins with nothing counted; `bounds` are in ascending order.
    pub fn new(bounds: &'static [Duration]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_us: AtomicU64::new(0) }
    }

    /// Counts a span.
    pub fn record(&self, span: Duration) {
        let at = self.bounds.partition_point(|bound| *bound < span);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Rounded, so that many short spans do not sum up to nothing.
        let us = span.as_nanos().saturating_add(500) / 1_000;
        self.sum_us.fetch_add(u64::try_from(us).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Reads what was counted; a span that is counted meanwhile may be missing in the sum.
    pub fn read(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let sum = Duration::from_micros(self.sum_us.load(Ordering::Relaxed));
        Histogram { bounds: self.bounds, counts, sum }
    }
}

/// How many spans of time were how long, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [Duration],
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// Returns how many spans were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of all spans, to the microsecond.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Returns bounds in ascending order, each with the number of spans of at most that length.
    /// Spans above the last bound are counted by [`Histogram::count`] alone.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut below = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const BOUNDS: &[Duration] = &[MS, Duration::from_millis(10)];

    #[test]
    fn a_span_is_counted_up_to_and_including_its_bound() {
        let meter = SpanMeter::new(BOUNDS);
        for span in [Duration::ZERO, MS, MS + Duration::from_nanos(1), 10 * MS, 11 * MS] {
            meter.record(span);
        }
        let read = meter.read();
        assert_eq!(read.cumulative().collect::<Vec<_>>(), [(MS, 2), (10 * MS, 4)]);
        assert_eq!(read.count(), 5);
        assert_eq!(read.sum(), 23 * MS);
    }

    #[test]
    fn spans_of_any_length_are_counted_and_short_ones_sum_up() {
        let meter = SpanMeter::new(BOUNDS);
        (0..10).for_each(|_| meter.record(Duration::from_nanos(600)));
        assert_eq!(meter.read().sum(), Duration::from_micros(10));
        meter.record(Duration::MAX);
        assert_eq!(meter.read().count(), 11);
    }

    #[test]
    fn bounds_are_in_ascending_order() {
        assert!(ANSWER_SPANS.is_sorted_by(|a, b| a < b));
        assert!(RUN_SPANS.is_sorted_by(|a, b| a < b));
    }
}
