//! Opens everything a node keeps, and mends what can be mended.
//!
//! The state can be made anew from the newest snapshot and the log; so a state that is damaged is
//! set aside and made anew, if these two reach back far enough. One that cannot be read for want of
//! rights, descriptors or memory is not damaged: it stays, and the node does not start.
//!
//! A damaged log cannot be mended by one node alone: it holds what this node promised to others.

use std::fs;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use super::data_dir::{DataDir, DataDirConfig};
use super::env::{file_bytes, is_damage, set_aside};
use super::health::{StorageHealth, disk_bytes};
#[cfg(test)]
use super::history_check::HistoryHold;
use super::log_env::{DIR_NAME as LOG_DIR_NAME, LogEnv};
use super::log_memory::MemoryLog;
use super::log_writer::LmdbLog;
use super::mapped_pages::MappedPages;
use super::outbox::FileOutbox;
use super::outbox_memory::MemoryOutbox;
use super::snapshots::{MemorySnapshots, SnapshotDir};
use super::state_env::{DIR_NAME as STATE_DIR_NAME, LmdbState, SUSPECT_NAME};
use super::state_store::StateStore;
use crate::error::{Error, ErrorKind};
use crate::ports::{LogStore, Outbox, SnapshotStore};

/// Everything a node keeps. Closed when this and all clones of its parts are dropped.
pub struct Storage {
    /// The log.
    pub log: Arc<dyn LogStore>,
    /// The state.
    pub state: Arc<StateStore>,
    /// The snapshots.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// Results that are not acknowledged.
    pub outbox: Arc<dyn Outbox>,
    /// Whether writes are accepted.
    pub health: Arc<StorageHealth>,
    /// What is mapped of its files; empty in memory.
    pub pages: Vec<Arc<MappedPages>>,
    /// Where it is; `None` in memory.
    pub data_dir: Option<Arc<DataDir>>,
}

impl Storage {
    /// Opens or makes the data dir and what is in it. Blocks: reads the whole log, and the pages of
    /// the state but for a long history, which is read on behind it.
    ///
    /// # Errors
    ///
    /// As for [`DataDir::open`]; and [`ErrorKind::Storage`] if the log is damaged, or the state is
    /// and cannot be made anew.
    pub fn open(config: &DataDirConfig) -> Result<Self, Error> {
        let data_dir = Arc::new(DataDir::open(config)?);
        let health = Arc::new(StorageHealth::new(Some(data_dir.path().to_owned())));
        let log = is_lost(&data_dir, LOG_DIR_NAME).and_then(|is_lost| match is_lost {
            true => Err(lost(&data_dir, LOG_DIR_NAME)),
            false => LogEnv::open(&data_dir),
        });
        let log = log.map_err(|error| {
            let message = format!(
                "open the log of data dir {}; it cannot be mended: restore a backup, or start this \
                 node with an empty data dir in a cluster that has the others",
                data_dir.path().display()
            );
            Error::new(ErrorKind::Storage, message).with_source(error)
        })?;
        let snapshots = SnapshotDir::open(&data_dir)?;
        let open_state = || LmdbState::open(&data_dir, Arc::clone(&health));
        let state = if is_lost(&data_dir, STATE_DIR_NAME)? {
            Err(lost(&data_dir, STATE_DIR_NAME))
        } else {
            match open_state() {
                Err(error) if !is_damage(&error) => return Err(error),
                opened => opened,
            }
        };
        let state = match state {
            Ok(state) => state,
            Err(damage) => {
                make_way_for_state(&data_dir, &log, &snapshots, damage)?;
                open_state()?
            }
        };
        if !data_dir.is_filled()
            && let Err(error) = data_dir.set_filled()
        {
            let message = format!("write the stamp of data dir {}", data_dir.path().display());
            let error = Error::new(ErrorKind::Storage, message).with_source(error);
            tracing::warn!(error = error.report(), "not noted that the data dir is filled");
        }
        let pages = vec![Arc::clone(log.pages()), Arc::clone(state.pages())];
        Ok(Self {
            log: Arc::new(LmdbLog::start(log, Arc::clone(&health))?),
            state: Arc::new(StateStore::Lmdb(state)),
            snapshots: Arc::new(snapshots),
            outbox: Arc::new(FileOutbox::open(&data_dir)?),
            health,
            pages,
            data_dir: Some(data_dir),
        })
    }

    /// Begins a check of the history that goes on until the hold is dropped. Nobody may use the
    /// state yet.
    #[cfg(test)]
    pub fn hold_history(&mut self) -> HistoryHold {
        match Arc::get_mut(&mut self.state) {
            Some(StateStore::Lmdb(state)) => state.hold_history(),
            _ => panic!("a state on disk that nobody uses"),
        }
    }

    /// Makes everything in memory.
    pub fn in_memory() -> Self {
        let health = Arc::new(StorageHealth::new(None));
        Self {
            log: Arc::new(MemoryLog::new(Arc::clone(&health))),
            state: Arc::new(StateStore::in_memory(Arc::clone(&health))),
            snapshots: Arc::new(MemorySnapshots::default()),
            outbox: Arc::new(MemoryOutbox::default()),
            health,
            pages: Vec::new(),
            data_dir: None,
        }
    }
}

/// By how much the log grows in memory before it is cut; it takes a quarter more at the most.
const LOG_BYTES_IN_MEMORY_MAX: u64 = 16 << 20;
/// By how much it grows on a disk before a snapshot lets it be cut, unless the last snapshot was
/// larger: all of it is read at each start.
const LOG_BYTES_ON_DISK_MAX: u64 = 64 << 20;
/// By how much it grows on the smallest disk.
const LOG_BYTES_ON_DISK_MIN: u64 = 1 << 20;
/// It never grows by more than this fraction of the disk. As records take whole pages, it may use
/// up to three times that; with the reserve, a quarter of a small disk is spoken for. The rest has
/// to hold the state and two snapshots of it, so that a state of up to a quarter of the disk fits.
const LOG_DISK_DIVISOR: u64 = 16;

impl Storage {
    /// Returns by how much the log should grow before a snapshot lets it be cut, in bytes.
    pub fn log_bytes_max(&self) -> u64 {
        self.log_bytes_ceiling().min(match self.data_dir {
            Some(_) => LOG_BYTES_ON_DISK_MAX,
            None => LOG_BYTES_IN_MEMORY_MAX,
        })
    }

    /// Returns by how much it may grow where snapshots are large, in bytes.
    pub fn log_bytes_ceiling(&self) -> u64 {
        let Some(data_dir) = &self.data_dir else { return LOG_BYTES_IN_MEMORY_MAX };
        let disk = disk_bytes(data_dir.path()).unwrap_or(u64::MAX);
        (disk / LOG_DISK_DIVISOR).max(LOG_BYTES_ON_DISK_MIN)
    }

    /// Closes everything; returns whether that is done within `limit`, so that the data dir can be
    /// opened again. Blocks, but no longer than that: a disk that hangs holds up only a thread of
    /// this, which is left to itself. Whoever else holds a part of the storage has to drop it.
    pub fn close(self, limit: Duration) -> bool {
        self.health.close();
        let Some(data_dir) = &self.data_dir else { return true };
        let closed = data_dir.closed();
        // Waits for the writer of the log, and for readers of the state. If there is no thread to
        // be had, this one has to.
        drop(Builder::new().name("dkron-close".to_owned()).spawn(move || drop(self)));
        closed.wait(limit)
    }
}

/// Returns whether a data dir that has had an environment has it no more.
fn is_lost(data_dir: &DataDir, name: &str) -> Result<bool, Error> {
    let bytes = file_bytes(data_dir, name).map_err(|error| {
        let message = format!("look for {}", data_dir.path().join(name).display());
        Error::new(ErrorKind::Storage, message).with_source(error)
    })?;
    Ok(data_dir.is_filled() && bytes == 0)
}

fn lost(data_dir: &DataDir, name: &str) -> Error {
    let message = format!("{} is empty or gone", data_dir.path().join(name).display());
    Error::new(ErrorKind::Storage, message)
}

/// Sets a damaged state aside, if snapshot and log can make it anew; otherwise the damage stands.
fn make_way_for_state(
    data_dir: &DataDir,
    log: &LogEnv,
    snapshots: &SnapshotDir,
    damage: Error,
) -> Result<(), Error> {
    let purged = log.bounds()?.purged;
    let snapshot = snapshots.newest()?;
    if snapshot < purged {
        let message = format!(
            "open {}: no snapshot reaches the log that is left, so that it cannot be made anew: \
             restore a backup",
            data_dir.path().join(STATE_DIR_NAME).display()
        );
        return Err(Error::new(ErrorKind::Storage, message).with_source(damage));
    }
    let path = data_dir.path().join(STATE_DIR_NAME);
    if !path.exists() {
        tracing::error!("the state is gone: it is made anew from the snapshot and the log");
        return Ok(());
    }
    let aside = set_aside(&path).map_err(|error| {
        let message = format!("set the damaged {} aside", path.display());
        Error::new(ErrorKind::Storage, message).with_source(error)
    })?;
    let _ = fs::remove_file(data_dir.path().join(SUSPECT_NAME));
    tracing::error!(
        damage = damage.report(),
        aside = %aside.display(),
        "the state is damaged: it is made anew from the snapshot and the log"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::kernel::model::NodeName;

    fn open(path: &Path) -> Result<Storage, Error> {
        let node = NodeName::parse("n1").unwrap();
        let (path, allow_network_file_system) = (path.to_owned(), false);
        Storage::open(&DataDirConfig { path, node, allow_network_file_system })
    }

    fn close(storage: Storage) {
        assert!(storage.close(Duration::from_secs(10)));
    }

    #[test]
    fn only_a_state_that_is_damaged_or_gone_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        close(open(dir.path()).unwrap());
        let file = dir.path().join(STATE_DIR_NAME).join("data.mdb");
        let (kept, aside) = (dir.path().join("kept"), dir.path().join("state.damaged"));
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join("before"), "").unwrap();

        // It cannot be read, whoever asks.
        fs::rename(&file, &kept).unwrap();
        fs::create_dir(&file).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(error.report().contains("read "), "{}", error.report());
        assert!(aside.join("before").exists());
        fs::remove_dir(&file).unwrap();
        fs::rename(&kept, &file).unwrap();

        // Its directory cannot be looked into.
        let (state, moved) = (dir.path().join(STATE_DIR_NAME), dir.path().join("moved"));
        fs::rename(&state, &moved).unwrap();
        std::os::unix::fs::symlink(STATE_DIR_NAME, &state).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(error.report().contains("look for "), "{}", error.report());
        fs::remove_file(&state).unwrap();
        fs::rename(&moved, &state).unwrap();

        fs::write(&file, [7; 10_000]).unwrap();
        close(open(dir.path()).unwrap());
        assert!(aside.join("data.mdb").exists() && !aside.join("before").exists());

        fs::remove_dir_all(&state).unwrap();
        close(open(dir.path()).unwrap());
        assert!(aside.join("data.mdb").exists());
    }
}
