//! The tables of the state over a transaction of LMDB: a view to read, an update to write.
//!
//! A value is followed by a checksum of it and its key, verified whenever it is read. Which
//! transaction it is, when it is committed, and what a full disk means is for `state_env` to say.

use std::fs::File;
use std::io::{self, Write};
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use heed::{RoTxn, RwTxn, WithoutTls};

use super::crc32::{CHECKSUM_BYTES, checksum, verified};
use super::env::{ByteTable, OpenEnv};
use super::history_check::HistoryCheck;
use crate::kernel::state::{KeyRange, Order, Table, TableError, Tables, TablesMut};

/// LMDB's limit.
const KEY_BYTES_MAX: usize = 511;
/// How many tables there are.
pub(super) const TABLES: usize = Table::ALL.len();

/// The tables, and whether they may be touched.
#[derive(Clone, Copy)]
pub struct Handles<'a> {
    pub(super) env: &'a OpenEnv<TABLES>,
    pub(super) history: &'a HistoryCheck,
}

impl Handles<'_> {
    /// Returns a table to read and write; waits while its pages are still being checked.
    fn checked(self, table: Table) -> Result<ByteTable, TableError> {
        self.history.wait(table)?;
        Ok(self.env.table(table as usize))
    }

    /// Returns how many records a table has. That stands beside its pages.
    fn len(self, txn: &RoTxn<'_, WithoutTls>, table: Table) -> Result<u64, TableError> {
        let len = self.env.table(table as usize).len(txn);
        len.map_err(|error| store_error("read", table, &error))
    }
}

/// A consistent view of the committed state.
pub struct LmdbView<'a> {
    pub(super) txn: RoTxn<'a, WithoutTls>,
    pub(super) handles: Handles<'a>,
    /// The file that is made when a record is found damaged.
    pub(super) suspect: &'a Path,
}

/// The state in the middle of a change.
pub struct LmdbUpdate<'a> {
    pub(super) txn: RwTxn<'a>,
    pub(super) handles: Handles<'a>,
    /// The first error of the environment; after it the transaction is void.
    pub(super) failure: Option<heed::Error>,
}

impl Tables for LmdbView<'_> {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        get_with(&self.txn, self.handles, table, key, read)
            .inspect_err(|error| note_damage(self.suspect, error))
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        walk(&self.txn, self.handles, table, range, order, visit)
            .inspect_err(|error| note_damage(self.suspect, error))
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        self.handles.len(&self.txn, table)
    }
}

impl Tables for LmdbUpdate<'_> {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        get_with(&self.txn, self.handles, table, key, read)
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        walk(&self.txn, self.handles, table, range, order, visit)
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        self.handles.len(&self.txn, table)
    }
}

impl LmdbUpdate<'_> {
    /// Keeps the first error of the environment, and answers it in the words of the tables.
    fn note<R>(&mut self, table: Table, result: heed::Result<R>) -> Result<R, TableError> {
        result.map_err(|error| {
            let answer = store_error("write", table, &error);
            self.failure.get_or_insert(error);
            answer
        })
    }
}

impl TablesMut for LmdbUpdate<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TableError> {
        let sum = checksum(&[key, value]);
        let write = |space: &mut heed::ReservedSpace<'_>| -> io::Result<()> {
            space.write_all(value)?;
            space.write_all(&sum)
        };
        let db = self.handles.checked(table)?;
        let result = db.put_reserved(&mut self.txn, key, value.len() + CHECKSUM_BYTES, write);
        self.note(table, result)
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, TableError> {
        if !is_key(key) {
            return Ok(false);
        }
        let result = self.handles.checked(table)?.delete(&mut self.txn, key);
        self.note(table, result)
    }

    fn clear(&mut self, table: Table) -> Result<(), TableError> {
        let result = self.handles.checked(table)?.clear(&mut self.txn);
        self.note(table, result)
    }
}

/// Has the next start read everything if a record was found damaged.
pub(super) fn note_damage(suspect: &Path, error: &TableError) {
    if matches!(error, TableError::Corrupt { .. }) {
        // If it cannot be made, the next start finds less, and this error comes again.
        let _ = File::create(suspect);
    }
}

/// Keys that LMDB does not take are in no table.
fn is_key(key: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
}

fn get_with<R>(
    txn: &RoTxn<'_, WithoutTls>,
    handles: Handles<'_>,
    table: Table,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>, TableError> {
    if !is_key(key) {
        return Ok(None);
    }
    let found = handles.checked(table)?.get(txn, key);
    match found.map_err(|error| store_error("read", table, &error))? {
        None => Ok(None),
        Some(stored) => {
            let value = verified(key, stored).ok_or_else(|| corrupt(table, key))?;
            Ok(Some(read(value)))
        }
    }
}

fn walk(
    txn: &RoTxn<'_, WithoutTls>,
    handles: Handles<'_>,
    table: Table,
    range: KeyRange<'_>,
    order: Order,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<(), TableError> {
    let Some(range) = without_empty_keys(range) else { return Ok(()) };
    let db = handles.checked(table)?;
    let failed = |error| store_error("read", table, &error);
    let mut step = |record: heed::Result<(&[u8], &[u8])>| {
        let (key, stored) = record.map_err(failed)?;
        let value = verified(key, stored).ok_or_else(|| corrupt(table, key))?;
        Ok(visit(key, value))
    };
    match order {
        Order::Ascending => {
            for record in db.range(txn, &range).map_err(failed)? {
                if step(record)?.is_break() {
                    break;
                }
            }
        }
        Order::Descending => {
            for record in db.rev_range(txn, &range).map_err(failed)? {
                if step(record)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// LMDB cannot look for an empty key: there is none, so bounds by it say the same in other words.
/// `None` if the range holds nothing.
fn without_empty_keys<'a>((lower, upper): KeyRange<'a>) -> Option<KeyRange<'a>> {
    let lower = match lower {
        Bound::Included(b"") | Bound::Excluded(b"") => Bound::Unbounded,
        other => other,
    };
    let is_empty = match (lower, upper) {
        (_, Bound::Included(b"") | Bound::Excluded(b"")) => true,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
        _ => false,
    };
    (!is_empty).then_some((lower, upper))
}

/// Judges a record of the file before LMDB opens it.
pub(super) fn verify_record(table: &[u8], key: &[u8], stored: &[u8]) -> Result<(), String> {
    if verified(key, stored).is_some() {
        return Ok(());
    }
    Err(format!(
        "record \"{}\" of table \"{}\" does not match its checksum",
        key.escape_ascii(),
        table.escape_ascii()
    ))
}

fn corrupt(table: Table, key: &[u8]) -> TableError {
    TableError::Corrupt {
        table: table.as_str(),
        reason: format!("\"{}\" does not match its checksum", key.escape_ascii()),
    }
}

fn store_error(action: &'static str, table: Table, error: &heed::Error) -> TableError {
    TableError::Store { action, table: table.as_str(), reason: error.to_string() }
}
