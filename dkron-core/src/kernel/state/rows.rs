//! Rows as model types: what reading and writing one has in common.
//!
//! A fault of decoding is named after its table here, so that nobody else has to think of it.

use std::ops::ControlFlow;

use super::codec::{
    Counters, DayCounts, DueValue, ExecutionRecord, FireProgress, JobRecord, JobRules, Malformed,
    OutputRecord, SkipRecord, StatusRow, decode,
};
use super::keys;
use super::{DueRow, KeyRange, Order, Outcome, Table, TableError, Tables, TablesMut};
use crate::kernel::model::{Cause, Execution, ExecutionId, Job, JobName};
use crate::kernel::time::Timestamp;

/// Rows deleted in one step of emptying a range; bounds the keys held in memory meanwhile.
const DELETE_STEP: usize = 1_024;

/// Reads and decodes one row.
pub(super) fn get<R>(
    tables: &impl Tables,
    table: Table,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<R, Malformed>,
) -> Result<Option<R>, TableError> {
    tables.get_with(table, key, decode)?.transpose().map_err(|why| why.in_table(table))
}

/// Returns whether `key` has a row.
pub(super) fn exists(tables: &impl Tables, table: Table, key: &[u8]) -> Result<bool, TableError> {
    Ok(tables.get_with(table, key, |_| ())?.is_some())
}

/// Walks rows until `visit` breaks or cannot decode one.
pub(super) fn scan(
    tables: &impl Tables,
    table: Table,
    range: KeyRange<'_>,
    order: Order,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Malformed>,
) -> Result<(), TableError> {
    let mut fault = None;
    tables.walk(table, range, order, |key, value| match visit(key, value) {
        Ok(flow) => flow,
        Err(why) => {
            fault = Some(why);
            ControlFlow::Break(())
        }
    })?;
    fault.map_or(Ok(()), |why| Err(why.in_table(table)))
}

/// Returns whether the range has no row.
pub(super) fn is_empty(
    tables: &impl Tables,
    table: Table,
    range: KeyRange<'_>,
) -> Result<bool, TableError> {
    let mut is_empty = true;
    tables.walk(table, range, Order::Ascending, |_, _| {
        is_empty = false;
        ControlFlow::Break(())
    })?;
    Ok(is_empty)
}

/// Deletes every row of the range, after showing its key to `before`.
pub(super) fn delete_range<T: TablesMut>(
    tables: &mut T,
    table: Table,
    range: KeyRange<'_>,
    mut before: impl FnMut(&mut T, &[u8]) -> Result<(), TableError>,
) -> Result<(), TableError> {
    loop {
        let mut step: Vec<Box<[u8]>> = Vec::new();
        tables.walk(table, range, Order::Ascending, |key, _| {
            step.push(key.into());
            if step.len() == DELETE_STEP {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        for key in &step {
            before(tables, key)?;
            tables.delete(table, key)?;
        }
        if step.len() < DELETE_STEP {
            return Ok(());
        }
    }
}

/// Reads a job's definition.
pub(super) fn job(tables: &impl Tables, name: &JobName) -> Result<Option<Job>, TableError> {
    let decode = |bytes: &[u8]| JobRecord::decode_job(name, bytes);
    get(tables, Table::Jobs, name.as_bytes(), decode)
}

/// Reads the part of a job's definition that the end of an execution asks for.
pub(super) fn rules(tables: &impl Tables, name: &JobName) -> Result<Option<JobRules>, TableError> {
    get(tables, Table::Jobs, name.as_bytes(), JobRules::decode)
}

/// Reads a job's status.
pub(super) fn status(
    tables: &impl Tables,
    name: &JobName,
) -> Result<Option<StatusRow>, TableError> {
    get(tables, Table::Status, name.as_bytes(), StatusRow::decode)
}

/// Reads an execution from `Running` or `Executions`.
pub(super) fn execution(
    tables: &impl Tables,
    table: Table,
    job: &JobName,
    id: &ExecutionId,
) -> Result<Option<Execution>, TableError> {
    let decode = |bytes: &[u8]| ExecutionRecord::decode_execution(job.clone(), id.clone(), bytes);
    get(tables, table, &keys::execution(job, id), decode)
}

/// Decodes a row that a walk over `Running` or `Executions` shows.
pub(super) fn decode_execution(key: &[u8], value: &[u8]) -> Result<Execution, Malformed> {
    let (job, id) = keys::parse_execution(key)?;
    ExecutionRecord::decode_execution(job, id, value)
}

/// Decodes a row that a walk over `Due` shows.
pub(super) fn decode_due(key: &[u8], value: &[u8]) -> Result<DueRow, Malformed> {
    keys::parse_due(key, DueValue::decode(value)?)
}

/// Reads the counters of the whole state.
pub(super) fn counters(tables: &impl Tables) -> Result<Counters, TableError> {
    Ok(get(tables, Table::Meta, keys::COUNTERS, |bytes| decode(bytes))?.unwrap_or_default())
}

/// Reads the counts of a day, numbered from 1970-01-01.
pub(super) fn day_counts(tables: &impl Tables, day: i64) -> Result<DayCounts, TableError> {
    Ok(get(tables, Table::Stats, &keys::day(day), |bytes| decode(bytes))?.unwrap_or_default())
}

/// Reads how far an open fire has come.
pub(super) fn fire_progress(
    tables: &impl Tables,
    job: &JobName,
    fire_time: Timestamp,
    cause: Cause,
) -> Result<FireProgress, TableError> {
    let key = keys::fire(job, fire_time, cause);
    Ok(get(tables, Table::Fires, &key, |bytes| decode(bytes))?.unwrap_or_default())
}

/// Checks that a row is one that this version could have written: for rows of unknown origin.
pub(super) fn check_row(table: Table, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
    match table {
        Table::Meta => match key {
            keys::COUNTERS => decode::<Counters>(value).map(|_| ()),
            keys::PAUSED => Ok(()),
            _ => Err(Malformed::KEY),
        },
        Table::Jobs => JobRecord::decode_job(&keys::job_name(key)?, value).map(|_| ()),
        Table::Status => {
            keys::job_name(key)?;
            StatusRow::decode(value).map(|_| ())
        }
        Table::Due => decode_due(key, value).map(|_| ()),
        Table::Pending => keys::due_of_pending(key).map(|_| ()),
        Table::Fires => {
            keys::parse_fire(key)?;
            decode::<FireProgress>(value).map(|_| ())
        }
        Table::Executions | Table::Running => decode_execution(key, value).map(|_| ()),
        Table::Outputs => {
            keys::parse_execution(key)?;
            decode::<OutputRecord<'_>>(value).map(|_| ())
        }
        Table::Skips => {
            let (job, first) = keys::parse_skip(key)?;
            SkipRecord::decode_skip(job, first, value).map(|_| ())
        }
        Table::Stats => {
            keys::parse_day(key)?;
            decode::<DayCounts>(value).map(|_| ())
        }
        Table::Children | Table::Declared => keys::parse_edge(key).map(|_| ()),
        Table::Requests if keys::is_request(key) => Outcome::decode(value).map(|_| ()),
        Table::Requests if keys::is_request_order(key) => keys::parse_request(value).map(|_| ()),
        Table::Requests => Err(Malformed::KEY),
        Table::Deleted => keys::job_name(key).map(|_| ()),
    }
}
