//! The log in memory: for clusters without a disk, and for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::health::StorageHealth;
use crate::error::Error;
use crate::ports::{LogBounds, LogPosition, LogRecord, LogStore, LogWrite, WriteDone};

/// A log that ends with its process.
pub struct MemoryLog {
    contents: Mutex<Contents>,
    health: Arc<StorageHealth>,
}

#[derive(Default)]
struct Contents {
    records: BTreeMap<u64, LogRecord>,
    purged: Option<LogPosition>,
    committed: Option<LogPosition>,
    vote: Option<Vec<u8>>,
}

impl MemoryLog {
    /// Makes an empty log.
    pub fn new(health: Arc<StorageHealth>) -> Self {
        Self { contents: Mutex::default(), health }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for MemoryLog {
    fn write(&self, write: LogWrite, done: WriteDone) {
        if let Err(error) = self.health.check_process() {
            return done(Err(error));
        }
        let mut contents = self.contents();
        match write {
            LogWrite::Append(records) => {
                let records = records.into_iter().map(|record| (record.position.index, record));
                contents.records.extend(records);
            }
            LogWrite::TruncateAfter(None) => contents.records.clear(),
            LogWrite::TruncateAfter(Some(index)) => {
                contents.records.split_off(&index.saturating_add(1));
            }
            LogWrite::Purge(position) => {
                contents.records = contents.records.split_off(&position.index.saturating_add(1));
                contents.purged = Some(position);
            }
            LogWrite::Vote(vote) => contents.vote = Some(vote),
            LogWrite::Committed(position) => contents.committed = Some(position),
        }
        drop(contents);
        done(Ok(()));
    }

    fn bounds(&self) -> Result<LogBounds, Error> {
        let contents = self.contents();
        let last = contents.records.last_key_value().map(|(_, record)| record.position);
        Ok(LogBounds { purged: contents.purged, last: last.or(contents.purged) })
    }

    fn read(&self, first: u64, end: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Error> {
        self.health.check_process()?;
        let mut bytes = 0;
        let mut records = Vec::new();
        if first >= end {
            return Ok(records);
        }
        for record in self.contents().records.range(first..end).map(|(_, record)| record) {
            bytes += record.body.len();
            records.push(record.clone());
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(records)
    }

    fn oldest_within(&self, last: u64, count_max: u64, bytes_max: u64) -> Result<u64, Error> {
        self.health.check_process()?;
        let contents = self.contents();
        let newest = contents.records.range(..=last).rev();
        let mut oldest = last.saturating_add(1);
        let mut bytes = 0;
        for (index, record) in newest.take(usize::try_from(count_max).unwrap_or(usize::MAX)) {
            bytes += record.body.len() as u64;
            if bytes > bytes_max {
                break;
            }
            oldest = *index;
        }
        Ok(oldest)
    }

    fn vote(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.contents().vote.clone())
    }

    fn committed(&self) -> Result<Option<LogPosition>, Error> {
        Ok(self.contents().committed)
    }

    fn bytes(&self) -> Result<u64, Error> {
        let records =
            self.contents().records.values().map(|record| record.body.len()).sum::<usize>();
        Ok(records as u64)
    }

    fn check_writable(&self) -> Result<(), Error> {
        self.health.check_writable()
    }

    fn check_accepting(&self) -> Result<(), Error> {
        self.health.check_accepting()
    }
}
