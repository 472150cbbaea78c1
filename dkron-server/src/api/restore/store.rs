//! Writing the jobs of a backup: many at a time, never a child before its parent.
//!
//! What is on its way is bounded in number and in bytes, so that a restore by itself never fills
//! the queue of the log. If others fill it, a job is tried again for a while.

use std::sync::Arc;
use std::time::Duration;

use dkron_core::limits::{RESTORE_BYTES_IN_FLIGHT_MAX, RESTORE_TRIES_MAX};
use dkron_core::{Error, ErrorKind};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use super::file::Backup;
use crate::api::Api;
use crate::api::change;

/// Writes on their way at a time: enough that each commit carries many of them.
const WRITES_IN_FLIGHT: usize = 1_024;

/// The first wait before a job is tried again; doubled up to [`RETRY_WAIT_MAX`].
const RETRY_WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait before a job is tried again.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(2);

/// Writes the jobs and returns, for each, whether it was written; `None` below one that was not.
///
/// # Errors
///
/// If the cluster takes no writes at present, with how many jobs were written before.
pub(super) async fn store(api: &Arc<Api>, backup: &Backup) -> Result<Vec<Option<bool>>, Error> {
    let mut stored: Vec<Option<bool>> = vec![None; backup.entries.len()];
    let room = Semaphore::new(RESTORE_BYTES_IN_FLIGHT_MAX);
    let room = &room;
    for row in &backup.order.rows {
        let due: Vec<usize> =
            row.iter().copied().filter(|job| is_due(backup, &stored, *job)).collect();
        let mut writes = stream::iter(due)
            .map(|index| async move { (index, store_one(api, backup, room, index).await) })
            .buffer_unordered(WRITES_IN_FLIGHT);
        while let Some((index, written)) = writes.next().await {
            if let Err(error) = &written {
                let job = backup.entries.get(index).map_or("", |entry| entry.name.as_str());
                let error = error.report();
                tracing::warn!(job, error, "api: restore could not write a job");
            }
            let is_written = written
                .map(|()| true)
                .or_else(|error| refused_alone(error).map(|()| false))
                .map_err(|error| interrupted(error, &stored))?;
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
        ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::Conflict => Ok(()),
        _ => Err(error),
    }
}

/// The error of a restore that could not go on.
fn interrupted(error: Error, stored: &[Option<bool>]) -> Error {
    let written = stored.iter().filter(|stored| **stored == Some(true)).count();
    let may_have_happened = written > 0 || error.may_have_happened();
    let text = format!("restore: {written} of {} jobs were written", stored.len());
    let error = Error::new(error.kind(), text).with_source(error);
    if may_have_happened { error.maybe_happened() } else { error }
}

/// Writes one job once there is room for it among those on their way.
async fn store_one(
    api: &Api,
    backup: &Backup,
    room: &Semaphore,
    index: usize,
) -> Result<(), Error> {
    let entry = backup.entries.get(index).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("restore: no entry {index} in the backup"))
    })?;
    let bytes = entry.bytes().min(RESTORE_BYTES_IN_FLIGHT_MAX);
    let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
    // Fails only if the semaphore is closed, and nobody closes it.
    let _room = room.acquire_many(permits).await;
    let mut tries = 1;
    loop {
        match change::store(api, backup.job(entry)?).await {
            Err(error) if is_worth_a_retry(error.kind()) && tries < RESTORE_TRIES_MAX => {
                tokio::time::sleep(wait_after(tries)).await;
                tries += 1;
            }
            written => return written.map(drop),
        }
    }
}

/// Returns whether the same write may succeed in a moment. To write a job twice is harmless.
fn is_worth_a_retry(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::LimitExceeded | ErrorKind::DeadlineExceeded)
}

/// Returns how long to wait after so many tries.
fn wait_after(tries: u32) -> Duration {
    RETRY_WAIT_MIN.saturating_mul(1 << tries.min(16).saturating_sub(1)).min(RETRY_WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_that_stops_says_how_far_it_came_and_that_it_may_have_happened() {
        let check = |stored: &[Option<bool>], want: (&str, bool)| {
            let error = interrupted(Error::new(ErrorKind::NotLeader, "propose"), stored);
            assert_eq!((&*error.report(), error.may_have_happened()), want);
            assert_eq!(error.kind(), ErrorKind::NotLeader);
        };
        check(&[None, None], ("restore: 0 of 2 jobs were written: propose", false));
        check(&[Some(true), None], ("restore: 1 of 2 jobs were written: propose", true));
    }

    #[test]
    fn overload_is_no_fault_of_a_job() {
        let check = |kind, want: bool| {
            assert_eq!(refused_alone(Error::new(kind, "write")).is_ok(), want, "{kind}");
        };
        check(ErrorKind::Conflict, true);
        check(ErrorKind::LimitExceeded, false);
        check(ErrorKind::DiskFull, false);
    }

    #[test]
    fn waits_grow_up_to_their_limit() {
        assert_eq!(wait_after(1), RETRY_WAIT_MIN);
        assert_eq!(wait_after(2), RETRY_WAIT_MIN * 2);
        assert_eq!(wait_after(u32::MAX), RETRY_WAIT_MAX);
    }
}
