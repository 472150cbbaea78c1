//! Results that no leader has acknowledged, in a file of their own or in memory.
//!
//! The file is a row of records: length, checksum, and an entry that finishes executions, in the
//! encoding of the log. Only its end can be torn, and what is torn was never promised.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::checksum::{CHECKSUM_BYTES, checksum};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Command, Entry, Envelope, Report, decode_entry, encode_entry};
use crate::kernel::time::Timestamp;
use crate::ports::Outbox;

/// The file in the data dir.
pub const FILE_NAME: &str = "outbox";

/// Bytes of the length in front of a record.
const LENGTH_BYTES: usize = 4;

/// An outbox on disk.
pub struct FileOutbox {
    path: PathBuf,
    /// Held while the file is changed.
    lock: Mutex<()>,
}

impl FileOutbox {
    /// Uses the file at `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path, lock: Mutex::new(()) }
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        let text = format!("{action} the outbox {}", self.path.display());
        Error::new(ErrorKind::Storage, text).with_source(error)
    }

    /// Appends one record and syncs it; cuts off again what could not be written as a whole.
    fn append(&self, record: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let written = file.write_all(record).and_then(|()| file.sync_all());
        if written.is_err() {
            // Nothing is lost if this fails as well: a torn record is left out when it is read.
            let _ = file.set_len(before);
        }
        written
    }
}

impl Outbox for FileOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        let finish = |report: &Report| Envelope {
            request: None,
            command: Command::Finish(Box::new(report.clone())),
        };
        let commands = reports.iter().map(finish).collect();
        let body = encode_entry(&Entry { at: Timestamp::UNIX_EPOCH, commands });
        let length = u32::try_from(body.len()).map_err(|_| {
            Error::new(ErrorKind::LimitExceeded, "results of four gigabytes do not fit the outbox")
        })?;
        let mut record = length.to_be_bytes().to_vec();
        record.extend_from_slice(&checksum(&[&body]));
        record.extend_from_slice(&body);
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(&record).map_err(|error| self.failed("write", error))
    }

    fn load(&self) -> Result<Vec<Report>, Error> {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::read(&self.path) {
            Ok(bytes) => Ok(read_records(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let cleared = File::create(&self.path).and_then(|file| file.sync_all());
        cleared.map_err(|error| self.failed("empty", error))
    }
}

/// Reads records up to the first that is not whole.
fn read_records(mut bytes: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    while let Some((body, rest)) = next_record(bytes) {
        bytes = rest;
        let Ok(entry) = decode_entry(body) else { break };
        reports.extend(entry.commands.into_iter().filter_map(|envelope| match envelope.command {
            Command::Finish(report) => Some(*report),
            _ => None,
        }));
    }
    if !bytes.is_empty() {
        tracing::warn!(bytes = bytes.len(), "the outbox ends with a torn record: left out");
    }
    reports
}

/// Splits off the first record, if it is whole.
fn next_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (body, rest) = rest.split_at_checked(length)?;
    (checksum(&[body]) == *sum).then_some((body, rest))
}

/// An outbox for nodes without a disk.
#[derive(Default)]
pub struct MemoryOutbox(Mutex<Vec<Report>>);

impl Outbox for MemoryOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(reports);
        Ok(())
    }

    fn load(&self) -> Result<Vec<Report>, Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn clear(&self) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{ExecutionId, ExecutionState, JobName, NodeName};
    use crate::kernel::state::StoredOutput;

    fn report(token: u64) -> Report {
        Report {
            job: JobName::parse("backup").unwrap(),
            execution: ExecutionId { due_ns: token, node: NodeName::parse("n1").unwrap() },
            token,
            started_at: None,
            finished_at: Timestamp::UNIX_EPOCH,
            state: ExecutionState::Succeeded,
            output: StoredOutput { bytes_total: 2, packing: 0, bytes: b"ok".to_vec() },
        }
    }

    #[test]
    fn what_was_added_is_there_for_the_next_process_until_it_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);

        FileOutbox::new(path.clone()).add(&[report(1), report(2)]).unwrap();
        FileOutbox::new(path.clone()).add(&[report(3)]).unwrap();

        let outbox = FileOutbox::new(path);
        assert_eq!(outbox.load().unwrap(), [report(1), report(2), report(3)]);
        outbox.clear().unwrap();
        assert_eq!(outbox.load().unwrap(), []);
    }

    #[test]
    fn a_torn_or_damaged_end_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let outbox = FileOutbox::new(path.clone());
        outbox.add(&[report(1)]).unwrap();
        let whole = fs::read(&path).unwrap();
        outbox.add(&[report(2)]).unwrap();
        let both = fs::read(&path).unwrap();

        for length in whole.len()..both.len() {
            fs::write(&path, &both[..length]).unwrap();
            assert_eq!(outbox.load().unwrap(), [report(1)], "cut at {length}");
        }
        let mut flipped = both;
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(outbox.load().unwrap(), [report(1)]);
    }
}
