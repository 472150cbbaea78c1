//! The checksum of stored records: CRC-32 of the parts that belong together.

/// How many bytes a checksum takes.
pub const CHECKSUM_BYTES: usize = 4;

/// Returns the checksum of `parts`, taken one after the other.
pub fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_le_bytes()
}

/// Splits the checksum off the end of a stored value and verifies it against key and value.
///
/// `None` if it does not match: the record is damaged.
pub fn verified<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (value, sum) = stored.split_last_chunk::<CHECKSUM_BYTES>()?;
    (checksum(&[key, value]) == *sum).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_flipped_bit_is_seen() {
        let key = b"job";
        let mut stored = b"a value of some length".to_vec();
        let sum = checksum(&[key, &stored]);
        stored.extend_from_slice(&sum);
        assert_eq!(verified(key, &stored), Some(&b"a value of some length"[..]));

        for bit in 0..stored.len() * 8 {
            stored[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verified(key, &stored), None, "bit {bit}");
            stored[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(verified(b"jpb", &stored), None, "the key counts, too");
        assert_eq!(verified(key, b"abc"), None, "too short for a checksum");
    }
}
