//! Randomness that can be repeated: one number decides all of it, and is printed.

use std::ops::Range;
use std::time::Duration;

/// The variable that repeats a run.
const VARIABLE: &str = "DKRON_TEST_SEED";

/// A source of random numbers (SplitMix64: every state is as good as any other).
pub struct Seed {
    state: u64,
}

impl Seed {
    /// Takes the seed from `DKRON_TEST_SEED`, or a new one, and prints how to repeat it.
    ///
    /// # Panics
    ///
    /// If the variable is set to something that is no number.
    pub fn announce(test: &str) -> Self {
        let state = match std::env::var(VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{VARIABLE}={text} is no number")),
            Err(_) => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                now.map_or(1, |now| now.as_nanos() as u64)
            }
        };
        println!("repeat with: {VARIABLE}={state} cargo test -p dkron-e2e {test}");
        Self { state }
    }

    /// Starts from a number.
    pub fn new(state: u64) -> Self {
        Self { state }
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number of the range, which must not be empty.
    pub fn pick(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next_u64() % (range.end - range.start)
    }

    /// Returns one of the choices, of which there must be one.
    pub fn choose<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.pick(0..choices.len() as u64) as usize]
    }

    /// Returns a span of the range, to the millisecond.
    pub fn span(&mut self, range: Range<Duration>) -> Duration {
        let millis = |span: Duration| span.as_millis() as u64;
        Duration::from_millis(self.pick(millis(range.start)..millis(range.end)))
    }
}
