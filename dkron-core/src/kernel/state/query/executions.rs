//! What became of fires: executions, their outputs, skips.
//!
//! The history of a deleted job is there until it is swept, and is not shown: of such a job there
//! is only what runs.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use super::{Matching, Page, Part};
use crate::kernel::model::{Execution, ExecutionId, JobName, Skip};
use crate::kernel::state::codec::{Malformed, OutputRecord, SkipRecord, decode};
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
        None if super::job_exists(tables, job)? => {
            rows::execution(tables, Table::Executions, job, id)
        }
        None => Ok(None),
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
    if !super::job_exists(tables, job)? {
        return Ok(None);
    }
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
    let status = super::status(tables, job)?;
    let has_history = status.is_some();
    let total = status.map_or(0, |status| u64::from(status.executions));
    let needed = usize::try_from(part.skip).unwrap_or(usize::MAX).saturating_add(part.limit);
    let mut items = Vec::new();
    if part.limit == 0 {
        return Ok(Page { items, total });
    }
    let of_job = keys::rows_of(job.as_str());
    let mut skip = part.skip;
    walk(tables, of_job.range(), has_history, (part.order, needed), |key, value| {
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
    })?;
    Ok(Page { items, total })
}

/// Which part of a job's executions is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionRange<'a> {
    /// The direction of the list.
    pub order: Order,
    /// Executions stand behind it in that direction.
    pub after: Option<&'a ExecutionId>,
    /// Executions to return at most.
    pub limit: usize,
    /// Executions to look at, at most.
    pub rows_max: usize,
}

/// Returns the executions of a range that match, running ones among them, in the order of the
/// instants they were due.
///
/// Ends as soon as it has as many as are wanted, or has looked at as many as it may.
///
/// # Errors
///
/// As [`execution`].
pub fn executions_matching(
    tables: &impl Tables,
    job: &JobName,
    range: ExecutionRange<'_>,
    mut filter: impl FnMut(&Execution) -> bool,
) -> Result<Matching<Execution, ExecutionId>, TableError> {
    let mut found = Matching { items: Vec::new(), next: None };
    if range.limit == 0 || range.rows_max == 0 {
        return Ok(found);
    }
    let of_job = keys::rows_of(job.as_str());
    let after = range.after.map(|id| keys::execution(job, id));
    let (from, to) = of_job.range();
    let rows = match (after.as_deref(), range.order) {
        (None, _) => (from, to),
        (Some(after), Order::Ascending) => (Bound::Excluded(after), to),
        (Some(after), Order::Descending) => (from, Bound::Excluded(after)),
    };
    let mut last = None;
    let mut looked_at = 0;
    let has_history = super::job_exists(tables, job)?;
    let limit = (range.order, range.rows_max.saturating_add(1));
    walk(tables, rows, has_history, limit, |key, value| {
        // One more than is wanted: so the last page is known to be the last.
        if found.items.len() == range.limit || looked_at == range.rows_max {
            found.next = last.take();
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        let execution = rows::decode_execution(key, value)?;
        last = Some(execution.id.clone());
        if filter(&execution) {
            found.items.push(execution);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Shows executions, running ones among the others, until `visit` breaks; of those that run, the
/// first `running_max` at most; only those if there is no history.
fn walk(
    tables: &impl Tables,
    range: KeyRange<'_>,
    has_history: bool,
    (order, running_max): (Order, usize),
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Malformed>,
) -> Result<(), TableError> {
    let mut running =
        keys_of(tables, Table::Running, range, order, running_max)?.into_iter().peekable();
    let comes_first = match order {
        Order::Ascending => Ordering::Less,
        Order::Descending => Ordering::Greater,
    };
    let mut is_over = false;
    let mut with_history = |key: &[u8], value: &[u8]| {
        while let Some((other, value)) =
            running.next_if(|(other, _)| (**other).cmp(key) == comes_first)
        {
            if visit(&other, &value)?.is_break() {
                is_over = true;
                return Ok(ControlFlow::Break(()));
            }
        }
        let flow = visit(key, value)?;
        is_over = flow.is_break();
        Ok(flow)
    };
    if has_history {
        rows::scan(tables, Table::Executions, range, order, &mut with_history)?;
    }
    for (key, value) in running {
        if is_over {
            break;
        }
        is_over = visit(&key, &value).map_err(|why| why.in_table(Table::Running))?.is_break();
    }
    Ok(())
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
    if limit == 0 || !super::job_exists(tables, job)? {
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
