//! One entry of the log, applied.
//!
//! A command is checked completely before its first write: a rejected one has changed nothing. A
//! command costs what it touches, whatever the history holds: one that deletes a history removes
//! only so much of it (see `sweep`). There is one exception: to make a job again under the name of
//! a deleted one removes all that is left of the old history, in the same transaction and without a
//! bound; an `ApplyJobs` may do so for each of its jobs.
//!
//! # Where to begin reading
//!
//! [`apply`]; then `fires` and `finish`, the two ends of an execution.

mod claims;
mod declared;
mod finish;
mod fires;
mod free_instants;
#[cfg(test)]
pub(super) mod harness;
mod history;
mod jobs;
mod open_fires;
mod parents;
#[cfg(test)]
mod property_test;
mod requests;
mod sweep;

use super::codec::{Counters, DayCounts, Malformed, Scratch, StatusRow};
use super::{
    Command, DueKind, DueRow, Entry, Event, Outcome, Rejection, Table, TableError, TablesMut,
};
use super::{keys, rows};
use crate::kernel::model::JobName;
use crate::kernel::time::Timestamp;

pub(super) use parents::children;

/// Applies the commands of `entry` in order, appends what they make known to `events`, and returns
/// one outcome for each.
///
/// Equal tables and equal entries give equal tables, equal outcomes and equal events, on every
/// server. The caller commits all changes together.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode. The changes made so
/// far must then be given up, and so must `events`.
pub fn apply(
    tables: &mut impl TablesMut,
    entry: &Entry,
    events: &mut Vec<Event>,
) -> Result<Vec<Outcome>, TableError> {
    let counters = rows::counters(tables)?;
    let mut apply = Apply {
        tables,
        at: entry.at,
        events,
        counters,
        counters_stored: counters,
        day: None,
        scratch: Scratch::default(),
    };
    let mut outcomes = Vec::with_capacity(entry.commands.len());
    for envelope in &entry.commands {
        outcomes.push(apply.answer(envelope)?);
    }
    apply.flush()?;
    Ok(outcomes)
}

/// What the commands of one entry share.
struct Apply<'a, T> {
    tables: &'a mut T,
    /// The proposer's clock.
    at: Timestamp,
    events: &'a mut Vec<Event>,
    /// As they are now; written once, at the end.
    counters: Counters,
    counters_stored: Counters,
    /// Counts of the day that was counted last; written when another day comes, and at the end.
    day: Option<(i64, DayCounts)>,
    scratch: Scratch,
}

/// Why a command has no effect.
enum NotApplied {
    /// Nothing has been changed.
    Rejected(Rejection),
    /// The transaction must be given up.
    Failed(TableError),
}

impl From<Rejection> for NotApplied {
    fn from(why: Rejection) -> Self {
        Self::Rejected(why)
    }
}

impl From<TableError> for NotApplied {
    fn from(error: TableError) -> Self {
        Self::Failed(error)
    }
}

impl<T: TablesMut> Apply<'_, T> {
    /// Carries out one command.
    fn carry_out(&mut self, command: &Command) -> Result<Outcome, TableError> {
        let done = match command {
            Command::SetJob(write) => self.set_job(write),
            Command::DeleteJob { job } => self.delete_job(job, None),
            Command::DeleteJobIfRevision { job, revision } => self.delete_job(job, Some(*revision)),
            Command::SetDisabled { job, revision, disabled, first, overdue } => {
                self.set_disabled(job, *revision, *disabled, (*first, *overdue))
            }
            Command::DeleteExecutions { job } => self.delete_executions(job),
            Command::ApplyJobs(declared) => self.apply_jobs(declared),
            Command::SetPaused { paused } => self.set_paused(*paused),
            Command::Fire(fire) => self.fire(fire),
            Command::Withdraw { job, execution, token, reason } => {
                self.withdraw(job, execution, *token, reason)
            }
            Command::Finish(report) => self.finish(report),
            Command::Cancel { job, execution } => self.cancel(job, execution),
            Command::Sweep { removals_max } => self.sweep(*removals_max),
        };
        match done {
            Ok(outcome) => Ok(outcome),
            Err(NotApplied::Rejected(why)) => Ok(Outcome::Rejected(why)),
            Err(NotApplied::Failed(error)) => Err(error),
        }
    }

    fn set_paused(&mut self, paused: bool) -> Result<Outcome, NotApplied> {
        let was_paused = rows::exists(self.tables, Table::Meta, keys::PAUSED)?;
        if paused != was_paused {
            if paused {
                self.tables.put(Table::Meta, keys::PAUSED, &[1])?;
            } else {
                self.tables.delete(Table::Meta, keys::PAUSED)?;
            }
            self.events.push(Event::Paused(paused));
        }
        Ok(Outcome::Done)
    }

    /// Reads the status of a job that must exist.
    fn status_of(&self, job: &JobName) -> Result<StatusRow, NotApplied> {
        self.tables.status(job)?.ok_or_else(|| Rejection::JobNotFound { job: job.clone() }.into())
    }

    fn save_status(&mut self, job: &JobName, row: &StatusRow) -> Result<(), TableError> {
        self.tables.put_status(job, row)
    }

    /// Adds a row of the due table, and its shadow by job if it is not the schedule's.
    fn put_due(&mut self, row: &DueRow) -> Result<(), TableError> {
        let value = super::codec::DueValue::encode(&row.kind, &mut self.scratch);
        self.tables.put(Table::Due, &keys::due(row), value)?;
        if row.kind != DueKind::Schedule {
            self.tables.put(Table::Pending, &keys::pending(row), &[])?;
        }
        Ok(())
    }

    fn delete_due(&mut self, row: &DueRow) -> Result<(), TableError> {
        self.tables.delete(Table::Due, &keys::due(row))?;
        if row.kind != DueKind::Schedule {
            self.tables.delete(Table::Pending, &keys::pending(row))?;
        }
        Ok(())
    }

    /// Moves the schedule's row of the due table to where the status now says.
    fn move_schedule(
        &mut self,
        job: &JobName,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(), TableError> {
        if from == to {
            return Ok(());
        }
        if let Some(from) = from {
            self.tables.delete(Table::Due, &keys::due_schedule(from, job))?;
        }
        if let Some(at) = to {
            self.put_due(&DueRow { at, job: job.clone(), kind: DueKind::Schedule })?;
        }
        Ok(())
    }

    /// Counts the end of an attempt on the UTC day of `finished_at`.
    fn count_day(&mut self, finished_at: Timestamp, is_success: bool) -> Result<(), TableError> {
        let day = super::query::day_of(finished_at);
        let mut counts = match self.day {
            Some((counted, counts)) if counted == day => counts,
            _ => {
                self.flush_day()?;
                rows::day_counts(self.tables, day)?
            }
        };
        if is_success {
            counts.success = counts.success.saturating_add(1);
        } else {
            counts.failed = counts.failed.saturating_add(1);
        }
        self.day = Some((day, counts));
        Ok(())
    }

    fn flush_day(&mut self) -> Result<(), TableError> {
        if let Some((day, counts)) = self.day.take() {
            self.tables.put(Table::Stats, &keys::day(day), self.scratch.encode(&counts))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TableError> {
        self.flush_day()?;
        if self.counters != self.counters_stored {
            let value = self.scratch.encode(&self.counters);
            self.tables.put(Table::Meta, keys::COUNTERS, value)?;
        }
        Ok(())
    }
}

/// A job with a definition but no status, or the other way round.
fn half_a_job() -> TableError {
    Malformed::new("a job has only one of definition and status").in_table(Table::Jobs)
}
