//! The rows of one job in one table.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use super::visit_all;
use crate::kernel::state::{KeyRange, Order};

/// A row in one piece of memory: its key, then its value.
#[derive(Clone, Debug)]
pub(super) struct Row {
    bytes: Vec<u8>,
    key_len: u16,
}

impl Row {
    pub(super) fn new(key: &[u8], value: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + value.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        Self { bytes, key_len: key.len() as u16 }
    }

    fn key(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.key_len)).unwrap_or_default()
    }

    pub(super) fn value(&self) -> &[u8] {
        self.bytes.get(usize::from(self.key_len)..).unwrap_or_default()
    }

    fn set(&mut self, value: &[u8]) {
        self.bytes.truncate(usize::from(self.key_len));
        self.bytes.extend_from_slice(value);
    }
}

/// The rows of one job in one table, in the order of their keys.
///
/// They come and go at the ends: the newest last, and the oldest is removed first.
#[derive(Clone, Debug, Default)]
pub(super) enum Rows {
    #[default]
    None,
    One(Row),
    Many(VecDeque<Row>),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(rows) => rows.len(),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Row> {
        match self {
            Self::None => None,
            Self::One(row) => Some(row).filter(|row| row.key() == key),
            Self::Many(rows) => rows.get(find(rows, key).ok()?),
        }
    }

    /// Sets a row; returns whether it is new.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> bool {
        match self {
            Self::None => *self = Self::One(Row::new(key, value)),
            Self::One(row) if row.key() == key => {
                row.set(value);
                return false;
            }
            Self::One(_) => {
                if let Self::One(row) = std::mem::take(self) {
                    let is_before = row.key() < key;
                    let mut rows = VecDeque::from([row]);
                    rows.insert(usize::from(is_before), Row::new(key, value));
                    *self = Self::Many(rows);
                }
            }
            Self::Many(rows) => match find(rows, key) {
                Ok(index) => {
                    if let Some(row) = rows.get_mut(index) {
                        row.set(value);
                    }
                    return false;
                }
                Err(index) => rows.insert(index, Row::new(key, value)),
            },
        }
        true
    }

    /// Removes a row; returns whether it was there.
    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let is_there = match self {
            Self::None => false,
            Self::One(row) => row.key() == key,
            Self::Many(rows) => match find(rows, key) {
                Ok(index) => rows.remove(index).is_some(),
                Err(_) => return false,
            },
        };
        let is_last = match self {
            Self::None => false,
            Self::One(_) => is_there,
            Self::Many(rows) => rows.is_empty(),
        };
        if is_last {
            *self = Self::None;
        }
        is_there
    }

    /// Walks the rows within `range` until `visit` breaks; returns whether it did.
    pub(super) fn walk(
        &self,
        range: KeyRange<'_>,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let rows = match self {
            Self::None => return ControlFlow::Continue(()),
            Self::One(row) => {
                let is_within = is_behind(row, range.0) && !is_beyond(row, range.1);
                return match is_within {
                    true => visit(row.key(), row.value()),
                    false => ControlFlow::Continue(()),
                };
            }
            Self::Many(rows) => rows,
        };
        let first = partition(rows, |row| !is_behind(row, range.0));
        let end = partition(rows, |row| !is_beyond(row, range.1));
        if first >= end {
            return ControlFlow::Continue(());
        }
        let rows = rows.range(first..end).map(|row| (row.key(), row.value()));
        match order {
            Order::Ascending => visit_all(rows, visit),
            Order::Descending => visit_all(rows.rev(), visit),
        }
    }
}

/// Returns whether a row is not before the beginning of a range.
fn is_behind(row: &Row, from: Bound<&[u8]>) -> bool {
    match from {
        Bound::Unbounded => true,
        Bound::Included(from) => row.key() >= from,
        Bound::Excluded(from) => row.key() > from,
    }
}

/// Returns whether a row is after the end of a range.
fn is_beyond(row: &Row, to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Unbounded => false,
        Bound::Included(to) => row.key() > to,
        Bound::Excluded(to) => row.key() >= to,
    }
}

/// Finds a key, or where it belongs.
fn find(rows: &VecDeque<Row>, key: &[u8]) -> Result<usize, usize> {
    let index = partition(rows, |row| row.key() < key);
    match rows.get(index) {
        Some(row) if row.key() == key => Ok(index),
        _ => Err(index),
    }
}

/// Returns how many rows `is_before` holds of, which are the first; looks at the ends first.
fn partition(rows: &VecDeque<Row>, is_before: impl Fn(&Row) -> bool) -> usize {
    match (rows.front(), rows.back()) {
        (_, Some(last)) if is_before(last) => rows.len(),
        (Some(first), _) if is_before(first) => rows.partition_point(is_before),
        _ => 0,
    }
}
