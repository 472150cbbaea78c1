//! A checksum of 64 bits: finds accidents, not forgery.

/// Odd, so that multiplying by it loses nothing; its bits are those of the golden ratio.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// A checksum that grows with what is added to it.
///
/// Each word of eight bytes goes through steps that can be undone, so a change within one word is
/// always found, and any other with all but certainty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum(u64);

impl Checksum {
    pub(super) fn new() -> Self {
        Self(FACTOR)
    }

    /// Adds bytes and their number: `ab`, `c` differs from `a`, `bc`.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.mix(u64::from_le_bytes(last));
        self.mix(bytes.len() as u64);
    }

    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(FACTOR);
        self.0 ^= self.0 >> 32;
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> u64 {
        let mut checksum = Checksum::new();
        for part in parts {
            checksum.add(part);
        }
        checksum.value()
    }

    #[test]
    fn every_single_bit_counts() {
        let bytes: Vec<u8> = (0..61).collect();
        let whole = of(&[&bytes]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&[&flipped]), whole, "bit {bit}");
        }
    }

    #[test]
    fn lengths_and_borders_count() {
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"a"]), of(&[b"a\0"]));
        assert_ne!(of(&[b""]), of(&[]));
    }
}
