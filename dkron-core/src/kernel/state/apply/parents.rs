//! The forest of parents and children: every parent exists, no job is its own ancestor, no tree is
//! deeper than a limit.
//!
//! Edges belong to the child's definition; `Children` is their index by parent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::kernel::model::JobName;
use crate::kernel::state::codec::JobRecord;
use crate::kernel::state::{Order, Rejection, Table, TableError, Tables, keys, rows};
use crate::limits::PARENT_DEPTH_MAX;

use super::NotApplied;

/// The forest as it would be after some changes.
pub(super) struct Forest<'t, T> {
    tables: &'t T,
    changed: BTreeMap<JobName, Place>,
    /// Children that the changes give to a parent, in name order.
    gained: BTreeMap<JobName, Vec<JobName>>,
}

/// Where a changed job will be.
enum Place {
    /// Nowhere: it is deleted.
    Gone,
    /// Without a parent.
    Root,
    /// Below this one.
    Under(JobName),
}

impl<'t, T: Tables> Forest<'t, T> {
    pub(super) fn new(tables: &'t T) -> Self {
        Self { tables, changed: BTreeMap::new(), gained: BTreeMap::new() }
    }

    /// Puts a job at its place. A job is changed once at most.
    pub(super) fn place(&mut self, job: &JobName, parent: Option<&JobName>) {
        let place = parent.map_or(Place::Root, |parent| {
            self.gained.entry(parent.clone()).or_default().push(job.clone());
            Place::Under(parent.clone())
        });
        self.changed.insert(job.clone(), place);
    }

    /// Takes a job out.
    pub(super) fn remove(&mut self, job: &JobName) {
        self.changed.insert(job.clone(), Place::Gone);
    }

    /// Checks that `job` may stand below `parent`.
    pub(super) fn check(&self, job: &JobName, parent: &JobName) -> Result<(), NotApplied> {
        let mut ancestors = 0;
        let mut ancestor = Some(parent.clone());
        while let Some(current) = ancestor {
            if current == *job {
                return Err(
                    Rejection::ParentCycle { job: job.clone(), parent: parent.clone() }.into()
                );
            }
            ancestors += 1;
            if ancestors > PARENT_DEPTH_MAX {
                return Err(too_deep(job));
            }
            ancestor = match self.parent_of(&current)? {
                Some(above) => above,
                None if current == *parent => {
                    return Err(Rejection::ParentNotFound { parent: parent.clone() }.into());
                }
                None => None,
            };
        }
        self.check_below(job, ancestors)
    }

    /// Checks the depth of the tree below a job that has so many ancestors.
    fn check_below(&self, job: &JobName, ancestors: usize) -> Result<(), NotApplied> {
        let mut seen = BTreeSet::new();
        let mut level = self.children_of(job)?;
        let mut depth = ancestors;
        while !level.is_empty() {
            depth += 1;
            if depth > PARENT_DEPTH_MAX {
                return Err(too_deep(job));
            }
            let mut below = Vec::new();
            for child in level {
                below.append(&mut self.children_of(&child)?);
                seen.insert(child);
            }
            // A forest has no job twice; tables that somebody else wrote may.
            below.retain(|child| !seen.contains(child));
            level = below;
        }
        Ok(())
    }

    /// Returns the parent of a job; the outer `None` says that there is no such job.
    fn parent_of(&self, job: &JobName) -> Result<Option<Option<JobName>>, TableError> {
        match self.changed.get(job) {
            Some(Place::Gone) => Ok(None),
            Some(Place::Root) => Ok(Some(None)),
            Some(Place::Under(parent)) => Ok(Some(Some(parent.clone()))),
            None => {
                let key = job.as_str().as_bytes();
                rows::get(self.tables, Table::Jobs, key, JobRecord::decode_parent)
            }
        }
    }

    /// Returns the children of a job.
    pub(super) fn children_of(&self, job: &JobName) -> Result<Vec<JobName>, TableError> {
        let mut children = children(self.tables, job)?;
        children.retain(|child| !self.changed.contains_key(child));
        if let Some(gained) = self.gained.get(job) {
            children.extend(gained.iter().cloned());
        }
        Ok(children)
    }
}

/// Returns the children of a job as they are stored, in name order.
pub(in super::super) fn children(
    tables: &impl Tables,
    job: &JobName,
) -> Result<Vec<JobName>, TableError> {
    let mut children = Vec::new();
    let rows = keys::rows_of(job.as_str());
    rows::scan(tables, Table::Children, rows.range(), Order::Ascending, |key, _| {
        children.push(keys::parse_edge(key)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(children)
}

/// Says why a job with these children cannot be deleted.
pub(super) fn has_children(job: &JobName, children: &[JobName]) -> Rejection {
    const NAMED_MAX: usize = 5;
    let named: Vec<_> = children.iter().take(NAMED_MAX).map(JobName::as_str).collect();
    let ellipsis = if children.len() > NAMED_MAX { ", …" } else { "" };
    Rejection::HasChildren { job: job.clone(), children: named.join(", ") + ellipsis }
}

fn too_deep(job: &JobName) -> NotApplied {
    Rejection::ParentTooDeep { job: job.clone(), depth_max: PARENT_DEPTH_MAX }.into()
}
