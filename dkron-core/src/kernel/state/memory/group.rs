//! The rows of one job: everything whose key begins with its name.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, OnceLock};

use super::visit_all;
use crate::kernel::model::Job;
use crate::kernel::state::{KeyRange, Order, Table};

/// Tables that every job has a row in.
const HEAD: [Table; 2] = [Table::Jobs, Table::Status];
/// Tables that only jobs which have fired, or are parents, have rows in.
const REST: [Table; 7] = [
    Table::Pending,
    Table::Fires,
    Table::Executions,
    Table::Outputs,
    Table::Running,
    Table::Skips,
    Table::Children,
];

/// Returns whether the keys of `table` begin with the name of a job.
pub(super) fn is_by_job(table: Table) -> bool {
    place(&HEAD, table).is_some() || place(&REST, table).is_some()
}

fn place(tables: &[Table], table: Table) -> Option<usize> {
    tables.iter().position(|other| *other == table)
}

/// The rows of one job, by table.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What the keys begin with, up to their first zero.
    name: Box<[u8]>,
    head: [Rows; HEAD.len()],
    rest: Option<Box<[Rows; REST.len()]>>,
    /// The definition as it was decoded last, until it is written anew.
    pub(super) job: OnceLock<Arc<Job>>,
}

impl Group {
    pub(super) fn new(name: &[u8]) -> Self {
        Self { name: name.into(), head: Default::default(), rest: None, job: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the rows of a table; `None` if there never were any.
    pub(super) fn rows(&self, table: Table) -> Option<&Rows> {
        match place(&HEAD, table) {
            Some(index) => self.head.get(index),
            None => self.rest.as_ref()?.get(place(&REST, table)?),
        }
    }

    /// Returns the rows of a table for a change; `None` if its keys do not begin with a job.
    pub(super) fn rows_mut(&mut self, table: Table) -> Option<&mut Rows> {
        if table == Table::Jobs {
            self.job = OnceLock::new();
        }
        match place(&HEAD, table) {
            Some(index) => self.head.get_mut(index),
            None => self.rest.get_or_insert_default().get_mut(place(&REST, table)?),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |rows: &Rows| rows.len() == 0;
        self.head.iter().all(is_empty)
            && self.rest.as_ref().is_none_or(|rest| rest.iter().all(is_empty))
    }
}

/// A row in one piece of memory: its key, then its value.
#[derive(Clone, Debug)]
pub(super) struct Row {
    bytes: Vec<u8>,
    key_len: u16,
}

impl Row {
    fn new(key: &[u8], value: &[u8]) -> Self {
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
