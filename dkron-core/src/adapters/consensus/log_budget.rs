//! How large the log may become: when a snapshot is due, and which records stay behind it.
//!
//! Counts the bytes that are applied, and asks openraft for a snapshot when the log has grown
//! enough; openraft purges nothing by itself. Once a snapshot is written, the newest of the records
//! it covers stay, so that a node that lags a little catches up from the log: no more of them than
//! [`LogBudget`] says, neither in number nor in bytes. `state_machine` writes the snapshots.
//!
//! Invariant: while snapshots can be written, the records take at most what is allowed between two
//! of them, a quarter of [`LogBudget::bytes_max`] kept behind the last, and what is added while one
//! is being written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::raft_types::{Raft, to_position};
use crate::error::{Error, ErrorKind};
use crate::ports::{LogPosition, LogStore};

/// Records kept behind a snapshot take at most this part of [`LogBudget::bytes_max`].
const KEPT_BYTES_DIVISOR: u64 = 4;

/// How large the log may become.
#[derive(Clone, Copy, Debug)]
pub struct LogBudget {
    /// Bytes of log after which a snapshot is due, unless the last one was larger.
    pub bytes_max: u64,
    /// After a snapshot larger than `bytes_max` the log may grow as large, for writing the next one
    /// costs as much; but to no more bytes than this.
    pub bytes_ceiling: u64,
    /// Records kept though a snapshot covers them. Fewer, if they take more than a quarter of
    /// `bytes_max`.
    pub records_kept: u64,
}

/// How much the log has grown, and whether a snapshot is due.
pub struct LogGrowth {
    budget: LogBudget,
    /// Bytes of log that no snapshot covers, about.
    log_bytes: AtomicU64,
    /// How large the last snapshot is.
    snapshot_bytes: AtomicU64,
    /// Set from when a snapshot is due until it is written.
    is_due: AtomicBool,
    /// Wakes whoever asks openraft for one.
    due: Notify,
    /// What the last snapshot written covers.
    written: watch::Sender<Option<LogPosition>>,
    /// Fires when the node stops: a snapshot under way is given up.
    stop: CancellationToken,
}

impl LogGrowth {
    /// Begins with a log of so many bytes, and a last snapshot of so many.
    pub fn new(
        budget: LogBudget,
        log_bytes: u64,
        snapshot_bytes: u64,
        stop: CancellationToken,
    ) -> Self {
        Self {
            budget,
            log_bytes: AtomicU64::new(log_bytes),
            snapshot_bytes: AtomicU64::new(snapshot_bytes),
            is_due: AtomicBool::new(false),
            due: Notify::new(),
            written: watch::Sender::new(None),
            stop,
        }
    }

    /// Counts what was applied.
    pub fn add(&self, bytes: u64) {
        let total = self.log_bytes.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        if total >= self.bound() && !self.is_due.swap(true, Ordering::AcqRel) {
            self.due.notify_one();
        }
    }

    /// Returns the bytes that a snapshot of what is applied now covers; for [`LogGrowth::written`].
    pub fn counted(&self) -> u64 {
        self.log_bytes.load(Ordering::Acquire)
    }

    /// Notes that a snapshot was written: what it covers, how large it is, and what was counted
    /// before it was begun.
    pub fn written(&self, covered: Option<LogPosition>, snapshot_bytes: u64, counted: u64) {
        self.snapshot_bytes.store(snapshot_bytes, Ordering::Release);
        self.log_bytes.fetch_sub(counted, Ordering::AcqRel);
        self.is_due.store(false, Ordering::Release);
        self.written.send_replace(covered);
        // Much may have come in meanwhile.
        self.add(0);
    }

    /// Returns what fires when the node stops.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn bound(&self) -> u64 {
        let LogBudget { bytes_max, bytes_ceiling, .. } = self.budget;
        self.snapshot_bytes.load(Ordering::Acquire).min(bytes_ceiling).max(bytes_max)
    }
}

/// Asks openraft for a snapshot when one is due, and cuts the log behind it.
///
/// *Owner*: the node's runtime. *Inputs*: one notice. *Bound*: one snapshot at a time; the next is
/// asked for when openraft knows of the last one, for until then it would not heed that. *Ends*
/// when the node stops, when openraft has ended, or when it is aborted.
pub async fn keep_within_budget(raft: Raft, log: Arc<dyn LogStore>, growth: Arc<LogGrowth>) {
    let mut written = growth.written.subscribe();
    loop {
        let stop = growth.stop();
        if stop.run_until_cancelled(growth.due.notified()).await.is_none()
            || raft.trigger().snapshot().await.is_err()
            // One that is given up is not written.
            || stop.run_until_cancelled(written.changed()).await.is_none()
        {
            return;
        }
        let Some(covered) = *written.borrow_and_update() else { continue };
        if !is_taken_up(&raft, covered).await {
            return;
        }
        let (log, budget) = (Arc::clone(&log), growth.budget);
        let oldest = blocking(move || {
            let bytes_max = budget.bytes_max / KEPT_BYTES_DIVISOR;
            log.oldest_within(covered.index, budget.records_kept, bytes_max)
        });
        match oldest.await.map(|oldest| oldest.checked_sub(1)) {
            Ok(None) => {}
            Ok(Some(last)) => {
                if raft.trigger().purge_log(last).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::error!(error = error.report(), "cannot cut the log: it grows"),
        }
    }
}

/// Waits until openraft knows of a snapshot; false if it has ended.
async fn is_taken_up(raft: &Raft, covered: LogPosition) -> bool {
    let mut metrics = raft.metrics();
    loop {
        if metrics.borrow_watched().snapshot.as_ref().map(to_position) >= Some(covered) {
            return true;
        }
        if metrics.changed().await.is_err() {
            return false;
        }
    }
}

/// Runs what blocks for long on a thread for such things.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            let message = "a thread of the snapshot has ended early";
            Err(Error::new(ErrorKind::Internal, message).with_source(error))
        }
    }
}

#[cfg(test)]
#[path = "log_budget_test.rs"]
mod tests;
