//! Tables in memory: for the simulator, for tests, and for a node without a disk.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, ControlFlow};

use super::{KeyRange, Order, Table, TableError, Tables, TablesMut};

/// One ordered map per table. Cloning copies everything: that is a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTables {
    maps: [Map; Table::ALL.len()],
}

/// Values keep their buffer when they are overwritten, which most writes do.
type Map = BTreeMap<MemoryKey, Vec<u8>>;

/// Bytes of a key that are held in the map itself: most keys whole.
const INLINE_BYTES: usize = 32;

/// A key that is compared eight bytes at a time, and mostly without leaving the map's node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MemoryKey {
    /// The first bytes, and zeros if there are fewer.
    head: [u8; INLINE_BYTES],
    len: u16,
    /// The whole key, if it is longer than the head.
    whole: Option<Box<[u8]>>,
}

impl MemoryKey {
    fn new(key: &[u8]) -> Self {
        let mut head = [0; INLINE_BYTES];
        let inline = key.len().min(INLINE_BYTES);
        if let (Some(to), Some(from)) = (head.get_mut(..inline), key.get(..inline)) {
            to.copy_from_slice(from);
        }
        let whole = (inline < key.len()).then(|| key.into());
        Self { head, len: key.len() as u16, whole }
    }

    fn as_slice(&self) -> &[u8] {
        match &self.whole {
            Some(whole) => whole,
            None => self.head.get(..usize::from(self.len)).unwrap_or_default(),
        }
    }
}

impl Ord for MemoryKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let (words, others) = (self.head.as_chunks::<8>().0, other.head.as_chunks::<8>().0);
        for (word, other) in words.iter().zip(others) {
            let (word, other) = (u64::from_be_bytes(*word), u64::from_be_bytes(*other));
            if word != other {
                return word.cmp(&other);
            }
        }
        // Equal heads: the longer key goes on, or has zeros where the shorter one has ended.
        self.whole.cmp(&other.whole).then(self.len.cmp(&other.len))
    }
}

impl PartialOrd for MemoryKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

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
        Ok(self.map(table).get(&MemoryKey::new(key)).map(|value| read(value)))
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
        let range = (range.0.map(MemoryKey::new), range.1.map(MemoryKey::new));
        let entries = self.map(table).range(range).map(|(k, v)| (k.as_slice(), v.as_slice()));
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
        match self.map_mut(table).entry(MemoryKey::new(key)) {
            Entry::Vacant(place) => {
                place.insert(value.to_vec());
            }
            Entry::Occupied(mut stored) => {
                stored.get_mut().clear();
                stored.get_mut().extend_from_slice(value);
            }
        }
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, TableError> {
        Ok(self.map_mut(table).remove(&MemoryKey::new(key)).is_some())
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
    fn keys_are_ordered_as_their_bytes_are() {
        let lengths = [0, 1, 7, 8, 9, 31, 32, 33, 40];
        let keys: Vec<Vec<u8>> = lengths
            .iter()
            .flat_map(|length| [vec![0; *length], vec![1; *length]])
            .chain([[vec![0; 32], vec![1]].concat(), [vec![1; 31], vec![0; 9]].concat()])
            .collect();
        for a in &keys {
            assert_eq!(MemoryKey::new(a).as_slice(), a.as_slice());
            for b in &keys {
                assert_eq!(MemoryKey::new(a).cmp(&MemoryKey::new(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
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
