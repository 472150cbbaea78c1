//! Tables in memory: for the simulator, for tests, and for a node without a disk.
//!
//! What belongs to a job is kept together, whichever table it is of: a fire and its end touch a
//! dozen rows of one job, and find the job once. So the rows lie in groups by what their keys begin
//! with, a job's definition stays decoded beside its bytes, and its status stays decoded until
//! somebody asks for its bytes.
//!
//! # Where to begin reading
//!
//! [`MemoryTables`] has `groups`, all jobs, each a `group`, which has `job_rows`, one for each
//! table; and `flat` for the tables that belong to no job.

mod flat;
mod group;
mod groups;
mod job_rows;

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use flat::Flat;
use group::{Group, is_by_job};
use groups::Groups;

use super::{KeyRange, Order, StatusRow, Table, TableError, Tables, TablesMut, rows};
use crate::kernel::model::{Job, JobName};

/// Ordered tables. Cloning copies everything: that is a snapshot.
#[derive(Clone, Debug, Default)]
pub struct MemoryTables {
    /// Of the tables whose keys begin with a job's name.
    groups: Groups,
    /// The other tables, and nothing at the places of those.
    flats: Box<[Flat; Table::ALL.len()]>,
    /// How many rows each table of `groups` has.
    lens: [u64; Table::ALL.len()],
}

impl MemoryTables {
    /// Makes empty tables.
    #[cfg(any(test, feature = "testing"))]
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies the rows of a table out.
    fn rows(&self, table: Table) -> Vec<[Box<[u8]>; 2]> {
        let mut rows = Vec::new();
        let everything = (Bound::Unbounded, Bound::Unbounded);
        let copy = |key: &[u8], value: &[u8]| {
            rows.push([key.into(), value.into()]);
            ControlFlow::Continue(())
        };
        if is_by_job(table) {
            self.groups.walk(table, everything, Order::Ascending, copy);
        } else {
            self.flat(table).walk(everything, Order::Ascending, copy);
        }
        rows
    }

    fn flat(&self, table: Table) -> &Flat {
        self.flats.get(table as usize).expect("invariant: one place for each table")
    }

    fn flat_mut(&mut self, table: Table) -> &mut Flat {
        self.flats.get_mut(table as usize).expect("invariant: one place for each table")
    }

    fn len_mut(&mut self, table: Table) -> &mut u64 {
        self.lens.get_mut(table as usize).expect("invariant: one place for each table")
    }
}

impl PartialEq for MemoryTables {
    fn eq(&self, other: &Self) -> bool {
        Table::ALL.into_iter().all(|table| self.rows(table) == other.rows(table))
    }
}

impl Eq for MemoryTables {}

impl Tables for MemoryTables {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        if !is_by_job(table) {
            return Ok(self.flat(table).get(key).map(read));
        }
        Ok(self.groups.of(key).and_then(|group| group.get_with(table, key, read)))
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        if is_by_job(table) {
            self.groups.walk(table, range, order, visit);
        } else {
            self.flat(table).walk(range, order, visit);
        }
        Ok(())
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        Ok(match is_by_job(table) {
            true => self.lens.get(table as usize).copied().unwrap_or_default(),
            false => self.flat(table).len(),
        })
    }

    fn job(&self, name: &JobName) -> Result<Option<Arc<Job>>, TableError> {
        let Some(group) = self.groups.of(name.as_bytes()) else { return Ok(None) };
        if let Some(job) = group.job.get() {
            return Ok(Some(Arc::clone(job)));
        }
        let job = rows::job(self, name)?.map(Arc::new);
        if let Some(job) = &job {
            // Another reader may have been faster, with the same.
            let _ = group.job.set(Arc::clone(job));
        }
        Ok(job)
    }

    fn status(&self, name: &JobName) -> Result<Option<StatusRow>, TableError> {
        match self.groups.of(name.as_bytes()).and_then(Group::status) {
            Some(row) => Ok(Some(row.clone())),
            None => rows::status(self, name),
        }
    }
}

impl TablesMut for MemoryTables {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TableError> {
        if !is_by_job(table) {
            self.flat_mut(table).put(key, value);
        } else if self.groups.put(table, key, value) {
            *self.len_mut(table) += 1;
        }
        Ok(())
    }

    fn put_status(&mut self, name: &JobName, row: &StatusRow) -> Result<(), TableError> {
        if self.groups.put_status(name.as_bytes(), row) {
            *self.len_mut(Table::Status) += 1;
        }
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, TableError> {
        if !is_by_job(table) {
            return Ok(self.flat_mut(table).delete(key));
        }
        let was_there = self.groups.delete(table, key);
        if was_there {
            *self.len_mut(table) -= 1;
        }
        Ok(was_there)
    }

    fn clear(&mut self, table: Table) -> Result<(), TableError> {
        if is_by_job(table) {
            self.groups.clear(table);
            *self.len_mut(table) = 0;
        } else {
            self.flat_mut(table).clear();
        }
        Ok(())
    }
}

/// Returns whether the range ends before it begins; a map would panic on such a one.
fn is_inverted((from, to): KeyRange<'_>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (Bound::Included(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from > to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

fn visit_all<'a>(
    mut rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    rows.try_for_each(|(key, value)| visit(key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_the_contract_of_tables() {
        super::super::conformance::check_tables(MemoryTables::new);
    }

    #[test]
    fn a_clone_does_not_follow_its_original() {
        let mut tables = MemoryTables::new();
        tables.put(Table::Meta, b"k", b"1").unwrap();
        let snapshot = tables.clone();

        tables.put(Table::Meta, b"k", b"2").unwrap();

        let value = |t: &MemoryTables| t.get_with(Table::Meta, b"k", <[u8]>::to_vec).unwrap();
        assert_eq!(value(&snapshot), Some(b"1".to_vec()));
        assert_eq!(value(&tables), Some(b"2".to_vec()));
    }

    #[test]
    fn a_walk_over_one_job_leaves_out_those_whose_names_begin_alike() {
        let mut tables = MemoryTables::new();
        let keys: [&[u8]; 5] = [b"pre", b"pre\0a", b"pre\0b", b"pre\x01", b"prefix\0a"];
        for key in keys {
            tables.put(Table::Running, key, b"").unwrap();
        }
        let found = |from: Bound<&[u8]>, to: Bound<&[u8]>| {
            let mut found = Vec::new();
            let visit = |key: &[u8], _: &[u8]| {
                found.push(key.to_vec());
                ControlFlow::Continue(())
            };
            tables.walk(Table::Running, (from, to), Order::Ascending, visit).unwrap();
            found
        };

        use Bound::{Excluded, Included};
        assert_eq!(found(Included(b"pre\0"), Excluded(b"pre\x01")), keys[1..3]);
        assert_eq!(found(Included(b"pre"), Included(b"pre\0a")), keys[..2]);
        assert_eq!(found(Excluded(b"pre\0a"), Included(b"pre\x01")), keys[2..4]);
        assert_eq!(found(Included(b"pre\0"), Included(b"prefix\0a")), keys[1..]);
    }

    #[test]
    fn a_definition_that_is_written_anew_is_read_anew() {
        let name = JobName::parse("a").unwrap();
        let mut tables = MemoryTables::new();
        let mut scratch = crate::kernel::state::codec::Scratch::default();
        for owner in ["first", "second"] {
            let job = Job { owner: owner.to_owned(), ..Job::new(name.clone()) };
            let value = scratch.encode(&crate::kernel::state::codec::JobRecord::new(&job));
            tables.put(Table::Jobs, b"a", value).unwrap();
            assert_eq!(tables.job(&name).unwrap().unwrap().owner, owner);
            assert_eq!(tables.job(&name).unwrap().unwrap().owner, owner);
        }

        tables.delete(Table::Jobs, b"a").unwrap();
        assert_eq!(tables.job(&name), Ok(None));
    }

    #[test]
    fn a_status_that_is_kept_decoded_is_a_row_like_any_other() {
        let name = JobName::parse("a").unwrap();
        let mut row = StatusRow { running: 1, ..StatusRow::default() };
        row.status.executions = 1;
        let mut decoded = MemoryTables::new();
        decoded.put_status(&name, &row).unwrap();
        decoded.put_status(&name, &row).unwrap();
        let mut encoded = MemoryTables::new();
        let mut scratch = crate::kernel::state::codec::Scratch::default();
        encoded.put(Table::Status, b"a", row.encode(&mut scratch)).unwrap();

        assert_eq!(decoded, encoded);
        for tables in [&decoded, &encoded] {
            assert_eq!(tables.len(Table::Status), Ok(1));
            assert_eq!(tables.status(&name).unwrap().as_ref(), Some(&row));
            let value = tables.get_with(Table::Status, b"a", <[u8]>::to_vec).unwrap();
            assert_eq!(value.as_deref(), Some(scratch.bytes()));
            assert_eq!(tables.get_with(Table::Status, b"a\0", |_| ()), Ok(None));
        }

        let mut overwritten = decoded.clone();
        overwritten.put(Table::Status, b"a", b"raw").unwrap();
        assert_eq!(overwritten.len(Table::Status), Ok(1));
        assert!(overwritten.status(&name).is_err());
        let mut deleted = decoded.clone();
        assert_eq!(deleted.delete(Table::Status, b"a"), Ok(true));
        decoded.clear(Table::Status).unwrap();
        for tables in [&deleted, &decoded] {
            assert_eq!(*tables, MemoryTables::new());
            assert_eq!(tables.len(Table::Status), Ok(0));
            assert_eq!(tables.status(&name), Ok(None));
        }
    }
}
