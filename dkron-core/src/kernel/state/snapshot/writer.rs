//! The state as a stream of chunks: writing one.

use std::ops::{Bound, ControlFlow};

use super::chunk::{
    BODY_END, BODY_MAGIC, BODY_ROWS, CHUNK_BYTES, HEAD_BYTES, MAGIC, is_ours, seal,
};
use crate::kernel::state::{Order, Table, TableError, Tables, codec};

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
