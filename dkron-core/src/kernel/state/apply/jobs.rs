//! Definitions: written, toggled, deleted.

use std::ops::ControlFlow;

use super::parents::{Forest, children, has_children};
use super::{Apply, NotApplied, half_a_job};
use crate::kernel::model::{Cause, Job, JobName, JobStatus, RunStatus, Skip, SkipReason};
use crate::kernel::state::codec::{JobRecord, Scratch, StatusRow};
use crate::kernel::state::{
    Event, JobChange, JobWrite, Order, Outcome, Overdue, Rejection, Table, TableError, TablesMut,
    keys, rows,
};
use crate::kernel::time::Timestamp;
use crate::limits::{DECLARED_BY_BYTES_MAX, JOB_BYTES_MAX};

/// A write that has passed every check that concerns the job alone.
pub(super) struct Checked<'w> {
    write: &'w JobWrite,
    record: Scratch,
}

impl<T: TablesMut> Apply<'_, T> {
    pub(super) fn set_job(&mut self, write: &JobWrite) -> Result<Outcome, NotApplied> {
        let checked = self.check_write(write)?;
        if let Some(parent) = &write.job.parent_job {
            let mut forest = Forest::new(&*self.tables);
            forest.place(&write.job.name, Some(parent));
            forest.check(&write.job.name, parent)?;
        }
        let (revision, _) = self.write_job(checked)?;
        Ok(Outcome::Written { revision })
    }

    /// Checks what a write can be rejected for, but for its parent.
    pub(super) fn check_write<'w>(
        &mut self,
        write: &'w JobWrite,
    ) -> Result<Checked<'w>, NotApplied> {
        let name = &write.job.name;
        if let Some(tag) = &write.job.declared_by {
            check_tag(tag)?;
        }
        if let Some(expected) = write.if_revision {
            let revision = self.tables.status(name)?.map_or(0, |row| row.status.revision);
            if revision != expected {
                return Err(Rejection::Moved { job: name.clone(), revision }.into());
            }
        }
        let mut record = Scratch::default();
        let bytes = record.encode(&JobRecord::new(&write.job)).len();
        if bytes > JOB_BYTES_MAX {
            let job = name.clone();
            return Err(Rejection::JobTooLarge { job, bytes, bytes_max: JOB_BYTES_MAX }.into());
        }
        Ok(Checked { write, record })
    }

    /// Writes a job; returns its revision, and what that changed.
    pub(super) fn write_job(
        &mut self,
        checked: Checked<'_>,
    ) -> Result<(u64, Option<JobChange>), TableError> {
        let Checked { write, record } = checked;
        let job = &write.job;
        let old = rows::job(self.tables, &job.name)?;
        let old_row = self.tables.status(&job.name)?;
        if old.is_some() != old_row.is_some() {
            return Err(half_a_job());
        }
        let is_definition_changed = old.as_ref() != Some(job);
        let is_rescheduled = old.as_ref().is_some_and(|old| old.schedule != job.schedule);

        let mut row = match &old_row {
            Some(row) => row.clone(),
            None => {
                self.sweep_now(&job.name)?;
                self.new_status(&job.name)?
            }
        };
        if let Some(restored) = &write.restored {
            restore(&mut row.status, restored);
        }
        if is_definition_changed {
            self.counters.revision = self.counters.revision.saturating_add(1);
            row.status.revision = self.counters.revision;
            if is_rescheduled {
                row.status.last_fire = None;
            }
        }
        row.status.next = next_of(job, old.as_ref(), &row.status, write.first);
        if !is_definition_changed && old_row.as_ref() == Some(&row) {
            return Ok((row.status.revision, None));
        }

        if is_definition_changed {
            self.tables.put(Table::Jobs, job.name.as_str().as_bytes(), record.bytes())?;
            self.move_edges(old.as_ref(), job)?;
        }
        let old_next = old_row.and_then(|row| row.status.next);
        let skipped = self.skip_overdue(write, old_next, &mut row)?;
        if !is_rescheduled {
            row.status.last_fire = row.status.last_fire.max(skipped);
        }
        self.move_schedule(&job.name, old_next, row.status.next)?;
        self.save_status(&job.name, &row)?;
        let change = change_of(old.as_ref(), job);
        self.events.push(Event::JobChanged { job: job.name.clone(), change });
        Ok((row.status.revision, Some(change)))
    }

    /// Returns the status of a job that is new: it takes over what still runs of one that was
    /// deleted under its name, and nothing of its history.
    fn new_status(&self, name: &JobName) -> Result<StatusRow, TableError> {
        let mut row = StatusRow::default();
        let rows_of_job = keys::rows_of(name.as_str());
        self.tables.walk(Table::Running, rows_of_job.range(), Order::Ascending, |_, _| {
            row.running = row.running.saturating_add(1);
            ControlFlow::Continue(())
        })?;
        row.status.executions = row.running;
        Ok(row)
    }

    /// Files the outcome of instants that had come undecided when a write took them away; returns
    /// the last of them.
    fn skip_overdue(
        &mut self,
        write: &JobWrite,
        old_next: Option<Timestamp>,
        row: &mut StatusRow,
    ) -> Result<Option<Timestamp>, TableError> {
        let Some(first) = old_next.filter(|at| *at <= self.at && row.status.next != old_next)
        else {
            return Ok(None);
        };
        // Counted for another row: it was decided meanwhile, and this is the one after it.
        let counted = write.overdue.filter(|overdue| overdue.first == first);
        let Overdue { last, fires, .. } =
            counted.unwrap_or(Overdue { first, last: first, fires: 1 });
        if fires == 0 {
            // The log is ahead of the clock by which the instant is due: nobody misses it.
            return Ok(None);
        }
        let (job, last) = (write.job.name.clone(), last.max(first));
        let reason = if write.job.disabled { SkipReason::Disabled } else { SkipReason::Withdrawn };
        let skip = Skip { job, first, last, attempt: 1, fires, reason };
        self.file_skip(row, &skip)?;
        self.events.push(Event::Skipped {
            skip,
            cause: Cause::Schedule,
            is_continued: false,
            is_fire_complete: true,
        });
        Ok(Some(last))
    }

    /// Moves what other tables hold of a definition.
    fn move_edges(&mut self, old: Option<&Job>, job: &Job) -> Result<(), TableError> {
        let old_parent = old.and_then(|old| old.parent_job.as_ref()).map(JobName::as_str);
        let parent = job.parent_job.as_ref().map(JobName::as_str);
        self.move_edge(Table::Children, old_parent, parent, &job.name)?;
        let old_tag = old.and_then(|old| old.declared_by.as_deref());
        self.move_edge(Table::Declared, old_tag, job.declared_by.as_deref(), &job.name)
    }

    fn move_edge(
        &mut self,
        table: Table,
        from: Option<&str>,
        to: Option<&str>,
        job: &JobName,
    ) -> Result<(), TableError> {
        if from == to {
            return Ok(());
        }
        if let Some(from) = from {
            self.tables.delete(table, &keys::edge(from, job))?;
        }
        if let Some(to) = to {
            self.tables.put(table, &keys::edge(to, job), &[])?;
        }
        Ok(())
    }

    pub(super) fn set_disabled(
        &mut self,
        name: &JobName,
        revision: u64,
        disabled: bool,
        (first, overdue): (Option<Timestamp>, Option<Overdue>),
    ) -> Result<Outcome, NotApplied> {
        check_revision(name, &self.status_of(name)?, revision)?;
        let mut job = rows::job(self.tables, name)?.ok_or_else(half_a_job)?;
        job.disabled = disabled;
        let write = JobWrite { job, first, overdue, if_revision: None, restored: None };
        let mut record = Scratch::default();
        record.encode(&JobRecord::new(&write.job));
        let (revision, _) = self.write_job(Checked { write: &write, record })?;
        Ok(Outcome::Written { revision })
    }

    /// Deletes a job, if it has the revision `if_revision`; `None` = any.
    pub(super) fn delete_job(
        &mut self,
        name: &JobName,
        if_revision: Option<u64>,
    ) -> Result<Outcome, NotApplied> {
        let row = self.status_of(name)?;
        if let Some(revision) = if_revision {
            check_revision(name, &row, revision)?;
        }
        let children = children(self.tables, name)?;
        if !children.is_empty() {
            return Err(has_children(name, &children).into());
        }
        self.remove_job(name, &row)?;
        Ok(Outcome::Done)
    }

    /// Removes a job with everything that is kept of it, but for what runs: that is there until it
    /// ends, so that a job made again under the name does not overlap with it, and whoever looks
    /// for what a dead process left behind finds it. It has no children.
    ///
    /// A long history goes later, see `sweep`: nobody sees it any more.
    pub(super) fn remove_job(&mut self, name: &JobName, row: &StatusRow) -> Result<(), TableError> {
        let job = rows::job(self.tables, name)?.ok_or_else(half_a_job)?;
        self.move_schedule(name, row.status.next, None)?;
        let rows_of_job = keys::rows_of(name.as_str());
        rows::delete_range(self.tables, Table::Pending, rows_of_job.range(), |tables, key| {
            let due = keys::due_of_pending(key).map_err(|why| why.in_table(Table::Pending))?;
            tables.delete(Table::Due, &due).map(|_| ())
        })?;
        rows::delete_range(self.tables, Table::Fires, rows_of_job.range(), |_, _| Ok(()))?;
        self.open_fires_of_running(name, None)?;
        self.leave_history(name, row)?;
        let parent = job.parent_job.as_ref().map(JobName::as_str);
        self.move_edge(Table::Children, parent, None, name)?;
        self.move_edge(Table::Declared, job.declared_by.as_deref(), None, name)?;
        self.tables.delete(Table::Jobs, name.as_str().as_bytes())?;
        self.tables.delete(Table::Status, name.as_str().as_bytes())?;
        self.events.push(Event::JobChanged { job: name.clone(), change: JobChange::Deleted });
        Ok(())
    }
}

/// Checks that a job that exists is the one that a command was made for.
fn check_revision(name: &JobName, row: &StatusRow, expected: u64) -> Result<(), NotApplied> {
    let revision = row.status.revision;
    if revision != expected {
        return Err(Rejection::Moved { job: name.clone(), revision }.into());
    }
    Ok(())
}

/// Says what a write did to a job.
fn change_of(old: Option<&Job>, job: &Job) -> JobChange {
    let Some(old) = old else { return JobChange::Created };
    if old.disabled != job.disabled && *old == (Job { disabled: old.disabled, ..job.clone() }) {
        return JobChange::Toggled { disabled: job.disabled };
    }
    JobChange::Updated
}

/// Checks that a tag fits a key.
pub(super) fn check_tag(tag: &str) -> Result<(), NotApplied> {
    if tag.is_empty() || tag.len() > DECLARED_BY_BYTES_MAX || tag.contains(char::is_control) {
        return Err(Rejection::TagRefused { bytes_max: DECLARED_BY_BYTES_MAX }.into());
    }
    Ok(())
}

/// Raises what a client may raise, so that a backup can be restored; nothing is ever lowered.
fn restore(status: &mut JobStatus, restored: &JobStatus) {
    status.success_count = status.success_count.max(restored.success_count);
    status.error_count = status.error_count.max(restored.error_count);
    status.last_success = status.last_success.max(restored.last_success);
    status.last_error = status.last_error.max(restored.last_error);
    if status.status == RunStatus::Untriggered {
        status.status = restored.status;
    }
}

/// Says when a job is due next after a write.
fn next_of(
    job: &Job,
    old: Option<&Job>,
    status: &JobStatus,
    first: Option<Timestamp>,
) -> Option<Timestamp> {
    if job.disabled || job.parent_job.is_some() {
        return None;
    }
    if is_one_shot(&job.schedule) && status.last_fire.is_some() {
        return None;
    }
    let keeps_its_instant = old.is_some_and(|old| {
        !old.disabled
            && old.parent_job.is_none()
            && old.schedule == job.schedule
            && old.timezone == job.timezone
            && old.dst == job.dst
            && old.starts_at == job.starts_at
            && old.expires_at == job.expires_at
    });
    if keeps_its_instant { status.next } else { first }
}

/// Returns whether a schedule fires once in its life: neither a write nor a toggle repeats it.
pub(super) fn is_one_shot(schedule: &str) -> bool {
    schedule.starts_with("@at ") || schedule.starts_with("@after ")
}

#[cfg(test)]
#[path = "jobs_test.rs"]
mod tests;
