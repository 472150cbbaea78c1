//! Tables that are one ordered map: those whose keys do not begin with a job.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use super::{is_inverted, visit_all};
use crate::kernel::state::{KeyRange, Order};

/// One table.
#[derive(Clone, Debug, Default)]
pub(super) struct Flat {
    map: BTreeMap<MemoryKey, Value>,
}

impl Flat {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.map.get(&MemoryKey::new(key)).map(Value::as_slice)
    }

    pub(super) fn walk(
        &self,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) {
        if is_inverted(range) {
            return;
        }
        let range = (range.0.map(MemoryKey::new), range.1.map(MemoryKey::new));
        let rows = self.map.range(range).map(|(key, value)| (key.as_slice(), value.as_slice()));
        // The outcome of a walk is what its visitor has seen.
        let _ = match order {
            Order::Ascending => visit_all(rows, visit),
            Order::Descending => visit_all(rows.rev(), visit),
        };
    }

    pub(super) fn len(&self) -> u64 {
        self.map.len() as u64
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        match self.map.entry(MemoryKey::new(key)) {
            Entry::Vacant(place) => {
                place.insert(Value::new(value));
            }
            Entry::Occupied(mut stored) => stored.get_mut().set(value),
        }
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        self.map.remove(&MemoryKey::new(key)).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.map.clear();
    }
}

/// Bytes of a key that are held in the map itself: most keys whole.
const INLINE_BYTES: usize = 32;

/// A key that is compared eight bytes at a time, and mostly without leaving the map's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemoryKey {
    /// The first bytes, and zeros if there are fewer.
    head: [u8; INLINE_BYTES],
    len: u16,
    /// The whole key, if it is longer than the head.
    whole: Option<Box<[u8]>>,
}

impl MemoryKey {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut head = [0; INLINE_BYTES];
        let inline = key.len().min(INLINE_BYTES);
        if let (Some(to), Some(from)) = (head.get_mut(..inline), key.get(..inline)) {
            to.copy_from_slice(from);
        }
        let whole = (inline < key.len()).then(|| key.into());
        Self { head, len: key.len() as u16, whole }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
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

/// Bytes of a value that are held in the map itself: those of the due table, mostly.
const VALUE_INLINE_BYTES: usize = 22;

/// A value; a short one has no memory of its own.
#[derive(Clone, Debug)]
enum Value {
    Short { len: u8, bytes: [u8; VALUE_INLINE_BYTES] },
    Long(Vec<u8>),
}

impl Value {
    fn new(value: &[u8]) -> Self {
        let mut bytes = [0; VALUE_INLINE_BYTES];
        match bytes.get_mut(..value.len()) {
            Some(place) => {
                place.copy_from_slice(value);
                Self::Short { len: value.len() as u8, bytes }
            }
            None => Self::Long(value.to_vec()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    /// Overwrites it; a buffer is kept, for most writes are as long as what they overwrite.
    fn set(&mut self, value: &[u8]) {
        match self {
            Self::Long(bytes) if value.len() > VALUE_INLINE_BYTES => {
                bytes.clear();
                bytes.extend_from_slice(value);
            }
            _ => *self = Self::new(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
