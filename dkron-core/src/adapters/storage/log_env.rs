//! The log on disk: records by index, and the marks beside them, in one LMDB environment.
//!
//! One write transaction takes a whole batch of writes (`log_batch`); its commit is synced before
//! it returns. `log_format` says how records and marks are laid out. Knows nothing of threads,
//! queues or a full disk: the writer does.
//!
//! # Invariants
//!
//! * The records after the purge mark are numbered without a gap; checked when the log is opened.
//! * Every record and mark carries a checksum of itself and its key.

use std::ops::Bound;
use std::sync::Arc;

use heed::{RoTxn, WithoutTls};

use super::crc32::{CHECKSUM_BYTES, verified};
use super::data_dir::DataDir;
use super::env::{ByteTable, EnvConfig, OpenEnv};
use super::log_batch::LogBatch;
use super::log_format::{
    COMMITTED, PURGED, RECORD_HEADER_BYTES, RECORD_VERSION, VOTE, decode_position,
};
use super::mapped_pages::MappedPages;
use super::page_walk::PageCheck;
use crate::error::{Error, ErrorKind};
use crate::ports::{LogBounds, LogPosition, LogRecord};

/// The directory of the log within the data dir.
pub const DIR_NAME: &str = "log";
/// How much the log can hold. Address space, not memory.
const MAP_BYTES_MAX: usize = 1 << 38;
/// Index → record.
const RECORDS: usize = 0;
/// Name → mark.
const MARKS: usize = 1;

/// The open log of a data dir.
pub struct LogEnv {
    env: OpenEnv<2>,
}

impl LogEnv {
    /// Opens or makes the log, and reads all of it to see that it is whole.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it is damaged or cannot be opened.
    pub fn open(data_dir: &Arc<DataDir>) -> Result<Self, Error> {
        let config = EnvConfig {
            name: DIR_NAME,
            map_bytes_max: MAP_BYTES_MAX,
            may_lose_last_commit: false,
            tables: ["log", "marks"],
        };
        let verify = |table: &[u8], key: &[u8], stored: &[u8]| match verified(key, stored) {
            Some(_) => Ok(()),
            None => Err(format!(
                "record \"{}\" of \"{}\" does not match its checksum",
                key.escape_ascii(),
                table.escape_ascii()
            )),
        };
        let check = PageCheck { verify, skips_big_values_of: None, leaves: &[] };
        let (env, _nothing_left) = OpenEnv::open(data_dir, &config, check)?;
        let log = Self { env };
        log.check_sequence()?;
        Ok(log)
    }

    /// Returns what the log holds.
    pub fn bounds(&self) -> Result<LogBounds, Error> {
        let txn = self.read_txn()?;
        let purged = self.purged(&txn)?;
        let last = self.records().last(&txn).map_err(|error| self.failed("read", error))?;
        let last = match last {
            Some((key, stored)) => Some(self.parse(key, stored)?.position),
            None => None,
        };
        // Records that a purge has yet to remove do not count.
        let last = match (purged, last) {
            (Some(purged), Some(last)) if last.index <= purged.index => Some(purged),
            (purged, last) => last.or(purged),
        };
        Ok(LogBounds { purged, last })
    }

    /// Reads records; see [`LogStore::read`](crate::ports::LogStore::read).
    pub fn read(&self, first: u64, end: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Error> {
        let txn = self.read_txn()?;
        let (first, end) = (first.to_be_bytes(), end.to_be_bytes());
        let range = (Bound::Included(&first[..]), Bound::Excluded(&end[..]));
        if first >= end {
            return Ok(Vec::new());
        }
        let found =
            self.records().range(&txn, &range).map_err(|error| self.failed("read", error))?;
        let mut records: Vec<LogRecord> = Vec::new();
        let mut bytes = 0;
        for record in found {
            let (key, stored) = record.map_err(|error| self.failed("read", error))?;
            let record = self.parse(key, stored)?;
            if records.last().is_some_and(|last| last.position.index + 1 != record.position.index) {
                return Err(self.damaged(format!("no record before {}", record.position.index)));
            }
            bytes += record.body.len();
            records.push(record);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(records)
    }

    /// Walks back over sizes; see [`LogStore::oldest_within`](crate::ports::LogStore).
    pub fn oldest_within(&self, last: u64, count_max: u64, bytes_max: u64) -> Result<u64, Error> {
        let txn = self.read_txn()?;
        let key = last.to_be_bytes();
        let range = (Bound::Unbounded, Bound::Included(&key[..]));
        let found =
            self.records().rev_range(&txn, &range).map_err(|error| self.failed("read", error))?;
        let mut oldest = last.saturating_add(1);
        let mut bytes = 0;
        for record in found.take(usize::try_from(count_max).unwrap_or(usize::MAX)) {
            let (key, stored) = record.map_err(|error| self.failed("read", error))?;
            bytes += stored.len().saturating_sub(RECORD_HEADER_BYTES + CHECKSUM_BYTES) as u64;
            if bytes > bytes_max {
                break;
            }
            oldest = self.index_of(key)?;
        }
        Ok(oldest)
    }

    /// Returns the vote.
    pub fn vote(&self) -> Result<Option<Vec<u8>>, Error> {
        self.mark(&self.read_txn()?, VOTE)
    }

    /// Returns how far the log is known to be committed.
    pub fn committed(&self) -> Result<Option<LogPosition>, Error> {
        self.position_mark(&self.read_txn()?, COMMITTED)
    }

    /// Returns how much the records take, in whole pages.
    pub fn bytes(&self) -> Result<u64, Error> {
        let txn = self.read_txn()?;
        let stat = self.records().stat(&txn).map_err(|error| self.failed("read", error))?;
        Ok(stat.non_free_page_size() as u64)
    }

    /// Begins a batch. Call from one thread only.
    pub fn begin(&self) -> heed::Result<LogBatch<'_>> {
        Ok(LogBatch::new(self.env.env().write_txn()?, self.records(), self.marks()))
    }

    /// Returns what is mapped of its file.
    pub fn pages(&self) -> &Arc<MappedPages> {
        self.env.pages()
    }

    /// Puts an error of the environment into words.
    pub fn failed(&self, action: &str, error: heed::Error) -> Error {
        let message = format!("{action} the log in {}", self.env.path().display());
        Error::new(ErrorKind::Storage, message).with_source(error)
    }

    /// Sees that no record after the purge mark is missing.
    fn check_sequence(&self) -> Result<(), Error> {
        let txn = self.read_txn()?;
        let purged = self.purged(&txn)?;
        let mut expected = purged.map_or(0, |purged| purged.index.saturating_add(1));
        let first = expected.to_be_bytes();
        let range = (Bound::Included(&first[..]), Bound::Unbounded);
        let mut term = purged.map_or(0, |purged| purged.term);
        let found =
            self.records().range(&txn, &range).map_err(|error| self.failed("read", error))?;
        for record in found {
            let (key, stored) = record.map_err(|error| self.failed("read", error))?;
            let (position, ..) = self.split(key, stored)?;
            if position.index != expected || position.term < term {
                return Err(self.damaged(format!("record {expected} is missing or out of order")));
            }
            expected = position.index.saturating_add(1);
            term = position.term;
        }
        Ok(())
    }

    fn parse(&self, key: &[u8], stored: &[u8]) -> Result<LogRecord, Error> {
        let (position, kind, body) = self.split(key, stored)?;
        Ok(LogRecord { position, kind, body: Arc::new(body.to_vec()) })
    }

    /// Verifies a stored record and takes it apart: where it stands, its kind, its body.
    fn split<'a>(
        &self,
        key: &[u8],
        stored: &'a [u8],
    ) -> Result<(LogPosition, u8, &'a [u8]), Error> {
        let damaged = || {
            self.damaged(format!("record \"{}\" does not match its checksum", key.escape_ascii()))
        };
        let value = verified(key, stored).ok_or_else(damaged)?;
        let index = self.index_of(key)?;
        let ([version, kind], rest) = value.split_first_chunk().ok_or_else(damaged)?;
        if *version != RECORD_VERSION {
            return Err(self.damaged(format!("record {index} has the unknown version {version}")));
        }
        let (term, body) = rest.split_first_chunk().ok_or_else(damaged)?;
        Ok((LogPosition { term: u64::from_le_bytes(*term), index }, *kind, body))
    }

    fn index_of(&self, key: &[u8]) -> Result<u64, Error> {
        let damaged = |_| self.damaged(format!("\"{}\" is no index", key.escape_ascii()));
        key.try_into().map(u64::from_be_bytes).map_err(damaged)
    }

    fn purged(&self, txn: &RoTxn<'_, WithoutTls>) -> Result<Option<LogPosition>, Error> {
        self.position_mark(txn, PURGED)
    }

    fn position_mark(
        &self,
        txn: &RoTxn<'_, WithoutTls>,
        name: &[u8],
    ) -> Result<Option<LogPosition>, Error> {
        let Some(bytes) = self.mark(txn, name)? else { return Ok(None) };
        let position = decode_position(&bytes)
            .ok_or_else(|| self.damaged(format!("mark \"{}\"", name.escape_ascii())))?;
        Ok(Some(position))
    }

    fn mark(&self, txn: &RoTxn<'_, WithoutTls>, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = self.marks().get(txn, name).map_err(|error| self.failed("read", error))?;
        let Some(stored) = found else { return Ok(None) };
        let value = verified(name, stored)
            .ok_or_else(|| self.damaged(format!("mark \"{}\"", name.escape_ascii())))?;
        Ok(Some(value.to_vec()))
    }

    fn read_txn(&self) -> Result<RoTxn<'_, WithoutTls>, Error> {
        self.env.env().read_txn().map_err(|error| self.failed("read", error))
    }

    fn records(&self) -> ByteTable {
        self.env.table(RECORDS)
    }

    fn marks(&self) -> ByteTable {
        self.env.table(MARKS)
    }

    fn damaged(&self, what: String) -> Error {
        let message = format!("the log in {} is damaged: {what}", self.env.path().display());
        Error::new(ErrorKind::Storage, message)
    }
}
