//! The directory that holds everything a node keeps: whose it is, and who has it open.
//!
//! Does not know what the files in it hold. A data dir is opened by one process at a time, by one
//! copy of the library in it, for one node name for ever.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::dir_lock::DirLock;
use super::dir_sync::sync_dir;
use super::stamp::{DATA_FORMAT, Stamp};
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;

/// What is never there before the stamp.
const DATA_FILES: [&str; 2] = ["log/data.mdb", "state/data.mdb"];

/// How a data dir is opened.
#[derive(Clone, Debug)]
pub struct DataDirConfig {
    /// Where it is; made, with its parents, if it does not exist.
    pub path: PathBuf,
    /// The name of this node. A data dir belongs to one name.
    pub node: NodeName,
    /// Accepts file systems known to break LMDB's promises (NFS, SMB, 9P, FUSE). Default: refused.
    pub allow_network_file_system: bool,
}

/// An open data dir; closed when it is dropped.
pub struct DataDir {
    path: PathBuf,
    stamp: Stamp,
    /// Let go of before `closed` tells.
    lock: Option<DirLock>,
    closed: Arc<ClosedEvent>,
}

/// Tells when a data dir is closed.
#[derive(Default)]
pub struct ClosedEvent {
    is_closed: Mutex<bool>,
    changed: Condvar,
}

impl ClosedEvent {
    /// Waits until the data dir is closed; false if that takes longer than `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let is_closed = self.is_closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_closed, _) = self
            .changed
            .wait_timeout_while(is_closed, limit, |is_closed| !*is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        *is_closed
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        drop(self.lock.take());
        *self.closed.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.closed.changed.notify_all();
    }
}

impl DataDir {
    /// Opens or makes the data dir, and keeps everyone else out of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] if another process, or another copy of the library, has it open.
    /// [`ErrorKind::InvalidArgument`] if it belongs to another node name or lies on a file system
    /// that is not accepted. [`ErrorKind::Storage`] if it cannot be made, is damaged, or was
    /// written by a newer version.
    pub fn open(config: &DataDirConfig) -> Result<Self, Error> {
        let given = &config.path;
        let failed = |action: &str| {
            Error::new(ErrorKind::Storage, format!("{action} data dir {}", given.display()))
        };
        let missing = given.ancestors().take_while(|path| !path.exists()).count();
        // Jobs may hold secrets, so that nobody but the owner looks in.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(given)
            .map_err(|error| failed("make").with_source(error))?;
        let path = fs::canonicalize(given).map_err(|error| failed("find").with_source(error))?;
        if !config.allow_network_file_system {
            check_file_system(&path)?;
        }

        for made in path.ancestors().take(missing) {
            let parent = made.parent().unwrap_or(made);
            sync_dir(parent).map_err(|error| failed("make").with_source(error))?;
        }

        let lock = DirLock::acquire(&path)?;
        let (generation, is_filled) = match Stamp::read(&path)? {
            Some(stamp) if stamp.node != config.node => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!(
                        "data dir {} belongs to node \"{}\", not to \"{}\": a node keeps its name; \
                         use the old name, or another data dir",
                        path.display(),
                        stamp.node,
                        config.node
                    ),
                ));
            }
            Some(stamp) => (stamp.generation.saturating_add(1), stamp.is_filled),
            None if DATA_FILES.iter().any(|file| path.join(file).exists()) => {
                return Err(Stamp::missing(&path));
            }
            None => (1, false),
        };
        let stamp = Stamp { format: DATA_FORMAT, node: config.node.clone(), generation, is_filled };
        if let Err(error) = stamp.write(&path) {
            // A node that has data starts on a full disk, too: it can still be read.
            if generation == 1 || !super::health::is_disk_full(&error) {
                return Err(failed("write the stamp of").with_source(error));
            }
        }
        Ok(Self { path, stamp, lock: Some(lock), closed: Arc::default() })
    }

    /// Returns whether log and state had been made when it was opened, so that they must be there.
    pub fn is_filled(&self) -> bool {
        self.stamp.is_filled
    }

    /// Notes that log and state have been made.
    ///
    /// # Errors
    ///
    /// That of the file system; then the next start may note it.
    pub fn set_filled(&self) -> io::Result<()> {
        Stamp { is_filled: true, ..self.stamp.clone() }.write(&self.path)
    }

    /// Returns its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what tells when it is closed.
    pub fn closed(&self) -> Arc<ClosedEvent> {
        Arc::clone(&self.closed)
    }

    /// Returns how often the data dir has been opened, this time included: only grows from one
    /// start of the node to the next.
    pub fn generation(&self) -> u64 {
        self.stamp.generation
    }
}

/// Refuses file systems on which a mapped file or a lock is not what it seems.
#[cfg(target_os = "linux")]
fn check_file_system(path: &Path) -> Result<(), Error> {
    // From linux/magic.h and the sources of the file systems; the type has no fixed width.
    const REFUSED: [(u32, &str); 9] = [
        (0x0000_6969, "NFS"),
        (0x0000_517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x6573_5546, "FUSE"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x5346_414f, "AFS"),
    ];
    let failed = |error| {
        let message = format!("look up the file system of data dir {}", path.display());
        Error::new(ErrorKind::Storage, message).with_source(error)
    };
    let magic = nix::sys::statfs::statfs(path).map_err(failed)?.filesystem_type().0;
    match REFUSED.iter().find(|(refused, _)| i64::from(*refused) == (magic as i64 & 0xffff_ffff)) {
        None => Ok(()),
        Some((_, name)) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "data dir {} is on {name}, where data is lost or damaged: use a local disk or a \
                 named volume, or allow network file systems if you know better",
                path.display()
            ),
        )),
    }
}

/// Other systems do not tell the type of a file system in a way that could be relied on.
#[cfg(not(target_os = "linux"))]
fn check_file_system(_path: &Path) -> Result<(), Error> {
    Ok(())
}

/// Opens a data dir for a test of what is in it.
#[cfg(test)]
pub fn open_for_test(path: &Path) -> Arc<DataDir> {
    let node = NodeName::parse("n1").expect("a name");
    let config = DataDirConfig { path: path.to_owned(), node, allow_network_file_system: false };
    Arc::new(DataDir::open(&config).expect("open the data dir"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &Path, node: &str) -> DataDirConfig {
        DataDirConfig {
            path: path.to_owned(),
            node: NodeName::parse(node).unwrap(),
            allow_network_file_system: false,
        }
    }

    #[test]
    fn a_data_dir_is_opened_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = DataDir::open(&config(&path, "n1")).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();

        for again in [&path, &link] {
            let error = DataDir::open(&config(again, "n1")).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        }

        assert_eq!(first.generation(), 1);
        drop(first);
        assert_eq!(DataDir::open(&config(&path, "n1")).unwrap().generation(), 2);
    }

    #[test]
    fn a_data_dir_keeps_its_node_name() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(&config(dir.path(), "n1")).unwrap());

        let error = DataDir::open(&config(dir.path(), "n2")).err().unwrap();

        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(
            error.message().contains("\"n1\"") && error.message().contains("\"n2\""),
            "{error}"
        );
    }
}
