//! The groups of all jobs, and the way to each.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicU32, Ordering};

use super::flat::MemoryKey;
use super::group::Group;
use super::is_inverted;
use crate::kernel::state::{KeyRange, Order, StatusRow, Table};

/// Ends a name inside a key.
const END: u8 = 0;

/// The groups, ordered by name.
///
/// A key with a greater name is greater, for names hold no zero; so tables are walked group by
/// group.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    by_name: BTreeMap<MemoryKey, u32>,
    groups: Vec<Option<Box<Group>>>,
    /// Places of `groups` that are free.
    free: Vec<u32>,
    last: LastFound,
}

/// The place of the group that was found last. What is asked of a job is asked at a stretch.
#[derive(Debug, Default)]
struct LastFound(AtomicU32);

impl Clone for LastFound {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Returns what a key begins with, up to its first zero.
fn name_of(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| *byte == END).unwrap_or(key.len());
    key.get(..end).unwrap_or_default()
}

impl Groups {
    fn at(&self, place: u32) -> Option<&Group> {
        self.groups.get(place as usize)?.as_deref()
    }

    fn place(&self, name: &[u8]) -> Option<u32> {
        // Whatever is read here is checked: another thread may have found another group.
        let last = self.last.0.load(Ordering::Relaxed);
        if self.at(last).is_some_and(|group| group.name() == name) {
            return Some(last);
        }
        let place = *self.by_name.get(&MemoryKey::new(name))?;
        self.last.0.store(place, Ordering::Relaxed);
        Some(place)
    }

    /// Returns the group of a key.
    pub(super) fn of(&self, key: &[u8]) -> Option<&Group> {
        self.at(self.place(name_of(key))?)
    }

    fn of_mut(&mut self, key: &[u8]) -> Option<&mut Group> {
        let place = self.place(name_of(key))?;
        self.groups.get_mut(place as usize)?.as_deref_mut()
    }

    /// Sets a row; returns whether it is new.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> bool {
        if self.of(key).is_none() {
            self.add(name_of(key));
        }
        let rows = self.of_mut(key).and_then(|group| group.rows_mut(table));
        rows.is_some_and(|rows| rows.put(key, value))
    }

    /// Sets the status of a job; returns whether it had none.
    pub(super) fn put_status(&mut self, name: &[u8], row: &StatusRow) -> bool {
        if self.of(name).is_none() {
            self.add(name);
        }
        self.of_mut(name).is_some_and(|group| group.set_status(row))
    }

    fn add(&mut self, name: &[u8]) {
        let group = Some(Box::new(Group::new(name)));
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.groups.get_mut(place as usize) {
                    *slot = group;
                }
                place
            }
            None => {
                self.groups.push(group);
                (self.groups.len() - 1) as u32
            }
        };
        self.by_name.insert(MemoryKey::new(name), place);
    }

    /// Removes a row; returns whether it was there.
    pub(super) fn delete(&mut self, table: Table, key: &[u8]) -> bool {
        let Some(group) = self.of_mut(key) else { return false };
        if group.get_with(table, key, |_| ()).is_none() {
            return false;
        }
        if let Some(rows) = group.rows_mut(table) {
            rows.delete(key);
        }
        if group.is_empty() {
            self.remove(name_of(key));
        }
        true
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some(place) = self.by_name.remove(&MemoryKey::new(name))
            && let Some(slot) = self.groups.get_mut(place as usize)
        {
            *slot = None;
            self.free.push(place);
        }
    }

    /// Removes every row of a table.
    pub(super) fn clear(&mut self, table: Table) {
        let mut empty = Vec::new();
        for group in self.groups.iter_mut().flatten() {
            if group.has_rows(table)
                && let Some(rows) = group.rows_mut(table)
            {
                *rows = Default::default();
                if group.is_empty() {
                    empty.push(group.name().to_vec());
                }
            }
        }
        for name in empty {
            self.remove(&name);
        }
    }

    /// Walks the rows of a table within `range` until `visit` breaks.
    pub(super) fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) {
        let mut visit_group = |group: &Group| group.walk(table, range, order, &mut visit);
        if let Some(name) = only_name(range) {
            // The outcome of a walk is what its visitor has seen.
            let _ = self.of(name).map(visit_group);
            return;
        }
        if is_inverted(range) {
            return;
        }
        let name = |bound: Bound<&[u8]>| match bound {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(key) | Bound::Excluded(key) => {
                Bound::Included(MemoryKey::new(name_of(key)))
            }
        };
        let places = self.by_name.range((name(range.0), name(range.1))).map(|(_, place)| *place);
        let mut visit_place = |place| match self.at(place) {
            Some(group) => visit_group(group),
            None => ControlFlow::Continue(()),
        };
        let _ = match order {
            Order::Ascending => { places }.try_for_each(&mut visit_place),
            Order::Descending => places.rev().try_for_each(&mut visit_place),
        };
    }
}

/// Returns the name that every key of a range begins with, if the range says so.
///
/// That is so between two keys of one name, and up to the key that is the name and a one: what
/// begins with a longer name is not before that.
fn only_name(range: KeyRange<'_>) -> Option<&[u8]> {
    let (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) =
        range
    else {
        return None;
    };
    let name = name_of(from);
    match (to.strip_prefix(name)?, range.1) {
        ([] | [END, ..], _) | ([1], Bound::Excluded(_)) => Some(name),
        _ => None,
    }
}
