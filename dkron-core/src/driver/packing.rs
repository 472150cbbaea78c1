//! How outputs are packed for the log and the state: LZ4 where that saves space.
//!
//! The state treats the result as opaque bytes; only this file knows what the packing numbers mean.

use crate::kernel::state::StoredOutput;
use crate::limits::OUTPUT_BYTES_MAX;

/// As written.
const PLAIN: u8 = 0;
/// One LZ4 block with its size in front.
const LZ4: u8 = 1;

/// Shorter outputs are kept plain: LZ4 would not save a page.
const PACKED_FROM_BYTES: usize = 256;

/// Packs what is kept of an output; `bytes_total` is what the run wrote in all.
pub fn pack(bytes: Vec<u8>, bytes_total: u64) -> StoredOutput {
    if bytes.len() >= PACKED_FROM_BYTES {
        let packed = lz4_flex::compress_prepend_size(&bytes);
        if packed.len() < bytes.len() {
            return StoredOutput { bytes_total, packing: LZ4, bytes: packed };
        }
    }
    StoredOutput { bytes_total, packing: PLAIN, bytes }
}

/// Gives back what [`pack`] was given; `None` if the bytes are damaged or of an unknown packing.
pub fn unpack(output: &StoredOutput) -> Option<Vec<u8>> {
    match output.packing {
        PLAIN => Some(output.bytes.clone()),
        LZ4 => {
            // The size in front is hostile until checked: it decides an allocation.
            let (size, block) = lz4_flex::block::uncompressed_size(&output.bytes).ok()?;
            if size > OUTPUT_BYTES_MAX {
                return None;
            }
            lz4_flex::decompress(block, size).ok().filter(|bytes| bytes.len() == size)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: Vec<u8>, want_packing: u8) {
        let packed = pack(bytes.clone(), 7);
        assert_eq!(packed.packing, want_packing);
        assert_eq!(packed.bytes_total, 7);
        assert_eq!(unpack(&packed), Some(bytes));
    }

    #[test]
    fn outputs_come_back_as_they_were() {
        check(Vec::new(), PLAIN);
        check(b"short".to_vec(), PLAIN);
        check(vec![b'x'; OUTPUT_BYTES_MAX], LZ4);
        check((0..4_096u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect(), 0);
    }

    #[test]
    fn damage_is_told_and_never_allocates_what_it_claims() {
        let huge = StoredOutput { bytes_total: 0, packing: LZ4, bytes: vec![0xff; 32] };
        assert_eq!(unpack(&huge), None);
        let unknown = StoredOutput { bytes_total: 0, packing: 9, bytes: Vec::new() };
        assert_eq!(unpack(&unknown), None);
        let mut torn = pack(vec![b'x'; 10_000], 0);
        torn.bytes.truncate(6);
        assert_eq!(unpack(&torn), None);
    }
}
