//! The whole state as a stream of chunks, and back.
//!
//! A chunk is a length, a checksum and a body; the first body names the format, each following one
//! holds rows of one table in key order, the last one counts them. Chunks are numbered. A torn end,
//! a flipped bit, a chunk that is missing or comes twice, a row that does not decode: all are found
//! before the reader says that it is done.
//!
//! Writing and reading hold one chunk in memory at a time. Keys of the log adapter in `Meta` are
//! neither written nor touched.
//!
//! # Where to begin reading
//!
//! [`SnapshotWriter::next_chunk`] and [`SnapshotReader::push`].

use std::ops::{Bound, ControlFlow};

use super::checksum::Checksum;
use super::codec::{self, Malformed};
use super::{Order, Table, TableError, Tables, TablesMut, keys, rows};

/// What the first chunk holds; the last byte is the version of the format.
const MAGIC: &[u8] = b"dkron state\x01";
/// A chunk is closed by the first row that brings its body to so many bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// Largest body that is read: a chunk just short of [`CHUNK_BYTES`], and a row that no log entry
/// could have held.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Length and checksum before each body.
const HEAD_BYTES: usize = 12;

const BODY_MAGIC: u8 = 0;
const BODY_ROWS: u8 = 1;
const BODY_END: u8 = 2;

/// A snapshot that cannot be read, or tables that cannot take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The stream is not what a [`SnapshotWriter`] of this version wrote.
    #[error("chunk {chunk} of the snapshot does not decode: {reason}")]
    Corrupt {
        /// Its number, from 0.
        chunk: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// The stream ended before its end mark.
    #[error("the snapshot ends after {chunks} chunks, without its end mark")]
    Truncated {
        /// Complete chunks that were read.
        chunks: u32,
    },
    /// The tables failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Writes a view of the tables, chunk by chunk.
#[derive(Debug, Default)]
pub struct SnapshotWriter {
    chunks: u32,
    rows: u64,
    stage: Stage,
}

/// What the writer writes next.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Magic,
    /// Rows of the table with this place in [`Table::ALL`], after this key.
    Rows(usize, Vec<u8>),
    End,
    Done,
}

impl SnapshotWriter {
    /// Begins a snapshot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the next chunk, `None` after the last.
    ///
    /// `tables` must show the same view at each call.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the store fails; the snapshot must then be given up.
    pub fn next_chunk(&mut self, tables: &impl Tables) -> Result<Option<Vec<u8>>, TableError> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Magic => {
                    self.stage = Stage::Rows(0, Vec::new());
                    let mut chunk = self.begin(BODY_MAGIC);
                    chunk.extend_from_slice(MAGIC);
                    return Ok(Some(seal(chunk)));
                }
                Stage::Rows(place, after) => {
                    if let Some(chunk) = self.rows(tables, place, after)? {
                        return Ok(Some(chunk));
                    }
                }
                Stage::End => {
                    let mut chunk = self.begin(BODY_END);
                    chunk.extend_from_slice(&self.rows.to_le_bytes());
                    return Ok(Some(seal(chunk)));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    /// Writes rows of one table after a key; `None` if there are no more.
    fn rows(
        &mut self,
        tables: &impl Tables,
        place: usize,
        after: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, TableError> {
        let Some(&table) = Table::ALL.get(place) else {
            self.stage = Stage::End;
            return Ok(None);
        };
        let mut chunk = self.begin(BODY_ROWS);
        codec::append_bytes(&mut chunk, table.as_str().as_bytes());
        let mut last = None;
        let from = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(&*after) };
        tables.walk(table, (from, Bound::Unbounded), Order::Ascending, |key, value| {
            if is_ours(table, key) {
                codec::append_bytes(&mut chunk, key);
                codec::append_bytes(&mut chunk, value);
                self.rows += 1;
                last.get_or_insert_with(Vec::new).splice(.., key.iter().copied());
            }
            if chunk.len() < CHUNK_BYTES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        match last {
            Some(last) => {
                self.stage = Stage::Rows(place, last);
                Ok(Some(seal(chunk)))
            }
            None => {
                self.chunks -= 1; // Nothing of the table is left: the chunk is not sent.
                self.stage = Stage::Rows(place + 1, Vec::new());
                Ok(None)
            }
        }
    }

    /// Begins a chunk, with room for its head.
    fn begin(&mut self, kind: u8) -> Vec<u8> {
        let mut chunk = vec![0; HEAD_BYTES];
        chunk.extend_from_slice(&self.chunks.to_le_bytes());
        chunk.push(kind);
        self.chunks += 1;
        chunk
    }
}

/// Writes the head of a chunk.
fn seal(mut chunk: Vec<u8>) -> Vec<u8> {
    if let Some((head, body)) = chunk.split_first_chunk_mut::<HEAD_BYTES>() {
        let (length, sum) = head.split_at_mut(4);
        length.copy_from_slice(&(body.len() as u32).to_le_bytes());
        sum.copy_from_slice(&checksum_of(body).to_le_bytes());
    }
    chunk
}

fn checksum_of(body: &[u8]) -> u64 {
    let mut checksum = Checksum::new();
    checksum.add(body);
    checksum.value()
}

/// Returns whether a key belongs to the state, not to the log adapter.
fn is_ours(table: Table, key: &[u8]) -> bool {
    table != Table::Meta || key.starts_with(keys::META_PREFIX)
}

/// Replaces the state by a snapshot.
///
/// It clears the tables first, so that nothing survives that the snapshot does not hold. Restore
/// into a transaction and commit it only after [`SnapshotReader::finish`] has succeeded; on any
/// error give it up.
#[derive(Debug)]
pub struct SnapshotReader<'t, T> {
    tables: &'t mut T,
    buffer: Vec<u8>,
    chunks: u32,
    rows: u64,
    /// Place in [`Table::ALL`] and key of the last row.
    last: (usize, Vec<u8>),
    is_complete: bool,
}

impl<'t, T: TablesMut> SnapshotReader<'t, T> {
    /// Begins to restore into `tables`.
    pub fn new(tables: &'t mut T) -> Self {
        let last = (0, Vec::new());
        Self { tables, buffer: Vec::new(), chunks: 0, rows: 0, last, is_complete: false }
    }

    /// Takes the next bytes of the stream, cut wherever they are.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if they are not of a snapshot of this version, or the tables fail.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        while !bytes.is_empty() {
            let wanted = self.wanted()?;
            let taken = wanted.saturating_sub(self.buffer.len()).min(bytes.len());
            let (now, later) = bytes.split_at(taken);
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= HEAD_BYTES && self.buffer.len() == self.wanted()? {
                self.take_chunk()?;
            }
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Truncated`] if its end mark has not come.
    pub fn finish(self) -> Result<(), SnapshotError> {
        if self.is_complete && self.buffer.is_empty() {
            return Ok(());
        }
        Err(SnapshotError::Truncated { chunks: self.chunks })
    }

    /// Returns how many bytes the chunk in the buffer has, as far as that is known.
    fn wanted(&self) -> Result<usize, SnapshotError> {
        if self.is_complete {
            return Err(self.corrupt("bytes follow the end mark"));
        }
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(HEAD_BYTES) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > BODY_BYTES_MAX {
            return Err(self.corrupt("the chunk is too long"));
        }
        Ok(HEAD_BYTES + length)
    }

    fn corrupt(&self, reason: impl Into<String>) -> SnapshotError {
        SnapshotError::Corrupt { chunk: self.chunks, reason: reason.into() }
    }

    fn malformed(&self, why: &Malformed) -> SnapshotError {
        self.corrupt(why.to_string())
    }

    /// Checks and applies the chunk in the buffer.
    fn take_chunk(&mut self) -> Result<(), SnapshotError> {
        let chunk = std::mem::take(&mut self.buffer);
        let (head, body) = chunk.split_at(HEAD_BYTES);
        if head.get(4..) != Some(&checksum_of(body).to_le_bytes()) {
            return Err(self.corrupt("the checksum does not match"));
        }
        let (number, body) =
            body.split_first_chunk().ok_or_else(|| self.corrupt("the chunk has no number"))?;
        if u32::from_le_bytes(*number) != self.chunks {
            return Err(self.corrupt("the chunk has another number"));
        }
        match body.split_first() {
            Some((&BODY_MAGIC, MAGIC)) if self.chunks == 0 => self.clear()?,
            _ if self.chunks == 0 => {
                return Err(self.corrupt("this is no snapshot that this version can read"));
            }
            Some((&BODY_ROWS, body)) => self.take_rows(body)?,
            Some((&BODY_END, rows)) if rows == self.rows.to_le_bytes() => self.is_complete = true,
            Some((&BODY_END, _)) => return Err(self.corrupt("rows are missing")),
            _ => return Err(self.corrupt("the chunk is of an unknown kind")),
        }
        self.chunks += 1;
        self.buffer = chunk;
        self.buffer.clear();
        Ok(())
    }

    fn clear(&mut self) -> Result<(), SnapshotError> {
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
            self.tables.clear(table)?;
        }
        for key in [keys::COUNTERS, keys::PAUSED] {
            self.tables.delete(Table::Meta, key)?;
        }
        Ok(())
    }

    fn take_rows(&mut self, body: &[u8]) -> Result<(), SnapshotError> {
        let (name, mut rest) = codec::take_bytes(body).map_err(|why| self.malformed(&why))?;
        let named = |table: &Table| table.as_str().as_bytes() == name;
        let place = Table::ALL.iter().position(named);
        let table = place.and_then(|place| Table::ALL.get(place).map(|table| (place, *table)));
        let (place, table) = table.ok_or_else(|| self.corrupt("the table is unknown"))?;
        while !rest.is_empty() {
            let (key, after) = codec::take_bytes(rest).map_err(|why| self.malformed(&why))?;
            let (value, after) = codec::take_bytes(after).map_err(|why| self.malformed(&why))?;
            rest = after;
            if (place, key) <= (self.last.0, &*self.last.1) {
                return Err(self.corrupt("the rows do not ascend"));
            }
            rows::check_row(table, key, value).map_err(|why| self.malformed(&why))?;
            self.tables.put(table, key, value)?;
            self.rows += 1;
            self.last.0 = place;
            self.last.1.splice(.., key.iter().copied());
        }
        Ok(())
    }
}

/// Returns a number that is equal on servers whose states are equal, and differs on others with
/// all but certainty. Reads everything.
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn state_hash(tables: &impl Tables) -> Result<u64, TableError> {
    let mut checksum = Checksum::new();
    for table in Table::ALL {
        checksum.add(table.as_str().as_bytes());
        tables.walk(
            table,
            (Bound::Unbounded, Bound::Unbounded),
            Order::Ascending,
            |key, value| {
                if is_ours(table, key) {
                    checksum.add(key);
                    checksum.add(value);
                }
                ControlFlow::Continue(())
            },
        )?;
    }
    Ok(checksum.value())
}

#[cfg(test)]
#[path = "snapshot_test.rs"]
mod tests;
