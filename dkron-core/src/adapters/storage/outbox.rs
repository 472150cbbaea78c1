//! Results that no leader has acknowledged, in a file of their own or in memory.
//!
//! The file is a row of records: a mark by which they are found, length, checksum, and an entry
//! that finishes executions, in the encoding of the log. A record that is torn or damaged costs
//! nothing but itself: the next one is found by its mark. A torn end is what a crash leaves, and
//! was never promised; it is cut off when the file is opened. Everything else that cannot be read
//! is set aside rather than forgotten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checksum::{CHECKSUM_BYTES, checksum};
use super::data_dir::{DataDir, sync_dir};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Command, Entry, Envelope, Report, decode_entry, encode_entry};
use crate::kernel::time::Timestamp;
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::{Outbox, OutboxMark};

/// The file in the data dir.
const FILE_NAME: &str = "outbox";
/// Where a file goes that holds what cannot be read.
const DAMAGED_NAME: &str = "outbox.damaged";

/// How a record begins.
const RECORD_MARK: [u8; 4] = *b"\xd4kO1";
/// The mark, the length and the checksum.
const HEAD_BYTES: usize = RECORD_MARK.len() + 4 + CHECKSUM_BYTES;
/// The longest record. One report is well below: its output is bounded.
const RECORD_BYTES_MAX: usize = 2 << 20;
/// A record takes no further report once it holds so many bytes of output.
const RECORD_BYTES_AIM: usize = 1 << 20;
/// About what a report takes beside its output.
const REPORT_BYTES: usize = 512;
/// What is read at once: each record that begins in its first half lies in it as a whole.
const WINDOW_BYTES: usize = 2 * RECORD_BYTES_MAX;

/// An outbox on disk.
pub struct FileOutbox {
    path: PathBuf,
    /// Held while the file is used.
    file: Mutex<FileState>,
    /// Nobody else may open the file before this is gone.
    data_dir: Arc<DataDir>,
}

/// What is known of the file.
#[derive(Default)]
struct FileState {
    /// It holds something that cannot be read.
    is_damaged: bool,
}

impl FileOutbox {
    /// Uses the outbox of a data dir, which need not exist; cuts off what a crash has torn.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it cannot be read.
    pub fn open(data_dir: &Arc<DataDir>) -> Result<Self, Error> {
        let path = data_dir.path().join(FILE_NAME);
        let outbox = Self { path, file: Mutex::default(), data_dir: Arc::clone(data_dir) };
        outbox.cut_torn_end().map_err(|error| outbox.failed("open", error))?;
        Ok(outbox)
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        let text = format!("{action} the outbox {}", self.path.display());
        Error::new(ErrorKind::Storage, text).with_source(error)
    }

    fn lock(&self) -> MutexGuard<'_, FileState> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts off the record that was being written when the process ended.
    fn cut_torn_end(&self) -> io::Result<()> {
        let Some(file) = self.open_file()? else { return Ok(()) };
        let mut end = 0;
        while let Some(found) = find_records(&file, end)? {
            end = found.end;
        }
        let left = file.metadata()?.len().saturating_sub(end);
        if left == 0 || !is_torn(&read_window(&file, end)?) {
            return Ok(());
        }
        tracing::warn!(bytes = left, "the outbox ends with a torn record: cut off");
        let cut = OpenOptions::new().write(true).open(&self.path).and_then(|file| {
            file.set_len(end)?;
            file.sync_all()
        });
        if let Err(error) = cut {
            // It is passed over when it is read, and what is added behind it is found all the same.
            tracing::warn!(%error, "cannot cut off the torn end of the outbox");
        }
        Ok(())
    }

    fn open_file(&self) -> io::Result<Option<File>> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends records and syncs them; cuts off again what could not be written as a whole.
    fn append(&self, reports: &[Report]) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        let before = file.metadata()?.len();
        let written = write_records(&mut file, reports).and_then(|()| file.sync_all());
        if written.is_err() {
            // If this fails as well, what is torn is passed over when it is read.
            let _ = file.set_len(before);
        } else if before == 0 {
            // The file may be new.
            sync_dir(self.data_dir.path())?;
        }
        written
    }

    fn read_from(&self, from: u64) -> io::Result<Option<(Vec<Report>, u64)>> {
        let mut state = self.lock();
        let Some(file) = self.open_file()? else { return Ok(None) };
        let mut from = from;
        while let Some(found) = find_records(&file, from)? {
            state.is_damaged |= found.passed_over > 0;
            let mut reports = Vec::new();
            for body in found.bodies {
                match decode_entry(&body) {
                    Ok(entry) => reports.extend(entry.commands.into_iter().filter_map(finished)),
                    Err(_) => state.is_damaged = true,
                }
            }
            if !reports.is_empty() {
                return Ok(Some((reports, found.end)));
            }
            from = found.end;
        }
        state.is_damaged |= file.metadata()?.len() > from;
        Ok(None)
    }

    fn empty(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.is_damaged {
            let aside = self.data_dir.path().join(DAMAGED_NAME);
            fs::rename(&self.path, &aside)?;
            state.is_damaged = false;
            tracing::error!(
                aside = %aside.display(),
                "a part of the outbox cannot be read: it is set aside"
            );
            return sync_dir(self.data_dir.path());
        }
        match OpenOptions::new().write(true).open(&self.path) {
            Ok(file) if file.metadata()?.len() == 0 => Ok(()),
            Ok(file) => file.set_len(0).and_then(|()| file.sync_all()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Outbox for FileOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        let _state = self.lock();
        self.append(reports).map_err(|error| self.failed("write", error))
    }

    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error> {
        let read = self.read_from(from.0).map_err(|error| self.failed("read", error))?;
        Ok(read.map(|(reports, end)| (reports, OutboxMark(end))))
    }

    fn clear(&self) -> Result<(), Error> {
        self.empty().map_err(|error| self.failed("empty", error))
    }
}

/// Writes reports as records, each of them of bounded size.
fn write_records(file: &mut File, mut reports: &[Report]) -> io::Result<()> {
    while !reports.is_empty() {
        let mut bytes = 0;
        let fits = |report: &&Report| {
            let has_room = bytes < RECORD_BYTES_AIM;
            bytes += report.output.bytes.len() + REPORT_BYTES;
            has_room
        };
        let count = reports.iter().take(COMMANDS_PER_ENTRY_MAX).take_while(fits).count();
        let (first, rest) = reports.split_at(count);
        let body = encode_entry(&Entry {
            at: Timestamp::UNIX_EPOCH,
            commands: first.iter().map(Envelope::finish).collect(),
        });
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if HEAD_BYTES + body.len() > RECORD_BYTES_MAX {
            return Err(io::Error::other("a result is larger than any should be"));
        }
        let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
        record.extend_from_slice(&RECORD_MARK);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&checksum(&[&body]));
        record.extend_from_slice(&body);
        file.write_all(&record)?;
        reports = rest;
    }
    Ok(())
}

fn finished(envelope: Envelope) -> Option<Report> {
    match envelope.command {
        Command::Finish(report) => Some(*report),
        _ => None,
    }
}

/// Whole records that follow each other.
struct Found {
    bodies: Vec<Vec<u8>>,
    /// Bytes before the first one that belong to none.
    passed_over: u64,
    /// Where the last one ends.
    end: u64,
}

/// Finds the first records that are whole, from a place in the file on.
fn find_records(file: &File, from: u64) -> io::Result<Option<Found>> {
    let mut at = from;
    loop {
        let window = read_window(file, at)?;
        if let Some((start, bodies, end)) = records_in(&window) {
            let passed_over = at - from + start as u64;
            return Ok(Some(Found { bodies, passed_over, end: at + end as u64 }));
        }
        if window.len() < WINDOW_BYTES {
            return Ok(None);
        }
        at += RECORD_BYTES_MAX as u64;
    }
}

/// Returns the records in a window with their start and end; `None` if no whole one is in it.
fn records_in(window: &[u8]) -> Option<(usize, Vec<Vec<u8>>, usize)> {
    let mut starts = window.windows(RECORD_MARK.len()).enumerate();
    let (start, first) = starts.find_map(|(start, bytes)| {
        let record = (bytes == RECORD_MARK).then(|| body_at(window, start));
        record.flatten().map(|body| (start, body))
    })?;
    let mut end = start + HEAD_BYTES + first.len();
    let mut bodies = vec![first.to_vec()];
    while bodies.len() < COMMANDS_PER_ENTRY_MAX
        && let Some(body) = body_at(window, end)
    {
        end += HEAD_BYTES + body.len();
        bodies.push(body.to_vec());
    }
    Some((start, bodies, end))
}

/// Returns the body of the record that begins at `start`, if it is whole.
fn body_at(window: &[u8], start: usize) -> Option<&[u8]> {
    let rest = window.get(start..)?.strip_prefix(&RECORD_MARK)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let body = rest.get(..length).filter(|body| body.len() <= RECORD_BYTES_MAX)?;
    (checksum(&[body]) == *sum).then_some(body)
}

/// Tells whether the last bytes of a file are the beginning of a record that was never finished.
fn is_torn(tail: &[u8]) -> bool {
    let Some((head, body)) = tail.split_at_checked(HEAD_BYTES) else {
        return tail.iter().zip(RECORD_MARK).all(|(byte, mark)| *byte == mark);
    };
    let Some((length, _)) = head.strip_prefix(&RECORD_MARK).and_then(<[u8]>::split_first_chunk)
    else {
        return false;
    };
    let length = u32::from_be_bytes(*length) as usize;
    length <= RECORD_BYTES_MAX && body.len() < length
}

/// Reads up to [`WINDOW_BYTES`] of a file; less only at its end.
fn read_window(file: &File, at: u64) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(at);
    let mut window =
        vec![0; usize::try_from(left).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES))];
    file.read_exact_at(&mut window, at)?;
    Ok(window)
}

/// An outbox for nodes without a disk.
#[derive(Default)]
pub struct MemoryOutbox(Mutex<Vec<Report>>);

impl MemoryOutbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for MemoryOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        self.lock().extend_from_slice(reports);
        Ok(())
    }

    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error> {
        let kept = self.lock();
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        let left = kept.get(from..).unwrap_or_default();
        let reports: Vec<Report> = left.iter().take(COMMANDS_PER_ENTRY_MAX).cloned().collect();
        let end = OutboxMark((from + reports.len()) as u64);
        Ok((!reports.is_empty()).then_some((reports, end)))
    }

    fn clear(&self) -> Result<(), Error> {
        self.lock().clear();
        Ok(())
    }
}

#[cfg(test)]
#[path = "outbox_test.rs"]
mod tests;
