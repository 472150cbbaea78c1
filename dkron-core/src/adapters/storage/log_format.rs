//! How records and marks of the log lie in their tables.
//!
//! A record is a version, a kind, the term and the body, under its index; a checksum of it and its
//! key follows, as behind every mark.

use crate::ports::LogPosition;

/// The first byte of a record: how the rest is laid out.
pub(super) const RECORD_VERSION: u8 = 1;
/// Version, kind and term, in front of the body.
pub(super) const RECORD_HEADER_BYTES: usize = 10;

/// What this node has voted for.
pub(super) const VOTE: &[u8] = b"vote";
/// How far the log is known to be committed.
pub(super) const COMMITTED: &[u8] = b"committed";
/// Up to where records were removed.
pub(super) const PURGED: &[u8] = b"purged";

pub(super) fn encode_position(position: LogPosition) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (term, index) = bytes.split_at_mut(8);
    term.copy_from_slice(&position.term.to_le_bytes());
    index.copy_from_slice(&position.index.to_le_bytes());
    bytes
}

pub(super) fn decode_position(bytes: &[u8]) -> Option<LogPosition> {
    let (term, index) = bytes.split_first_chunk()?;
    let index = index.try_into().ok()?;
    Some(LogPosition { term: u64::from_le_bytes(*term), index: u64::from_le_bytes(index) })
}
