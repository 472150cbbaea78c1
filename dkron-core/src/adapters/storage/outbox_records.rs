//! How results lie in the file of an outbox: a row of records, and what is left of it after damage.
//!
//! A record is a mark by which it is found, a length, a checksum, and an entry that finishes
//! executions, in the encoding of the log. One that is torn or damaged costs nothing but itself:
//! the next one is found by its mark. Knows nothing of who waits for a result, nor of when the file
//! is emptied: the outbox does.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use super::crc32::{CHECKSUM_BYTES, checksum};
use crate::kernel::state::{
    Command, DecodeError, Entry, Envelope, Report, decode_entry, encode_entry,
};
use crate::kernel::time::Timestamp;
use crate::limits::COMMANDS_PER_ENTRY_MAX;

/// How a record begins.
const RECORD_MARK: [u8; 4] = *b"\xd4kO1";
/// The mark, the length and the checksum.
const HEAD_BYTES: usize = RECORD_MARK.len() + 4 + CHECKSUM_BYTES;
/// The longest record. One report is well below: its output is bounded.
pub(super) const RECORD_BYTES_MAX: usize = 2 << 20;
/// A record takes no further report once it holds so many bytes of output.
const RECORD_BYTES_AIM: usize = 1 << 20;
/// About what a report takes beside its output.
const REPORT_BYTES: usize = 512;
/// What is read at once: each record that begins in its first half lies in it as a whole.
const WINDOW_BYTES: usize = 2 * RECORD_BYTES_MAX;

/// Writes reports as records, each of them of bounded size.
pub(super) fn write_records(file: &mut File, mut reports: &[Report]) -> io::Result<()> {
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
        if HEAD_BYTES + body.len() > RECORD_BYTES_MAX {
            return Err(io::Error::other("a result is larger than any should be"));
        }
        file.write_all(&sealed(&body))?;
        reports = rest;
    }
    Ok(())
}

/// Makes a record of a body.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
    record.extend_from_slice(&RECORD_MARK);
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(&checksum(&[body]));
    record.extend_from_slice(body);
    record
}

/// Returns the reports in the body of a record.
pub(super) fn reports_in(body: &[u8]) -> Result<impl Iterator<Item = Report>, DecodeError> {
    let finished = |envelope: Envelope| match envelope.command {
        Command::Finish(report) => Some(report),
        _ => None,
    };
    Ok(decode_entry(body)?.commands.into_iter().filter_map(finished))
}

/// Whole records that follow each other.
pub(super) struct Found {
    pub(super) bodies: Vec<Vec<u8>>,
    /// Bytes before the first one that belong to none.
    pub(super) passed_over: u64,
    /// Where the last one ends.
    pub(super) end: u64,
}

/// Finds the first records that are whole, from a place in the file on.
pub(super) fn find_records(file: &File, from: u64) -> io::Result<Option<Found>> {
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
pub(super) fn is_torn(tail: &[u8]) -> bool {
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
pub(super) fn read_window(file: &File, at: u64) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(at);
    let mut window =
        vec![0; usize::try_from(left).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES))];
    file.read_exact_at(&mut window, at)?;
    Ok(window)
}
