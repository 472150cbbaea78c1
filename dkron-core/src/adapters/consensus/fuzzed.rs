//! What the fuzzers feed: every record of the consensus that lies on a disk.

use std::fmt::Debug;
use std::sync::Arc;

use super::machine::{decode_meta, encode_meta};
use super::record::{
    MalformedRecord, decode_applied, decode_membership, decode_record, decode_vote, encode_applied,
    encode_membership, encode_record, encode_vote,
};
use crate::ports::{LogPosition, LogRecord};

/// Takes bytes for a record of each kind. One that decodes is written so that it reads the same.
///
/// # Panics
///
/// If it does not.
pub fn records(bytes: &[u8]) {
    reads_as_written(bytes, decode_vote, encode_vote);
    reads_as_written(bytes, decode_membership, encode_membership);
    reads_as_written(bytes, decode_applied, encode_applied);
    reads_as_written(bytes, decode_meta, |(membership, at)| encode_meta(membership, *at));
    if let Some((kind, body)) = bytes.split_first() {
        let position = LogPosition { term: 1, index: 1 };
        let record = LogRecord { position, kind: *kind, body: Arc::new(body.to_vec()) };
        let Ok(entry) = decode_record(record) else { return };
        let again: Result<_, MalformedRecord> = decode_record(encode_record(&entry));
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, MalformedRecord>(entry)));
    }
}

fn reads_as_written<T: Debug, E: Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(record) = decode(bytes) else { return };
    let again = decode(&encode(&record));
    assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, E>(record)));
}
