//! A full disk, made of a small file system in memory. Needs the right to mount one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::{DataDirConfig, Storage, StorageCondition, StorageHealth};
use crate::error::ErrorKind;
use crate::kernel::model::NodeName;
use crate::kernel::state::{Table, TableError, Tables, TablesMut};
use crate::ports::{Change, LogPosition, LogRecord, LogWrite, Replica, Store};

/// How long a test waits for anything.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A file system of 16 MiB; unmounted when it is dropped.
pub struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one; `None`, with a word about it, if that is not permitted.
    pub fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { dir }),
            _ => {
                println!("skipped: full disk, mounting a tmpfs needs root");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills it to the last byte; removing the file makes space again.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        let block = vec![0; 1 << 16];
        for bytes in [block.len(), 4_096, 1] {
            while std::io::Write::write_all(&mut file, &block[..bytes]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

pub fn open(path: &Path) -> Storage {
    let config = DataDirConfig {
        path: path.join("data"),
        node: NodeName::parse("n1").unwrap(),
        allow_network_file_system: false,
    };
    Storage::open(&config).unwrap()
}

/// Writes a megabyte.
struct PutMuch;

impl Change for PutMuch {
    type Output = ();

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
        for key in 0..16_u8 {
            tables.put(Table::Jobs, &[key, 1], &[7; 1 << 16])?;
        }
        Ok(())
    }
}

fn wait_until_full(health: &StorageHealth) {
    let mut seen = health.subscribe();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let full = seen.wait_for(|condition| *condition == StorageCondition::Full);
        tokio::time::timeout(WAIT_MAX, full).await.expect("it is full").unwrap();
    });
}

#[test]
fn a_write_of_the_log_waits_for_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let storage = open(disk.path());
    let ballast = disk.fill();
    let position = LogPosition { term: 1, index: 0 };
    let record = LogRecord { position, kind: 1, body: Arc::new(vec![1; 1 << 20]) };
    let (sender, done) = channel();

    storage.log.write(
        LogWrite::Append(vec![record.clone()]),
        Box::new(move |result| sender.send(result.is_ok()).unwrap()),
    );

    wait_until_full(&storage.health);
    assert_eq!(done.try_recv().ok(), None, "it waits");
    let error = storage.log.check_writable().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert!(error.message().contains("is full"), "{error}");
    fs::remove_file(ballast).unwrap();
    assert_eq!(done.recv_timeout(WAIT_MAX), Ok(true));
    assert_eq!(storage.log.read(0, 1, 1).unwrap(), [record]);
    storage.log.check_writable().unwrap();
    assert_eq!(*storage.health.subscribe().borrow(), StorageCondition::Good);
}

#[test]
fn a_change_of_the_state_waits_for_space_and_is_made_once() {
    let Some(disk) = SmallDisk::mount() else { return };
    let storage = open(disk.path());
    let ballast = disk.fill();

    std::thread::scope(|scope| {
        let changed = scope.spawn(|| storage.state.update(&mut PutMuch));
        wait_until_full(&storage.health);
        assert_eq!(storage.state.read().unwrap().len(Table::Jobs), Ok(0), "reading goes on");
        fs::remove_file(ballast).unwrap();
        changed.join().unwrap().unwrap();
    });

    assert_eq!(storage.state.read().unwrap().len(Table::Jobs), Ok(16));
}

#[test]
fn closing_gives_up_a_write_that_waits_for_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let storage = open(disk.path());
    let _ballast = disk.fill();
    let position = LogPosition { term: 1, index: 0 };
    let record = LogRecord { position, kind: 1, body: Arc::new(vec![1; 1 << 20]) };
    let (sender, done) = channel();
    storage.log.write(
        LogWrite::Append(vec![record]),
        Box::new(move |result| sender.send(result.map_err(|error| error.kind())).unwrap()),
    );
    wait_until_full(&storage.health);

    assert!(storage.close(WAIT_MAX));

    assert_eq!(done.recv_timeout(WAIT_MAX), Ok(Err(ErrorKind::Stopped)));
    assert_eq!(done.recv_timeout(WAIT_MAX), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_node_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    assert!(open(disk.path()).close(WAIT_MAX));
    let _ballast = disk.fill();

    let storage = open(disk.path());

    assert_eq!(storage.log.check_writable().unwrap_err().kind(), ErrorKind::DiskFull);
    assert_eq!(storage.state.read().unwrap().len(Table::Jobs), Ok(0));
}
