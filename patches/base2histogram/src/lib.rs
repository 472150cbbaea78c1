//! How values are distributed, by powers of two: what openraft counts its batches with.
//!
//! Stands in for the crate of this name, whose first histogram computes tables of 26 MiB that stay
//! in memory for good (docs/adr/0011). Offers what openraft uses and no more; percentiles are the
//! lower end of their power of two.

use std::fmt;
use std::marker::PhantomData;

/// One count for zero, and one for each number of significant bits.
const BUCKETS: usize = u64::BITS as usize + 1;

/// Counts of values by their number of significant bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    slot: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Starts without a value.
    pub fn new() -> Self {
        Self { counts: [0; BUCKETS], slot: PhantomData }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value so many times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bits = u64::BITS - value.leading_zeros();
        if let Some(count) = self.counts.get_mut(bits as usize) {
            *count = count.saturating_add(times);
        }
    }

    /// Returns the percentiles; all zero without a value.
    pub fn percentile_stats(&self) -> PercentileStats {
        let samples = self.counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let at = |permille| self.value_at(samples, permille);
        PercentileStats {
            samples,
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }

    /// Returns the least value of the bucket that holds the given share of the samples.
    fn value_at(&self, samples: u64, permille: u64) -> u64 {
        let wanted = u128::from(samples) * u128::from(permille);
        let mut seen = 0;
        for (bits, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count) * 1_000;
            if *count > 0 && seen >= wanted {
                return bits.checked_sub(1).map_or(0, |shift| 1 << shift);
            }
        }
        0
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Values below which the named share of the samples lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p99, p99_9, .. } = self;
        write!(f, "{samples} samples, p50 {p50}, p99 {p99}, p99.9 {p99_9}")
    }
}

/// Several histograms, one line each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart<T = ()> {
    series: Vec<(String, Histogram<T>)>,
}

impl<T> AsciiChart<T> {
    /// Starts without a line.
    pub const fn new() -> Self {
        Self { series: Vec::new() }
    }

    /// Adds a line.
    #[must_use]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.series.push((name.to_owned(), histogram));
        self
    }
}

impl<T> fmt::Display for AsciiChart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, histogram) in &self.series {
            writeln!(f, "{name}: {}", histogram.percentile_stats())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_lower_end_of_their_power_of_two() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile_stats(), PercentileStats::default());
        for value in 1..=1_000 {
            histogram.record(value);
        }
        histogram.record(u64::MAX);

        let stats = histogram.percentile_stats();

        assert_eq!((stats.samples, stats.p0_1, stats.p10), (1_001, 2, 64));
        assert_eq!((stats.p50, stats.p99, stats.p99_9), (256, 512, 512));
        assert_eq!(AsciiChart::new().add("a", histogram).to_string().lines().count(), 1);
    }
}
