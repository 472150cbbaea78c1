//! The rows of one job: everything whose key begins with its name.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use super::job_rows::{Row, Rows};
use crate::kernel::model::Job;
use crate::kernel::state::codec::Scratch;
use crate::kernel::state::{KeyRange, Order, StatusRow, Table};

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
    /// The status, if it was set decoded: there is no row of it in `head` then.
    status: Option<StatusRow>,
}

impl Group {
    pub(super) fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            head: Default::default(),
            rest: None,
            job: OnceLock::new(),
            status: None,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the status, if it is kept decoded.
    pub(super) fn status(&self) -> Option<&StatusRow> {
        self.status.as_ref()
    }

    /// Sets the status; returns whether there was none.
    pub(super) fn set_status(&mut self, row: &StatusRow) -> bool {
        let is_new = !self.has_rows(Table::Status);
        if let Some(rows) = self.kept_mut(Table::Status) {
            *rows = Rows::None;
        }
        self.status = Some(row.clone());
        is_new
    }

    /// Reads the value of a key.
    pub(super) fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        match self.decoded_status(table) {
            Some(status) if key == &*self.name => {
                Some(read(status.encode(&mut Scratch::default())))
            }
            Some(_) => None,
            None => self.kept(table)?.get(key).map(|row| read(row.value())),
        }
    }

    /// Walks the rows of a table within `range` until `visit` breaks; returns whether it did.
    pub(super) fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(status) = self.decoded_status(table) {
            return self.status_as_row(status).walk(range, order, visit);
        }
        match self.kept(table) {
            Some(rows) => rows.walk(range, order, visit),
            None => ControlFlow::Continue(()),
        }
    }

    pub(super) fn has_rows(&self, table: Table) -> bool {
        self.decoded_status(table).is_some() || self.kept(table).is_some_and(|rows| rows.len() > 0)
    }

    /// Returns the rows of a table for a change; `None` if its keys do not begin with a job.
    pub(super) fn rows_mut(&mut self, table: Table) -> Option<&mut Rows> {
        if table == Table::Jobs {
            self.job = OnceLock::new();
        }
        if table == Table::Status
            && let Some(status) = self.status.take()
        {
            let row = self.status_as_row(&status);
            *self.kept_mut(table)? = row;
        }
        self.kept_mut(table)
    }

    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |rows: &Rows| rows.len() == 0;
        self.status.is_none()
            && self.head.iter().all(is_empty)
            && self.rest.as_ref().is_none_or(|rest| rest.iter().all(is_empty))
    }

    fn decoded_status(&self, table: Table) -> Option<&StatusRow> {
        self.status.as_ref().filter(|_| table == Table::Status)
    }

    fn status_as_row(&self, status: &StatusRow) -> Rows {
        Rows::One(Row::new(&self.name, status.encode(&mut Scratch::default())))
    }

    /// Returns the rows of a table that are kept as bytes; `None` if there never were any.
    fn kept(&self, table: Table) -> Option<&Rows> {
        match place(&HEAD, table) {
            Some(index) => self.head.get(index),
            None => self.rest.as_ref()?.get(place(&REST, table)?),
        }
    }

    fn kept_mut(&mut self, table: Table) -> Option<&mut Rows> {
        match place(&HEAD, table) {
            Some(index) => self.head.get_mut(index),
            None => self.rest.get_or_insert_default().get_mut(place(&REST, table)?),
        }
    }
}
