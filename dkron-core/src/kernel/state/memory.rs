//! Tables in memory: for the simulator, for tests, and for a node without a disk.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::{KeyRange, Order, Table, TableError, Tables, TablesMut};

/// One ordered map per table. Cloning copies everything: that is a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTables {
    maps: [Map; Table::ALL.len()],
}

/// Values keep their buffer when they are overwritten, which most writes do.
type Map = BTreeMap<Box<[u8]>, Vec<u8>>;

impl MemoryTables {
    /// Makes empty tables.
    pub fn new() -> Self {
        Self::default()
    }

    fn map(&self, table: Table) -> &Map {
        self.maps.get(table as usize).expect("invariant: one map for each table")
    }

    fn map_mut(&mut self, table: Table) -> &mut Map {
        self.maps.get_mut(table as usize).expect("invariant: one map for each table")
    }
}

impl Tables for MemoryTables {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        Ok(self.map(table).get(key).map(|value| read(value)))
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        if is_inverted(range) {
            return Ok(());
        }
        let entries = self.map(table).range::<[u8], _>(range).map(|(k, v)| (&**k, v.as_slice()));
        match order {
            Order::Ascending => visit_all(entries, visit),
            Order::Descending => visit_all(entries.rev(), visit),
        }
        Ok(())
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        Ok(self.map(table).len() as u64)
    }
}

/// Returns whether the range ends before it begins; the map would panic on such a one.
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
    entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) {
    for (key, value) in entries {
        if visit(key, value).is_break() {
            return;
        }
    }
}

impl TablesMut for MemoryTables {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TableError> {
        let map = self.map_mut(table);
        if let Some(stored) = map.get_mut(key) {
            stored.clear();
            stored.extend_from_slice(value);
        } else {
            map.insert(key.into(), value.to_vec());
        }
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, TableError> {
        Ok(self.map_mut(table).remove(key).is_some())
    }

    fn clear(&mut self, table: Table) -> Result<(), TableError> {
        self.map_mut(table).clear();
        Ok(())
    }
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
}
