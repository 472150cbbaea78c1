//! The thread that writes the log: what waits when it is free becomes one transaction, one sync.
//!
//! *Owner*: [`LmdbLog`]. *Inputs*: its queue; what is in it is bounded by those who propose, who
//! have a few entries under way at once. *Bound of a batch*: [`BATCH_BYTES_MAX`]. *Ends* when the
//! log is dropped, after what is queued is written, or given up if the disk is full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::env::{io_error, is_map_full};
use super::health::{StorageHealth, Writer};
use super::log_batch::LogBatch;
use super::log_env::LogEnv;
use crate::error::{Error, ErrorKind};
use crate::ports::{LogBounds, LogPosition, LogRecord, LogStore, LogWrite, WriteDone};

/// Bytes of records after which a batch is closed, though more writes wait.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Records that a batch removes for a purge beside what it was made for, so that a purge of many
/// does not hold off new records.
const PURGED_PER_BATCH_MAX: u64 = 1_024;
/// How long the writer is idle before it goes on with a purge that is under way.
const PURGE_PAUSE: Duration = Duration::from_millis(2);

/// The log on disk.
pub struct LmdbLog {
    env: Arc<LogEnv>,
    health: Arc<StorageHealth>,
    shared: Arc<Shared>,
    queue: Option<Sender<Queued>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer shares with those who hand it work.
#[derive(Default)]
struct Shared {
    /// The newest commit mark, written with the next batch.
    committed: Mutex<Option<LogPosition>>,
    /// Set at the first error: nothing is written after it.
    has_failed: AtomicBool,
}

/// A write that waits.
struct Queued {
    write: LogWrite,
    done: WriteDone,
}

impl LmdbLog {
    /// Starts the writer of an open log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the log cannot be read, [`ErrorKind::Unavailable`] if the system
    /// gives no thread.
    pub fn start(env: LogEnv, health: Arc<StorageHealth>) -> Result<Self, Error> {
        let env = Arc::new(env);
        let shared = Arc::new(Shared::default());
        // A purge that an earlier process began goes on.
        let purge_to = env.bounds()?.purged.map(|purged| purged.index);
        let (queue, incoming) = channel();
        let mut writer = LogWriter {
            env: Arc::clone(&env),
            health: Arc::clone(&health),
            shared: Arc::clone(&shared),
            purge_to,
            committed: None,
        };
        let thread = std::thread::Builder::new()
            .name("dkron-log".to_owned())
            .spawn(move || writer.run(&incoming))
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "start the log's writer").with_source(error)
            })?;
        Ok(Self { env, health, shared, queue: Some(queue), thread: Some(thread) })
    }
}

impl LogStore for LmdbLog {
    fn write(&self, write: LogWrite, done: WriteDone) {
        if let Err(error) = self.health.check_process() {
            return done(Err(error));
        }
        if let LogWrite::Committed(position) = write {
            let mut committed =
                self.shared.committed.lock().unwrap_or_else(PoisonError::into_inner);
            *committed = Some(position);
            drop(committed);
            return done(Ok(()));
        }
        let sent = match &self.queue {
            Some(queue) => queue.send(Queued { write, done }).map_err(|unsent| unsent.0),
            None => Err(Queued { write, done }),
        };
        if let Err(Queued { done, .. }) = sent {
            done(Err(Error::new(ErrorKind::Stopped, "write the log: its writer has ended")));
        }
    }

    fn bounds(&self) -> Result<LogBounds, Error> {
        self.env.bounds()
    }

    fn read(&self, first: u64, end: u64, bytes_max: usize) -> Result<Vec<LogRecord>, Error> {
        self.health.check_process()?;
        self.env.read(first, end, bytes_max)
    }

    fn oldest_within(&self, last: u64, count_max: u64, bytes_max: u64) -> Result<u64, Error> {
        self.health.check_process()?;
        self.env.oldest_within(last, count_max, bytes_max)
    }

    fn vote(&self) -> Result<Option<Vec<u8>>, Error> {
        self.env.vote()
    }

    fn committed(&self) -> Result<Option<LogPosition>, Error> {
        self.env.committed()
    }

    fn bytes(&self) -> Result<u64, Error> {
        self.env.bytes()
    }

    fn check_writable(&self) -> Result<(), Error> {
        if self.shared.has_failed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Storage, "write the log: it has failed before"));
        }
        self.health.check_writable()
    }

    fn check_accepting(&self) -> Result<(), Error> {
        self.health.check_accepting()
    }
}

impl Drop for LmdbLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        // A forked child has the handle, but not the thread.
        if let Some(thread) = self.thread.take()
            && self.health.check_process().is_ok()
        {
            // A panic of the writer was reported by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// The thread's own half.
struct LogWriter {
    env: Arc<LogEnv>,
    health: Arc<StorageHealth>,
    shared: Arc<Shared>,
    /// Records up to here are to be removed, bit by bit.
    purge_to: Option<u64>,
    /// The commit mark on disk, as far as this process wrote it.
    committed: Option<LogPosition>,
}

impl LogWriter {
    fn run(&mut self, incoming: &Receiver<Queued>) {
        let mut batch = Vec::new();
        loop {
            let first = if self.purge_to.is_some() {
                match incoming.recv_timeout(PURGE_PAUSE) {
                    Ok(first) => Some(first),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match incoming.recv() {
                    Ok(first) => Some(first),
                    Err(_) => return,
                }
            };
            let mut bytes = 0;
            let mut next = first;
            while let Some(queued) = next {
                bytes += size_of_write(&queued.write);
                batch.push(queued);
                next = if bytes < BATCH_BYTES_MAX { incoming.try_recv().ok() } else { None };
            }
            let written = self.write_until_done(&batch);
            for Queued { done, .. } in batch.drain(..) {
                done(
                    written
                        .as_ref()
                        .copied()
                        .map_err(|(kind, report)| Error::new(*kind, report.clone())),
                );
            }
        }
    }

    /// Writes a batch, however long the disk is full. The error is in parts, for there may be many
    /// to tell.
    fn write_until_done(&mut self, batch: &[Queued]) -> Result<(), (ErrorKind, String)> {
        if self.shared.has_failed.load(Ordering::Acquire) {
            return Err((ErrorKind::Storage, "write the log: it has failed before".to_owned()));
        }
        let mut tries = 0;
        loop {
            let error = match self.try_write(batch) {
                Ok(()) => {
                    self.health.set(Writer::Log, false);
                    return Ok(());
                }
                Err(error) => error,
            };
            let is_full = is_map_full(&error)
                || io_error(&error).is_some_and(|error| self.health.is_full(error));
            if !is_full {
                self.shared.has_failed.store(true, Ordering::Release);
                let error = self.env.failed("write", error);
                self.health.fail(&error);
                return Err((ErrorKind::Storage, error.report()));
            }
            self.health.set(Writer::Log, true);
            if !self.health.wait_for_retry(tries) {
                let message = "write the log: the disk is full and the node stops";
                return Err((ErrorKind::Stopped, message.to_owned()));
            }
            tries += 1;
        }
    }

    /// Writes a batch in one transaction; nothing of it is kept if this fails.
    fn try_write(&mut self, batch: &[Queued]) -> heed::Result<()> {
        let committed = *self.shared.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut purge_to = self.purge_to;
        let mut writes = self.env.begin()?;
        let mut appended = 0;
        for Queued { write, .. } in batch {
            match write {
                LogWrite::Append(records) => {
                    for record in records {
                        writes.append(record)?;
                    }
                    appended += records.len() as u64;
                }
                LogWrite::TruncateAfter(index) => writes.truncate_after(*index)?,
                LogWrite::Purge(position) => {
                    writes.set_purged(*position)?;
                    purge_to = purge_to.max(Some(position.index));
                }
                LogWrite::Vote(vote) => writes.set_vote(vote)?,
                LogWrite::Committed(_) => {}
            }
        }
        if let Some(committed) = committed.filter(|_| committed != self.committed) {
            writes.set_committed(committed)?;
        }
        let purge_to = purge_some(&mut writes, purge_to, appended)?;
        writes.commit()?;
        self.purge_to = purge_to;
        self.committed = committed;
        Ok(())
    }
}

/// Goes on with a purge; returns what is left of it.
fn purge_some(
    writes: &mut LogBatch<'_>,
    purge_to: Option<u64>,
    appended: u64,
) -> heed::Result<Option<u64>> {
    let Some(index) = purge_to else { return Ok(None) };
    // Faster than records come, or the purge would never end.
    let count_max = PURGED_PER_BATCH_MAX.saturating_add(appended.saturating_mul(2));
    let is_unfinished = writes.purge(index, count_max)?;
    Ok(is_unfinished.then_some(index))
}

fn size_of_write(write: &LogWrite) -> usize {
    match write {
        LogWrite::Append(records) => records.iter().map(|record| record.body.len()).sum(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "log_writer_test.rs"]
mod tests;
