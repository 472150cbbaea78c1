//! Lists that mostly have one item.

use std::fmt;
use std::ops::Deref;

/// A list that has no memory of its own while it holds one item: such lists go from thread to
/// thread with every run.
#[derive(Clone)]
pub struct Few<T>(Items<T>);

#[derive(Clone)]
enum Items<T> {
    One([T; 1]),
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Adds an item at the end.
    pub fn push(&mut self, item: T) {
        let items = std::mem::replace(&mut self.0, Items::Many(Vec::new()));
        self.0 = match items {
            Items::One([first]) => Items::Many(vec![first, item]),
            Items::Many(items) if items.is_empty() => Items::One([item]),
            Items::Many(mut items) => {
                items.push(item);
                Items::Many(items)
            }
        };
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Items::Many(Vec::new()))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Items::One(item) => item,
            Items::Many(items) => items,
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        Self(match <[T; 1]>::try_from(items) {
            Ok(item) => Items::One(item),
            Err(items) => Items::Many(items),
        })
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        match few.0 {
            Items::One(item) => item.into(),
            Items::Many(items) => items,
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::default();
        for item in items {
            few.push(item);
        }
        few
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_was_put_in_however_that_was_done() {
        for length in 0..5 {
            let items: Vec<usize> = (0..length).collect();
            let few: Few<usize> = items.iter().copied().collect();

            assert_eq!(*few, items[..]);
            assert_eq!(few, Few::from(items.clone()));
            assert_eq!(Vec::from(few.clone()), items);
            assert_eq!(format!("{few:?}"), format!("{items:?}"));
        }
    }
}
