//! openraft's log storage over a [`LogStore`]: what is under way is in memory, the rest on disk.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use super::log_tail::LogTail;
use super::raft_types::{LogId, RaftEntry, TypeConfig, Vote, to_log_id, to_position};
use super::record::{decode_record, decode_vote, encode_record, encode_vote};
use crate::error::{Error, ErrorKind};
use crate::ports::{LogStore, LogWrite};

/// Bytes of entries that one message to another node holds at most, but for the last entry.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The log, as openraft writes and reads it. Clones are the same log.
#[derive(Clone)]
pub struct LogStorage {
    store: Arc<dyn LogStore>,
    tail: Arc<LogTail>,
}

impl LogStorage {
    /// Takes over a log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it cannot be read.
    pub fn open(store: Arc<dyn LogStore>) -> Result<Self, Error> {
        let vote = match store.vote()? {
            Some(bytes) => Some(decode_vote(&bytes).map_err(|error| {
                Error::new(ErrorKind::Storage, "read the log").with_source(error)
            })?),
            None => None,
        };
        let tail = Arc::new(LogTail::new(store.bounds()?, vote));
        Ok(Self { store, tail })
    }

    /// Returns the end of the log that is in memory.
    pub fn tail(&self) -> &Arc<LogTail> {
        &self.tail
    }

    /// Hands over a write and waits until it is durable.
    async fn write(&self, write: LogWrite) -> Result<(), io::Error> {
        let (done, answer) = oneshot::channel();
        // Whoever waited may have been cancelled; the write happens all the same.
        self.store.write(write, Box::new(move |result| drop(done.send(result))));
        match answer.await {
            Ok(result) => result.map_err(to_io),
            Err(_) => Err(io::Error::other("the log's writer has ended")),
        }
    }

    /// Reads entries; stops after the one that reaches `bytes_max`.
    fn entries(
        &self,
        range: &impl RangeBounds<u64>,
        bytes_max: usize,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        let first = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let (on_disk, here) = self.tail.split(first..end);
        if on_disk.is_empty() {
            return Ok(here);
        }
        let records = self.store.read(on_disk.start, on_disk.end, bytes_max).map_err(to_io)?;
        let bytes: usize = records.iter().map(|record| record.body.len()).sum();
        let is_cut = bytes >= bytes_max;
        // Nothing within the bounds may be missing, unless the limit cut it off or a purge was
        // faster than this.
        let present = self.tail.first();
        let first = records.first().map_or(on_disk.end, |record| record.position.index);
        let end = records.last().map_or(present, |record| record.position.index + 1);
        if first > on_disk.start.max(present) || (end < on_disk.end && !is_cut) {
            let what = format!("the log lacks records of {} to {}", on_disk.start, on_disk.end);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut entries = Vec::with_capacity(records.len() + here.len());
        for record in records {
            let entry = decode_record(record);
            entries.push(entry.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?);
        }
        if end >= on_disk.end {
            entries.extend(here);
        }
        Ok(entries)
    }
}

impl RaftLogReader<TypeConfig> for LogStorage {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        self.entries(&range, usize::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        self.entries(&(start..end), MESSAGE_BYTES_MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.tail.vote())
    }
}

impl RaftLogStorage<TypeConfig> for LogStorage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let bounds = self.tail.bounds();
        Ok(LogState {
            last_purged_log_id: bounds.purged.map(to_log_id),
            last_log_id: bounds.last.map(to_log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.write(LogWrite::Vote(encode_vote(vote))).await?;
        self.tail.set_vote(vote.clone());
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        if let Some(committed) = committed {
            self.write(LogWrite::Committed(to_position(&committed))).await?;
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.store.committed().map_err(to_io)?.map(to_log_id))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<RaftEntry> = entries.into_iter().collect();
        let records = entries.iter().map(encode_record).collect();
        let number = self.tail.append(entries);
        let tail = Arc::clone(&self.tail);
        let done = move |result: Result<(), Error>| {
            if result.is_ok() {
                tail.set_written(number);
            }
            flushed.io_completed(result.map_err(to_io));
        };
        self.store.write(LogWrite::Append(records), Box::new(done));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let last = last.as_ref().map(to_position);
        self.tail.truncate_after(last);
        self.write(LogWrite::TruncateAfter(last.map(|last| last.index))).await
    }

    /// Does not wait: what is not purged before a crash is purged after it.
    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let upto = to_position(&upto);
        self.tail.purge(upto);
        let done = |result: Result<(), Error>| {
            if let Err(error) = result {
                tracing::warn!(error = error.report(), "cannot purge the log");
            }
        };
        self.store.write(LogWrite::Purge(upto), Box::new(done));
        Ok(())
    }
}

/// openraft takes its errors as I/O errors, and keeps their text.
pub fn to_io(error: Error) -> io::Error {
    io::Error::other(error.report())
}
