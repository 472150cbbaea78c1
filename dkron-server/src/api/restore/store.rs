//! Writing the jobs of a backup: many at a time, never a child before its parent.

use std::sync::Arc;

use dkron_core::{Error, ErrorKind};
use futures_util::{StreamExt as _, stream};

use super::file::Backup;
use crate::api::Api;
use crate::api::write;

/// Writes on their way at a time: enough that each commit carries many of them.
const WRITES_IN_FLIGHT: usize = 1_024;

/// Writes the jobs and returns, for each, whether it was written; `None` below one that was not.
///
/// # Errors
///
/// If the cluster takes no writes at present; then none of the jobs may have been written, or some.
pub(super) async fn store(api: &Arc<Api>, backup: &Backup) -> Result<Vec<Option<bool>>, Error> {
    let mut stored: Vec<Option<bool>> = vec![None; backup.entries.len()];
    for row in &backup.order.rows {
        let due: Vec<usize> =
            row.iter().copied().filter(|job| is_due(backup, &stored, *job)).collect();
        let mut writes = stream::iter(due)
            .map(|index| async move { (index, store_one(api, backup, index).await) })
            .buffer_unordered(WRITES_IN_FLIGHT);
        while let Some((index, written)) = writes.next().await {
            if let Err(error) = &written {
                tracing::warn!(error = %error.report(), "api: restore could not write a job");
            }
            let is_written =
                written.map(|()| true).or_else(|error| refused_alone(error).map(|()| false))?;
            if let Some(slot) = stored.get_mut(index) {
                *slot = Some(is_written);
            }
        }
    }
    Ok(stored)
}

/// Returns whether the parent of a job was written.
fn is_due(backup: &Backup, stored: &[Option<bool>], index: usize) -> bool {
    match backup.order.parents.get(index).copied().flatten() {
        Some(parent) => stored.get(parent).copied().flatten() == Some(true),
        None => true,
    }
}

/// Passes on the error of a cluster that takes no writes; that of one job is its own.
fn refused_alone(error: Error) -> Result<(), Error> {
    match error.kind() {
        ErrorKind::InvalidArgument
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::LimitExceeded => Ok(()),
        _ => Err(error),
    }
}

async fn store_one(api: &Api, backup: &Backup, index: usize) -> Result<(), Error> {
    let entry = backup.entries.get(index).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("restore: no entry {index} in the backup"))
    })?;
    write::store(api, backup.job(entry)?).await.map(drop)
}
