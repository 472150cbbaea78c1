//! One job: its definition, its status, its children.

use crate::kernel::model::{Job, JobName, JobStatus};
use crate::kernel::state::{Table, TableError, Tables, apply, rows};

/// Everything of a job but its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// Its definition.
    pub job: Job,
    /// What the cluster computes of it.
    pub status: JobStatus,
    /// The jobs that have it as parent, in name order.
    pub children: Vec<JobName>,
}

/// Reads a job; `None` if there is none of that name.
///
/// # Errors
///
/// [`TableError`] if the store fails or holds a record that does not decode.
pub fn job(tables: &impl Tables, name: &JobName) -> Result<Option<JobView>, TableError> {
    let Some(job) = rows::job(tables, name)? else { return Ok(None) };
    let status = status(tables, name)?.unwrap_or_default();
    Ok(Some(JobView { job, status, children: children(tables, name)? }))
}

/// Returns whether there is a job of that name. Decodes nothing.
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn job_exists(tables: &impl Tables, name: &JobName) -> Result<bool, TableError> {
    rows::exists(tables, Table::Jobs, name.as_str().as_bytes())
}

/// Reads a job's definition only.
///
/// # Errors
///
/// As [`job`].
pub fn definition(tables: &impl Tables, name: &JobName) -> Result<Option<Job>, TableError> {
    rows::job(tables, name)
}

/// Reads a job's status only.
///
/// # Errors
///
/// As [`job`].
pub fn status(tables: &impl Tables, name: &JobName) -> Result<Option<JobStatus>, TableError> {
    Ok(tables.status(name)?.map(|row| row.status))
}

/// Returns a job's revision; 0 if there is no such job.
///
/// # Errors
///
/// As [`job`].
pub fn revision(tables: &impl Tables, name: &JobName) -> Result<u64, TableError> {
    Ok(status(tables, name)?.map_or(0, |status| status.revision))
}

/// Returns the names of a job's children, in name order.
///
/// # Errors
///
/// As [`job`].
pub fn children(tables: &impl Tables, parent: &JobName) -> Result<Vec<JobName>, TableError> {
    apply::children(tables, parent)
}
