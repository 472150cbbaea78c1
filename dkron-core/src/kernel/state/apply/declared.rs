//! The jobs that one program declares: as declared, or as they were.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::jobs::{Checked, check_tag};
use super::parents::{Forest, has_children};
use super::{Apply, NotApplied, half_a_job};
use crate::kernel::model::JobName;
use crate::kernel::state::{
    ApplyJobs, JobChange, JobWrite, Order, Outcome, Rejection, Table, TableError, TablesMut, keys,
    rows,
};

impl<T: TablesMut> Apply<'_, T> {
    pub(super) fn apply_jobs(&mut self, apply: &ApplyJobs) -> Result<Outcome, NotApplied> {
        check_tag(&apply.declared_by)?;
        let writes = owned_by(apply);
        let mut checked: Vec<Checked<'_>> = Vec::with_capacity(writes.len());
        for write in &writes {
            self.check_owner(&write.job.name, &apply.declared_by)?;
            checked.push(self.check_write(write)?);
        }
        let pruned =
            if apply.prune { self.pruned(&writes, &apply.declared_by)? } else { Vec::new() };
        self.check_forest(&writes, &pruned)?;

        let (mut created, mut updated, mut unchanged) = (0, 0, 0);
        for write in checked {
            match self.write_job(write)?.1 {
                Some(JobChange::Created) => created += 1,
                Some(_) => updated += 1,
                None => unchanged += 1,
            }
        }
        for job in &pruned {
            let row = self.tables.status(job)?.ok_or_else(half_a_job)?;
            self.remove_job(job, &row)?;
        }
        Ok(Outcome::Applied { created, updated, unchanged, pruned: pruned.len() as u32 })
    }

    /// A job that exists must carry the tag.
    fn check_owner(&self, job: &JobName, tag: &str) -> Result<(), NotApplied> {
        let is_free = !rows::exists(self.tables, Table::Jobs, job.as_str().as_bytes())?;
        if is_free || rows::exists(self.tables, Table::Declared, &keys::edge(tag, job))? {
            return Ok(());
        }
        Err(Rejection::NotDeclaredBy { job: job.clone(), declared_by: tag.to_owned() }.into())
    }

    /// Returns the jobs that carry the tag and are declared no more.
    fn pruned(&self, writes: &[JobWrite], tag: &str) -> Result<Vec<JobName>, TableError> {
        let declared: BTreeSet<_> = writes.iter().map(|write| &write.job.name).collect();
        let mut pruned = Vec::new();
        let rows = keys::rows_of(tag);
        rows::scan(self.tables, Table::Declared, rows.range(), Order::Ascending, |key, _| {
            let job = keys::parse_edge(key)?;
            if !declared.contains(&job) {
                pruned.push(job);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(pruned)
    }

    /// Checks the forest as it will be once everything is written and pruned.
    fn check_forest(&self, writes: &[JobWrite], pruned: &[JobName]) -> Result<(), NotApplied> {
        let mut forest = Forest::new(&*self.tables);
        for job in pruned {
            forest.remove(job);
        }
        for write in writes {
            forest.place(&write.job.name, write.job.parent_job.as_ref());
        }
        for write in writes {
            if let Some(parent) = &write.job.parent_job {
                forest.check(&write.job.name, parent)?;
            }
        }
        for job in pruned {
            let children = forest.children_of(job)?;
            if !children.is_empty() {
                return Err(has_children(job, &children).into());
            }
        }
        Ok(())
    }
}

/// Marks the writes with the tag. Of several for one job the last counts.
fn owned_by(apply: &ApplyJobs) -> Vec<JobWrite> {
    let mut seen = BTreeSet::new();
    let mut writes: Vec<JobWrite> = Vec::with_capacity(apply.jobs.len());
    for write in apply.jobs.iter().rev().filter(|write| seen.insert(&write.job.name)) {
        let mut write = write.clone();
        write.job.declared_by = Some(apply.declared_by.clone());
        writes.push(write);
    }
    writes.reverse();
    writes
}

#[cfg(test)]
#[path = "declared_test.rs"]
mod tests;
