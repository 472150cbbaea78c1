//! Random numbers from a seed: small, fast, and the same on every machine.

use crate::kernel::model::JobName;
use crate::kernel::time::Timestamp;

/// The generator SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014): one addition and one mix for each number.
///
/// Spreads load over nodes; nothing secret depends on it.
#[derive(Clone, Debug)]
pub(super) struct SplitMix64 {
    state: u64,
}

/// The increment of the sequence: 2⁶⁴ divided by the golden ratio, made odd.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SplitMix64 {
    /// Starts the sequence of `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Starts the sequence of one fire, so that what a plan holds beside it does not matter.
    pub(super) fn for_fire(seed: u64, job: &JobName, at: Timestamp) -> Self {
        let mut hash = seed;
        for chunk in job.as_bytes().chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            hash = mix(hash.wrapping_add(GAMMA) ^ u64::from_le_bytes(word));
        }
        Self::new(mix(hash ^ at.as_unix_ns() as u64))
    }

    /// Returns the next number.
    pub(super) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// Returns a number below `end`, each equally likely; 0 if `end` is 0.
    ///
    /// Numbers of the uneven rest are drawn again (Lemire's method).
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        if end == 0 {
            return 0;
        }
        let rest = end.wrapping_neg() % end;
        loop {
            let product = u128::from(self.next()) * u128::from(end);
            if product as u64 >= rest {
                return (product >> 64) as usize;
            }
        }
    }

    /// Moves `count` items, chosen at random, to the front; at most all of them.
    pub(super) fn choose<T>(&mut self, items: &mut [T], count: usize) {
        let len = items.len();
        for index in 0..count.min(len) {
            let other = index + self.below(len - index);
            items.swap(index, other);
        }
    }
}

/// Spreads every bit of `value` over all of them.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = SplitMix64::new(1_234_567);

        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn every_item_is_chosen_equally_often() {
        let mut random = SplitMix64::new(7);
        let mut chosen = [0_u32; 5];
        for _ in 0..10_000 {
            let mut items = [0, 1, 2, 3, 4];
            random.choose(&mut items, 2);
            assert_ne!(items[0], items[1]);
            chosen[items[0]] += 1;
            chosen[items[1]] += 1;
        }
        for count in chosen {
            assert!((3_800..4_200).contains(&count), "{chosen:?}");
        }
    }

    #[test]
    fn fires_of_one_seed_differ_by_job_and_by_instant() {
        let job = |name| JobName::parse(name).unwrap();
        let at = |unix_s| Timestamp::from_unix_s(unix_s).unwrap();
        let first = |name, unix_s| SplitMix64::for_fire(1, &job(name), at(unix_s)).next();

        assert_eq!(first("backup", 60), first("backup", 60));
        assert_ne!(first("backup", 60), first("backup", 61));
        assert_ne!(first("backup", 60), first("backuq", 60));
        assert_ne!(first("a-job-of-many-letters-1", 60), first("a-job-of-many-letters-2", 60));
    }
}
