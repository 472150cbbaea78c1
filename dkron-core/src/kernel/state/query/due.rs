//! What happens next.

use std::ops::{Bound, ControlFlow};

#[cfg(any(test, feature = "testing"))]
use crate::kernel::model::JobName;
use crate::kernel::state::{DueRow, Order, Table, TableError, Tables, keys, rows};
use crate::kernel::time::Timestamp;

/// Returns the first due row: the next thing that happens.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode.
pub fn first_due(tables: &impl Tables) -> Result<Option<DueRow>, TableError> {
    Ok(due_rows(tables, None, Timestamp::MAX, 1)?.pop())
}

/// Returns at most `limit` rows that are due at `until` or before, in the order of instant, kind
/// (schedule, retry, dependent) and job; those after `after` only, if it is given.
///
/// # Errors
///
/// As [`first_due`].
pub fn due_rows(
    tables: &impl Tables,
    after: Option<&DueRow>,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<DueRow>, TableError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let from = after.map(keys::due);
    let from = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let to = keys::due_until(until);
    rows::scan(
        tables,
        Table::Due,
        (from, Bound::Included(&to)),
        Order::Ascending,
        |key, value| {
            found.push(rows::decode_due(key, value)?);
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        },
    )?;
    Ok(found)
}

/// Counts the rows that are due at `until` or before, up to `limit`; looks at none of them closer.
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn due_count(
    tables: &impl Tables,
    until: Timestamp,
    limit: usize,
) -> Result<usize, TableError> {
    let to = keys::due_until(until);
    let mut count = 0;
    tables.walk(
        Table::Due,
        (Bound::Unbounded, Bound::Included(&to)),
        Order::Ascending,
        |_, _| {
            count += 1;
            if count < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    )?;
    Ok(count.min(limit))
}

/// Returns the retries and dependent runs of a job that are due some time, in the order of their
/// instants.
///
/// # Errors
///
/// As [`first_due`].
#[cfg(any(test, feature = "testing"))]
pub fn waiting(tables: &impl Tables, job: &JobName) -> Result<Vec<DueRow>, TableError> {
    let mut due = Vec::new();
    let of_job = keys::rows_of(job.as_str());
    rows::scan(tables, Table::Pending, of_job.range(), Order::Ascending, |key, _| {
        due.push(keys::due_of_pending(key)?);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut found = Vec::with_capacity(due.len());
    for key in due {
        found.extend(rows::get(tables, Table::Due, &key, |value| rows::decode_due(&key, value))?);
    }
    Ok(found)
}
