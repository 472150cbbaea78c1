//! Results that no leader has acknowledged, in a file of their own.
//!
//! How they lie in it is for `outbox_records` to say. A torn end is what a crash leaves, and was
//! never promised; it is cut off when the file is opened. Everything else that cannot be read is
//! set aside rather than forgotten.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::data_dir::DataDir;
use super::dir_sync::sync_dir;
use super::outbox_records::{find_records, is_torn, read_window, reports_in, write_records};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::Report;
use crate::ports::{Outbox, OutboxMark};

/// The file in the data dir.
const FILE_NAME: &str = "outbox";
/// Where a file goes that holds what cannot be read.
const DAMAGED_NAME: &str = "outbox.damaged";

/// An outbox on disk.
pub struct FileOutbox {
    path: PathBuf,
    /// Held while the file is used.
    file: Mutex<FileState>,
    /// Nobody else may open the file before this is gone.
    data_dir: Arc<DataDir>,
}

/// What is known of the file.
#[derive(Default)]
struct FileState {
    /// It holds something that cannot be read.
    is_damaged: bool,
}

impl FileOutbox {
    /// Uses the outbox of a data dir, which need not exist; cuts off what a crash has torn.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it cannot be read.
    pub fn open(data_dir: &Arc<DataDir>) -> Result<Self, Error> {
        let path = data_dir.path().join(FILE_NAME);
        let outbox = Self { path, file: Mutex::default(), data_dir: Arc::clone(data_dir) };
        outbox.cut_torn_end().map_err(|error| outbox.failed("open", error))?;
        Ok(outbox)
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        let text = format!("{action} the outbox {}", self.path.display());
        Error::new(ErrorKind::Storage, text).with_source(error)
    }

    fn lock(&self) -> MutexGuard<'_, FileState> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts off the record that was being written when the process ended.
    fn cut_torn_end(&self) -> io::Result<()> {
        let Some(file) = self.open_file()? else { return Ok(()) };
        let mut end = 0;
        while let Some(found) = find_records(&file, end)? {
            end = found.end;
        }
        let left = file.metadata()?.len().saturating_sub(end);
        if left == 0 || !is_torn(&read_window(&file, end)?) {
            return Ok(());
        }
        let path = self.path.display();
        tracing::warn!(%path, bytes = left, "the outbox ends with a torn record: cut off");
        let cut = OpenOptions::new().write(true).open(&self.path).and_then(|file| {
            file.set_len(end)?;
            file.sync_all()
        });
        if let Err(error) = cut {
            // It is passed over when it is read, and what is added behind it is found all the same.
            let error = self.failed("cut off the torn end of", error);
            tracing::warn!(error = error.report(), "the outbox keeps its torn end");
        }
        Ok(())
    }

    fn open_file(&self) -> io::Result<Option<File>> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends records and syncs them; cuts off again what could not be written as a whole.
    fn append(&self, reports: &[Report]) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        let before = file.metadata()?.len();
        let written = write_records(&mut file, reports).and_then(|()| file.sync_all());
        if written.is_err() {
            // If this fails as well, what is torn is passed over when it is read.
            let _ = file.set_len(before);
        } else if before == 0 {
            // The file may be new.
            sync_dir(self.data_dir.path())?;
        }
        written
    }

    fn read_from(&self, from: u64) -> io::Result<Option<(Vec<Report>, u64)>> {
        let mut state = self.lock();
        let Some(file) = self.open_file()? else { return Ok(None) };
        let mut from = from;
        while let Some(found) = find_records(&file, from)? {
            state.is_damaged |= found.passed_over > 0;
            let mut reports = Vec::new();
            for body in found.bodies {
                match reports_in(&body) {
                    Ok(found) => reports.extend(found),
                    Err(_) => state.is_damaged = true,
                }
            }
            if !reports.is_empty() {
                return Ok(Some((reports, found.end)));
            }
            from = found.end;
        }
        state.is_damaged |= file.metadata()?.len() > from;
        Ok(None)
    }

    fn empty(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.is_damaged {
            let aside = self.data_dir.path().join(DAMAGED_NAME);
            fs::rename(&self.path, &aside)?;
            state.is_damaged = false;
            tracing::error!(
                aside = %aside.display(),
                "a part of the outbox cannot be read: it is set aside"
            );
            return sync_dir(self.data_dir.path());
        }
        match OpenOptions::new().write(true).open(&self.path) {
            Ok(file) if file.metadata()?.len() == 0 => Ok(()),
            Ok(file) => file.set_len(0).and_then(|()| file.sync_all()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Outbox for FileOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        let _state = self.lock();
        self.append(reports).map_err(|error| self.failed("write", error))
    }

    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error> {
        let read = self.read_from(from.0).map_err(|error| self.failed("read", error))?;
        Ok(read.map(|(reports, end)| (reports, OutboxMark(end))))
    }

    fn clear(&self) -> Result<(), Error> {
        self.empty().map_err(|error| self.failed("empty", error))
    }
}

#[cfg(test)]
#[path = "outbox_test.rs"]
mod tests;
