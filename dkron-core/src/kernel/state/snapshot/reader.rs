//! A stream of chunks back to a state: reading one, and believing none of it.

use super::SnapshotError;
use super::chunk::{
    BODY_BYTES_MAX, BODY_END, BODY_MAGIC, BODY_ROWS, HEAD_BYTES, MAGIC, checksum_of,
};
use crate::kernel::state::codec::{self, Malformed};
use crate::kernel::state::{Table, TablesMut, keys, rows};

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
    /// `SnapshotError` if they are not of a snapshot of this version, or the tables fail.
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
    /// `SnapshotError::Truncated` if its end mark has not come.
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
