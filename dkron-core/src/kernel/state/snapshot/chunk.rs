//! What writer and reader agree on: how a chunk is laid out, and which rows are in it.

use crate::kernel::state::checksum::Checksum;
use crate::kernel::state::{Table, keys};

/// What the first chunk holds; the last byte is the version of the format.
pub(super) const MAGIC: &[u8] = b"dkron state\x01";
/// A chunk is closed by the first row that brings its body to so many bytes.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Largest body that is read: a chunk just short of [`CHUNK_BYTES`], and a row that no log entry
/// could have held.
pub(super) const BODY_BYTES_MAX: usize = 16 << 20;
/// Length and checksum before each body.
pub(super) const HEAD_BYTES: usize = 12;

pub(super) const BODY_MAGIC: u8 = 0;
pub(super) const BODY_ROWS: u8 = 1;
pub(super) const BODY_END: u8 = 2;

/// Writes the head of a chunk.
pub(super) fn seal(mut chunk: Vec<u8>) -> Vec<u8> {
    if let Some((head, body)) = chunk.split_first_chunk_mut::<HEAD_BYTES>() {
        let (length, sum) = head.split_at_mut(4);
        length.copy_from_slice(&(body.len() as u32).to_le_bytes());
        sum.copy_from_slice(&checksum_of(body).to_le_bytes());
    }
    chunk
}

pub(super) fn checksum_of(body: &[u8]) -> u64 {
    let mut checksum = Checksum::new();
    checksum.add(body);
    checksum.value()
}

/// Returns whether a key belongs to the state, not to the log adapter.
pub(super) fn is_ours(table: Table, key: &[u8]) -> bool {
    table != Table::Meta || key.starts_with(keys::META_PREFIX)
}
