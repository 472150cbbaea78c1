//! Who is written after whom: parents before their children.

use std::collections::HashMap;

use dkron_core::JobName;
use dkron_core::limits::PARENT_DEPTH_MAX;

/// The jobs of a backup, arranged by their parents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// Every job by its distance from the root of its tree, jobs of one distance together: each
    /// row can be written at once when those before it are.
    pub(super) rows: Vec<Vec<usize>>,
    /// Every job, its tree walked from the root: each behind its parent, before its parent's next
    /// child.
    pub(super) by_tree: Vec<usize>,
    /// The parent of each job.
    pub(super) parents: Vec<Option<usize>>,
}

impl Order {
    /// Arranges jobs, given the name and the parent of each. Names are unique.
    ///
    /// # Errors
    ///
    /// Which parent is not among them, or which job is its own ancestor.
    pub(super) fn of(jobs: &[(&JobName, Option<&JobName>)]) -> Result<Self, String> {
        let places: HashMap<&JobName, usize> =
            jobs.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
        let mut order = Self::default();
        let mut roots = Vec::new();
        for (index, (name, parent)) in jobs.iter().enumerate() {
            let Some(parent) = parent else {
                order.parents.push(None);
                roots.push(index);
                continue;
            };
            let missing = || format!("parent \"{parent}\" of job \"{name}\" is not in the file");
            let place = places.get(parent).copied().ok_or_else(missing)?;
            order.parents.push(Some(place));
            if let Some(siblings) = children.get_mut(place) {
                siblings.push(index);
            }
        }
        order.walk(roots, &children);
        if order.by_tree.len() < jobs.len() {
            let reached: std::collections::HashSet<_> = order.by_tree.iter().collect();
            let mut unreached = (0..jobs.len()).filter(|index| !reached.contains(index));
            let name = unreached.next().and_then(|index| jobs.get(index)).map(|(name, _)| name);
            let name = name.map_or("", |name| name.as_str());
            return Err(format!("job \"{name}\" is its own ancestor, or below one that is"));
        }
        Ok(order)
    }

    /// Returns a job with more ancestors than one may have, if there is one.
    pub(super) fn too_deep(&self) -> Option<usize> {
        self.rows.get(PARENT_DEPTH_MAX + 1).and_then(|row| row.first()).copied()
    }

    /// Walks the trees, without recursion: a backup may hold a chain of a million.
    fn walk(&mut self, roots: Vec<usize>, children: &[Vec<usize>]) {
        let mut stack: Vec<(usize, usize)> =
            roots.into_iter().rev().map(|root| (root, 0)).collect();
        while let Some((index, depth)) = stack.pop() {
            self.by_tree.push(index);
            if self.rows.len() == depth {
                self.rows.push(Vec::new());
            }
            if let Some(row) = self.rows.get_mut(depth) {
                row.push(index);
            }
            let below = children.get(index).into_iter().flatten().rev();
            stack.extend(below.map(|child| (*child, depth + 1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(jobs: &[(&str, &str)]) -> Result<Order, String> {
        let name = |text: &str| JobName::parse(text).unwrap();
        let jobs: Vec<_> = jobs
            .iter()
            .map(|(job, parent)| (name(job), Some(*parent).filter(|p| !p.is_empty()).map(name)))
            .collect();
        Order::of(&jobs.iter().map(|(job, parent)| (job, parent.as_ref())).collect::<Vec<_>>())
    }

    #[test]
    fn parents_come_before_their_children() {
        let order = order(&[("g", "c"), ("c", "p"), ("p", ""), ("q", ""), ("d", "p")]).unwrap();
        assert_eq!(order.rows, [vec![2, 3], vec![1, 4], vec![0]]);
        assert_eq!(order.by_tree, [2, 1, 0, 4, 3]);
        assert_eq!(order.parents, [Some(1), Some(2), None, None, Some(2)]);
        assert_eq!(super::Order::of(&[]).unwrap(), Order::default());
    }

    #[test]
    fn a_parent_must_be_in_the_file() {
        assert!(order(&[("a", "nobody")]).unwrap_err().contains("\"nobody\""));
    }

    #[test]
    fn nobody_is_their_own_ancestor() {
        assert!(
            order(&[("r", ""), ("a", "b"), ("b", "a"), ("c", "b")]).unwrap_err().contains("\"a\"")
        );
        assert!(order(&[("a", "a")]).is_err());
    }

    #[test]
    fn a_tree_that_is_deeper_than_may_be_stored_is_told() {
        let chain = |jobs: usize| {
            let names: Vec<_> = (0..jobs).map(|n| format!("n{n}")).collect();
            let parents = std::iter::once("").chain(names.iter().map(String::as_str));
            let jobs: Vec<_> = names.iter().map(String::as_str).zip(parents).collect();
            order(&jobs).unwrap().too_deep()
        };
        assert_eq!(chain(PARENT_DEPTH_MAX + 1), None);
        assert_eq!(chain(PARENT_DEPTH_MAX + 2), Some(PARENT_DEPTH_MAX + 1));
    }

    #[test]
    fn a_chain_of_any_length_is_arranged() {
        let names: Vec<_> = (0..100_000).map(|n| JobName::parse(&n.to_string()).unwrap()).collect();
        let parents = std::iter::once(None).chain(names.iter().map(Some));
        let jobs: Vec<_> = names.iter().zip(parents).collect();
        assert_eq!(Order::of(&jobs).unwrap().rows.len(), 100_000);
    }
}
