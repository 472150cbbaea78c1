//! The pages of a long history are checked behind the start; whoever needs them before waits.
//!
//! Answers: may the history be touched yet? A state of a million executions is hundreds of
//! megabytes of them, while all else that a node needs is small: so only that holds up a start.
//! What is checked, and how, is for `page_walk`.
//!
//! # Invariants
//!
//! * LMDB is asked for nothing of a table of [`HISTORY`] before all pages of these were checked.
//! * Damage ends the node: nobody gets past [`HistoryCheck::wait`] any more. The file that makes
//!   the next start check everything at once is there before anybody hears of it.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

use heed::{RoTxn, WithoutTls};

use super::env::is_damage;
use super::health::StorageHealth;
use super::page_walk::PagesLeft;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Table, TableError};

/// The tables that grow with what has happened, by their names. All others grow with the jobs.
pub const HISTORY: &[&str] =
    &[Table::Executions.as_str(), Table::Outputs.as_str(), Table::Skips.as_str()];

/// The check of one open state.
///
/// *Owner*: the state. *Bound*: one walk over the trees that were left. *Ends* when that is done,
/// when the store closes, or when this is dropped.
pub struct HistoryCheck {
    /// Why nobody may pass, or that everybody may; nothing until it is known.
    verdict: Arc<OnceLock<Result<(), String>>>,
    is_given_up: Arc<AtomicBool>,
    /// Somebody has had to wait.
    is_awaited: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    health: Arc<StorageHealth>,
}

/// What a check behind the start needs.
pub struct HistoryParts {
    /// The trees to check.
    pub left: PagesLeft,
    /// A view that is no older than these trees: as long as it is open, LMDB writes over none of
    /// their pages.
    pub view: RoTxn<'static, WithoutTls>,
    /// The directory of the state, to name it.
    pub path: PathBuf,
    /// The file that says that the next start has to check everything.
    pub suspect: PathBuf,
    /// Whom to tell of damage.
    pub health: Arc<StorageHealth>,
}

impl HistoryCheck {
    /// A check of nothing: everything was checked before.
    pub fn passed(health: Arc<StorageHealth>) -> Self {
        let verdict = Arc::new(OnceLock::from(Ok(())));
        let (is_given_up, is_awaited) = (Arc::default(), Arc::default());
        Self { verdict, is_given_up, is_awaited, thread: None, health }
    }

    /// Starts the check on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if there is no thread to be had.
    pub fn start(parts: HistoryParts) -> Result<Self, Error> {
        let health = Arc::clone(&parts.health);
        let (verdict, is_given_up) = (Arc::new(OnceLock::new()), Arc::new(AtomicBool::new(false)));
        let (told, given_up) = (Arc::clone(&verdict), Arc::clone(&is_given_up));
        let thread = Builder::new()
            .name("dkron-check".to_owned())
            .spawn(move || {
                // Set once, here.
                let _ = told.set(run(parts, given_up));
            })
            .map_err(|error| {
                let message = "start the check of the history";
                Error::new(ErrorKind::Unavailable, message).with_source(error)
            })?;
        let is_awaited = Arc::default();
        Ok(Self { verdict, is_given_up, is_awaited, thread: Some(thread), health })
    }

    /// Returns whether there is something that waits: the check is neither done nor given up.
    pub fn is_under_way(&self) -> bool {
        self.verdict.get().is_none()
    }

    /// Waits until `table` may be touched: at once, unless it is a part of the history that is
    /// still being checked.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`] if the history is damaged or cannot be read, or the node stops.
    pub fn wait(&self, table: Table) -> Result<(), TableError> {
        if !HISTORY.contains(&table.as_str()) {
            return Ok(());
        }
        if self.is_under_way() && !self.is_awaited.swap(true, Ordering::Relaxed) {
            let table = table.as_str();
            tracing::info!(table, "a long history is still being checked: who needs it waits");
        }
        self.verdict.wait().clone().map_err(|reason| TableError::Store {
            action: "read",
            table: table.as_str(),
            reason,
        })
    }
}

/// Ends a check that only a test holds open; when it is dropped, everybody may pass.
#[cfg(test)]
pub struct HistoryHold {
    verdict: Arc<OnceLock<Result<(), String>>>,
    is_awaited: Arc<AtomicBool>,
}

#[cfg(test)]
impl HistoryCheck {
    /// A check that goes on until the hold is dropped.
    pub fn held(health: Arc<StorageHealth>) -> (Self, HistoryHold) {
        let mut check = Self::passed(health);
        check.verdict = Arc::default();
        let (verdict, is_awaited) = (Arc::clone(&check.verdict), Arc::clone(&check.is_awaited));
        (check, HistoryHold { verdict, is_awaited })
    }
}

#[cfg(test)]
impl HistoryHold {
    /// Returns whether somebody has had to wait.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Drop for HistoryHold {
    fn drop(&mut self) {
        let _ = self.verdict.set(Ok(()));
    }
}

impl Drop for HistoryCheck {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // A forked child has the handle, but not the thread.
        if let Some(thread) = self.thread.take()
            && self.health.check_process().is_ok()
        {
            // It catches the panics of the check.
            let _ = thread.join();
        }
    }
}

/// Walks what was left, and tells what came of it.
fn run(parts: HistoryParts, given_up: Arc<AtomicBool>) -> Result<(), String> {
    let HistoryParts { left, view, path, suspect, health } = parts;
    let closing = Arc::clone(&health);
    let goes_on = move || !given_up.load(Ordering::Relaxed) && !closing.is_closed();
    let walked = catch_unwind(AssertUnwindSafe(|| left.walk(goes_on)))
        .unwrap_or_else(|_| Err(io::Error::other("the check panicked; please report it")));
    drop(view);
    let error = match walked {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            return Err("the node stops".to_owned());
        }
        Err(error) => error,
    };
    let path = path.display();
    let message = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => format!(
            "{path} is damaged: start the node anew, which makes it from the last snapshot and the \
             log, or restore a backup"
        ),
        _ => format!("read {path}"),
    };
    let error = Error::new(ErrorKind::Storage, message).with_source(error);
    if is_damage(&error) {
        // If it cannot be made, the next start finds less, and this error comes again.
        let _ = File::create(suspect);
    }
    health.fail(&error);
    Err(error.report())
}

#[cfg(test)]
#[path = "history_check_test.rs"]
mod tests;
