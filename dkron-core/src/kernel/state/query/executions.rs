//! What became of fires: executions, their outputs, skips.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use super::{Page, Part};
use crate::kernel::model::{Execution, ExecutionId, JobName, Skip};
use crate::kernel::state::codec::{OutputRecord, SkipRecord, decode};
use crate::kernel::state::{KeyRange, Order, StoredOutput, Table, TableError, Tables, keys, rows};

/// Reads an execution, whether it runs or has ended; `None` if it is not kept.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode.
pub fn execution(
    tables: &impl Tables,
    job: &JobName,
    id: &ExecutionId,
) -> Result<Option<Execution>, TableError> {
    match rows::execution(tables, Table::Running, job, id)? {
        Some(execution) => Ok(Some(execution)),
        None => rows::execution(tables, Table::Executions, job, id),
    }
}

/// Reads the stored output of an execution; `None` if it wrote none, runs, or is not kept.
///
/// # Errors
///
/// As [`execution`].
pub fn output(
    tables: &impl Tables,
    job: &JobName,
    id: &ExecutionId,
) -> Result<Option<StoredOutput>, TableError> {
    let key = keys::execution(job, id);
    rows::get(tables, Table::Outputs, &key, |bytes| {
        Ok(decode::<OutputRecord<'_>>(bytes)?.to_output())
    })
}

/// Returns a part of a job's executions in the order of the instants they were due, running ones
/// among them, and how many are kept. O(skip + limit).
///
/// # Errors
///
/// As [`execution`].
pub fn executions_page(
    tables: &impl Tables,
    job: &JobName,
    part: Part,
) -> Result<Page<Execution>, TableError> {
    let total = super::status(tables, job)?.map_or(0, |status| u64::from(status.executions));
    let needed = usize::try_from(part.skip).unwrap_or(usize::MAX).saturating_add(part.limit);
    let mut items = Vec::new();
    if part.limit == 0 {
        return Ok(Page { items, total });
    }
    let of_job = keys::rows_of(job.as_str());
    let mut running =
        keys_of(tables, Table::Running, of_job.range(), part.order, needed)?.into_iter().peekable();
    let mut skip = part.skip;
    let mut take = |key: &[u8], value: &[u8]| {
        if skip > 0 {
            skip -= 1;
        } else if items.len() < part.limit {
            items.push(rows::decode_execution(key, value)?);
        }
        Ok(if items.len() < part.limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    };
    let comes_first = match part.order {
        Order::Ascending => Ordering::Less,
        Order::Descending => Ordering::Greater,
    };
    rows::scan(tables, Table::Executions, of_job.range(), part.order, |key, value| {
        while let Some((other, value)) =
            running.next_if(|(other, _)| (**other).cmp(key) == comes_first)
        {
            if take(&other, &value)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        take(key, value)
    })?;
    for (key, value) in running {
        if take(&key, &value).map_err(|why| why.in_table(Table::Running))?.is_break() {
            break;
        }
    }
    Ok(Page { items, total })
}

type Row = (Box<[u8]>, Box<[u8]>);

fn keys_of(
    tables: &impl Tables,
    table: Table,
    range: KeyRange<'_>,
    order: Order,
    limit: usize,
) -> Result<Vec<Row>, TableError> {
    let mut found: Vec<Row> = Vec::new();
    tables.walk(table, range, order, |key, value| {
        found.push((key.into(), value.into()));
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

/// Returns at most `limit` running executions, of one job or of all, in the order of job and due
/// instant.
///
/// # Errors
///
/// As [`execution`].
pub fn running(
    tables: &impl Tables,
    job: Option<&JobName>,
    limit: usize,
) -> Result<Vec<Execution>, TableError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let of_job = job.map(|job| keys::rows_of(job.as_str()));
    let range = of_job.as_ref().map_or((Bound::Unbounded, Bound::Unbounded), keys::Prefix::range);
    rows::scan(tables, Table::Running, range, Order::Ascending, |key, value| {
        found.push(rows::decode_execution(key, value)?);
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// Returns how many executions run in the whole cluster. O(1).
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn running_count(tables: &impl Tables) -> Result<u64, TableError> {
    tables.len(Table::Running)
}

/// Returns at most `limit` skips of a job in the order of their first instants.
///
/// # Errors
///
/// As [`execution`].
pub fn skips(
    tables: &impl Tables,
    job: &JobName,
    order: Order,
    limit: usize,
) -> Result<Vec<Skip>, TableError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let of_job = keys::rows_of(job.as_str());
    rows::scan(tables, Table::Skips, of_job.range(), order, |key, value| {
        let (job, first) = keys::parse_skip(key)?;
        found.push(SkipRecord::decode_skip(job, first, value)?);
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}
