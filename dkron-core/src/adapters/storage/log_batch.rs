//! A batch of writes of the log in the making: one transaction, one sync.

use std::ops::Bound;

use heed::{PutFlags, RwTxn};

use super::crc32::{CHECKSUM_BYTES, checksum};
use super::env::ByteTable;
use super::log_format::{
    COMMITTED, PURGED, RECORD_HEADER_BYTES, RECORD_VERSION, VOTE, encode_position,
};
use crate::ports::{LogPosition, LogRecord};

/// A batch of writes in the making.
pub struct LogBatch<'a> {
    txn: RwTxn<'a>,
    records: ByteTable,
    marks: ByteTable,
    /// Reused for each record.
    scratch: Vec<u8>,
}

impl<'a> LogBatch<'a> {
    /// Begins a batch in a transaction of the log's environment.
    pub(super) fn new(txn: RwTxn<'a>, records: ByteTable, marks: ByteTable) -> Self {
        Self { txn, records, marks, scratch: Vec::new() }
    }

    /// Adds a record after the last one.
    pub fn append(&mut self, record: &LogRecord) -> heed::Result<()> {
        let LogRecord { position: LogPosition { term, index }, kind, body } = record;
        let key = index.to_be_bytes();
        self.scratch.clear();
        self.scratch.reserve(RECORD_HEADER_BYTES + body.len() + CHECKSUM_BYTES);
        self.scratch.extend_from_slice(&[RECORD_VERSION, *kind]);
        self.scratch.extend_from_slice(&term.to_le_bytes());
        self.scratch.extend_from_slice(body);
        let sum = checksum(&[&key, &self.scratch]);
        self.scratch.extend_from_slice(&sum);
        // Appending fills the pages, and refuses an index that is not the greatest.
        self.records.put_with_flags(&mut self.txn, PutFlags::APPEND, &key, &self.scratch)
    }

    /// Removes the records after `index`; all if `None`.
    pub fn truncate_after(&mut self, index: Option<u64>) -> heed::Result<()> {
        let Some(index) = index else { return self.records.clear(&mut self.txn) };
        let key = index.to_be_bytes();
        let range = (Bound::Excluded(&key[..]), Bound::Unbounded);
        self.records.delete_range(&mut self.txn, &range).map(|_| ())
    }

    /// Removes at most `count_max` of the records up to and including `index`, oldest first;
    /// returns whether some are left.
    pub fn purge(&mut self, index: u64, count_max: u64) -> heed::Result<bool> {
        let Some((oldest, _)) = self.records.first(&self.txn)? else { return Ok(false) };
        let oldest = oldest.try_into().map_or(0, u64::from_be_bytes);
        if oldest > index {
            return Ok(false);
        }
        let upto = index.min(oldest.saturating_add(count_max - 1));
        let key = upto.to_be_bytes();
        let range = (Bound::Unbounded, Bound::Included(&key[..]));
        self.records.delete_range(&mut self.txn, &range)?;
        Ok(upto < index)
    }

    /// Notes that the records up to and including this one are gone.
    pub fn set_purged(&mut self, position: LogPosition) -> heed::Result<()> {
        self.set_mark(PURGED, &encode_position(position))
    }

    /// Notes how far the log is known to be committed.
    pub fn set_committed(&mut self, position: LogPosition) -> heed::Result<()> {
        self.set_mark(COMMITTED, &encode_position(position))
    }

    /// Sets the vote.
    pub fn set_vote(&mut self, vote: &[u8]) -> heed::Result<()> {
        self.set_mark(VOTE, vote)
    }

    /// Makes the batch durable.
    pub fn commit(self) -> heed::Result<()> {
        self.txn.commit()
    }

    fn set_mark(&mut self, name: &[u8], value: &[u8]) -> heed::Result<()> {
        self.scratch.clear();
        self.scratch.extend_from_slice(value);
        self.scratch.extend_from_slice(&checksum(&[name, value]));
        self.marks.put(&mut self.txn, name, &self.scratch)
    }
}
