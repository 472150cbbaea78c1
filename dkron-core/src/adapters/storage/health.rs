//! Whether the data dir takes writes: space on its disk, and the process that opened it.
//!
//! A full disk never reaches the consensus layer as an error, for it would end the node. Writers
//! keep what they have to write and try again until there is space; meanwhile, and already when
//! only a reserve is left, new proposals are refused. What was accepted before still fits.
//!
//! Invariant: the flag falls by itself, at the first write that succeeds or the first look that
//! finds enough space.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use tokio::sync::watch;

use crate::error::{Error, ErrorKind};
use crate::limits::{DISK_RESERVE_BYTES, DISK_RESERVE_DIVISOR};

/// The first wait before a write is tried again on a full disk; doubled up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Whether the data dir takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageCondition {
    /// It does.
    Good,
    /// Its disk is full, or nearly so; it recovers by itself once there is space.
    Full,
    /// It failed in a way that only a restart can mend; the text says how.
    Failed(String),
}

/// One of those who can find the disk full.
#[derive(Clone, Copy, Debug)]
pub enum Writer {
    /// The log's.
    Log = 1,
    /// The state's.
    State = 2,
    /// Nobody yet: only the reserve is left.
    Reserve = 4,
}

/// Watches over one data dir; shared by everything in it.
pub struct StorageHealth {
    /// `None` for a node without a disk.
    dir: Option<PathBuf>,
    pid: u32,
    /// The [`Writer`]s that find the disk full.
    full: AtomicU8,
    condition: watch::Sender<StorageCondition>,
    is_closed: Mutex<bool>,
    closed: Condvar,
}

impl StorageHealth {
    /// Watches over `dir`; over nothing but the process if `None`.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self {
            dir,
            pid: std::process::id(),
            full: AtomicU8::new(0),
            condition: watch::Sender::new(StorageCondition::Good),
            is_closed: Mutex::new(false),
            closed: Condvar::new(),
        }
    }

    /// Follows the condition.
    #[cfg(test)]
    pub fn subscribe(&self) -> watch::Receiver<StorageCondition> {
        self.condition.subscribe()
    }

    /// Tells whether new writes are accepted. A system call or two.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DiskFull`] while the disk is full or nearly so, [`ErrorKind::Storage`] if it
    /// has failed, [`ErrorKind::Stopped`] in a forked child.
    pub fn check_writable(&self) -> Result<(), Error> {
        self.check_process()?;
        if let StorageCondition::Failed(reason) = &*self.condition.borrow() {
            return Err(Error::new(ErrorKind::Storage, reason.clone()));
        }
        if let Some(dir) = &self.dir {
            self.set(Writer::Reserve, !has_reserve(dir));
        }
        if self.full.load(Ordering::Acquire) == 0 { Ok(()) } else { Err(self.full_error()) }
    }

    /// As [`StorageHealth::check_writable`], but looks at the disk only if something is wrong.
    ///
    /// # Errors
    ///
    /// As for [`StorageHealth::check_writable`].
    pub fn check_accepting(&self) -> Result<(), Error> {
        self.check_process()?;
        if self.full.load(Ordering::Acquire) == 0 { Ok(()) } else { self.check_writable() }
    }

    /// Refuses a forked child: what it inherited is of no use to it, and LMDB forbids it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] there.
    pub fn check_process(&self) -> Result<(), Error> {
        let pid = std::process::id();
        if pid == self.pid {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Stopped,
            format!(
                "this node runs in process {}; process {pid} was forked from it and has to start \
                 a node of its own",
                self.pid
            ),
        ))
    }

    /// Notes whether `writer` finds the disk full.
    pub fn set(&self, writer: Writer, is_full: bool) {
        let bit = writer as u8;
        let before = if is_full {
            self.full.fetch_or(bit, Ordering::AcqRel)
        } else {
            self.full.fetch_and(!bit, Ordering::AcqRel)
        };
        let after = if is_full { before | bit } else { before & !bit };
        if (before == 0) == (after == 0) {
            return;
        }
        let now = if after == 0 { StorageCondition::Good } else { StorageCondition::Full };
        if after == 0 {
            tracing::info!("there is space on the disk again: writes are accepted");
        } else {
            tracing::error!(error = self.full_error().message(), "writes are refused");
        }
        self.condition.send_if_modified(|condition| {
            let moves = !matches!(condition, StorageCondition::Failed(_));
            if moves {
                *condition = now;
            }
            moves
        });
    }

    /// Notes that the store has failed for good.
    pub fn fail(&self, error: &Error) {
        tracing::error!(error = error.report(), "the data dir has failed: the node stops");
        self.condition.send_replace(StorageCondition::Failed(error.report()));
    }

    /// Waits before a write is tried again for the `tries`th time; false once the store is closed.
    pub fn wait_for_retry(&self, tries: u32) -> bool {
        let wait = RETRY_MIN.saturating_mul(1 << tries.min(8)).min(RETRY_MAX);
        let is_closed = self.is_closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_closed, _) = self
            .closed
            .wait_timeout_while(is_closed, wait, |is_closed| !*is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        !*is_closed
    }

    /// Resolves with the reason once the store has failed for good.
    pub async fn failed(&self) -> String {
        let mut condition = self.condition.subscribe();
        loop {
            if let StorageCondition::Failed(reason) = &*condition.borrow_and_update() {
                return reason.clone();
            }
            if condition.changed().await.is_err() {
                // This holds the sender: it cannot be gone.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells whether the store is closing.
    pub fn is_closed(&self) -> bool {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every wait for space.
    pub fn close(&self) {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.closed.notify_all();
    }

    /// Tells whether an error of a write is one that goes away when there is space.
    ///
    /// A write that a full disk cut short may be reported as a plain I/O error: then the space that
    /// is left decides.
    pub fn is_full(&self, error: &io::Error) -> bool {
        let is_cut_short = error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
            && self.dir.as_ref().is_some_and(|dir| !has_reserve(dir));
        is_cut_short || is_disk_full(error)
    }

    fn full_error(&self) -> Error {
        let dir = self.dir.as_deref().unwrap_or(Path::new("")).display();
        Error::new(
            ErrorKind::DiskFull,
            format!("data dir {dir} is full: free some space; running jobs go on"),
        )
    }
}

/// Tells whether an error says that there is no space: on the disk, or in the owner's quota.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns how large the file system of `dir` is, in bytes; `None` if it does not tell.
pub fn disk_bytes(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(bytes_of(stat.blocks(), stat.fragment_size()))
}

/// The widths of these numbers differ between systems.
fn bytes_of(blocks: impl TryInto<u64>, block_bytes: impl TryInto<u64>) -> u64 {
    let wide = |number: Result<u64, _>| number.unwrap_or(u64::MAX);
    wide(blocks.try_into().map_err(drop)).saturating_mul(wide(block_bytes.try_into().map_err(drop)))
}

/// Tells whether more than the reserve is free; a file system that does not tell is taken to have
/// space, for the write itself finds out.
fn has_reserve(dir: &Path) -> bool {
    let Ok(stat) = statvfs(dir) else { return true };
    let free = bytes_of(stat.blocks_available(), stat.fragment_size());
    let total = bytes_of(stat.blocks(), stat.fragment_size());
    free >= DISK_RESERVE_BYTES.min(total / DISK_RESERVE_DIVISOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_refused_while_any_writer_finds_the_disk_full() {
        let dir = tempfile::tempdir().unwrap();
        let health = StorageHealth::new(Some(dir.path().to_owned()));
        let seen = health.subscribe();
        health.check_writable().unwrap();

        health.set(Writer::Log, true);
        health.set(Writer::State, true);
        health.set(Writer::Log, false);
        let error = health.check_writable().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull);
        assert!(error.kind().is_retriable());
        assert!(error.message().contains(dir.path().to_str().unwrap()), "{error}");
        assert_eq!(*seen.borrow(), StorageCondition::Full);

        health.set(Writer::State, false);
        health.check_writable().unwrap();
        assert_eq!(*seen.borrow(), StorageCondition::Good);
    }

    #[test]
    fn closing_ends_a_wait_for_space() {
        let health = StorageHealth::new(None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| while health.wait_for_retry(9) {});
            health.close();
            waiting.join().unwrap();
        });
    }

    #[test]
    fn a_failed_store_stays_failed() {
        let health = StorageHealth::new(None);
        health.fail(&Error::new(ErrorKind::Storage, "write the log"));
        health.set(Writer::Log, true);
        health.set(Writer::Log, false);
        assert!(matches!(&*health.subscribe().borrow(), StorageCondition::Failed(_)));
        assert_eq!(health.check_writable().unwrap_err().message(), "write the log");
    }
}
