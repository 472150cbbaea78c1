//! What can be asked of the state.
//!
//! Every answer is read from one consistent view and costs what it returns, or what it is told to
//! skip; none walks the history. Rows are decoded when they are needed: filters that look at the
//! name cost no decoding.
//!
//! # Where to begin reading
//!
//! [`jobs_page`] and [`executions_page`] for what users see; [`due_rows`] for the engine.

mod due;
mod executions;
mod job;
mod jobs;

use super::{Table, TableError, Tables, keys, rows};
use crate::kernel::time::Timestamp;

#[cfg(any(test, feature = "testing"))]
pub use due::waiting;
pub use due::{due_count, due_rows, first_due};
pub use executions::{
    ExecutionRange, execution, executions_matching, executions_page, output, running,
    running_count, skips,
};
#[cfg(any(test, feature = "testing"))]
pub use job::children;
pub use job::{JobView, definition, job, job_exists, revision, status};
#[cfg(any(test, feature = "testing"))]
pub use jobs::declared;
pub use jobs::{
    JobRange, JobRow, has_declared_more, job_count, jobs_after, jobs_matching, jobs_page,
};

/// A part of a list, and how long the list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<V> {
    /// The part.
    pub items: Vec<V>,
    /// Entries of the whole list.
    pub total: u64,
}

/// Which part of a list is asked for, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The direction of the list.
    pub order: super::Order,
    /// Entries to leave out at its beginning.
    pub skip: u64,
    /// Entries to return at most.
    pub limit: usize,
}

/// Entries that match, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching<V, C> {
    /// Those that match.
    pub items: Vec<V>,
    /// The last entry that was looked at, unless the list ends there.
    pub next: Option<C>,
}

/// Finished executions of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayStats {
    /// Midnight UTC at which the day begins.
    pub date: Timestamp,
    /// Executions that succeeded.
    pub success_count: u64,
    /// Executions that did not.
    pub failed_count: u64,
}

/// Seconds in a day of UTC.
const DAY_S: i64 = 86_400;

/// Returns the number of the UTC day that holds `at`, counted from 1970-01-01.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.as_unix_s().div_euclid(DAY_S)
}

/// Returns whether new jobs are refused.
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn is_paused(tables: &impl Tables) -> Result<bool, TableError> {
    rows::exists(tables, Table::Meta, keys::PAUSED)
}

/// Returns whether anything is left of the history of deleted jobs. O(1).
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn has_unswept(tables: &impl Tables) -> Result<bool, TableError> {
    Ok(tables.len(Table::Deleted)? > 0)
}

/// Returns the fencing token of the newest claim; 0 if nothing was ever claimed.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode.
pub fn last_token(tables: &impl Tables) -> Result<u64, TableError> {
    Ok(rows::counters(tables)?.token)
}

/// Returns the counts of `days` days up to the one that holds `today`, oldest first; days without
/// executions are zeros.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode.
pub fn stats(
    tables: &impl Tables,
    today: Timestamp,
    days: u32,
) -> Result<Vec<DayStats>, TableError> {
    let last = day_of(today);
    let mut stats = Vec::new();
    for day in last.saturating_sub(i64::from(days)) + 1..=last {
        let counts = rows::day_counts(tables, day)?;
        let date = Timestamp::from_unix_s(day * DAY_S).unwrap_or(Timestamp::MIN);
        let (success_count, failed_count) = (counts.success, counts.failed);
        stats.push(DayStats { date, success_count, failed_count });
    }
    Ok(stats)
}
