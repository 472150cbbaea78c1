//! What the fuzzers feed: everything here that reads the bytes of a disk.
//!
//! Each function panics if a promise is broken. Checksums, which no fuzzer guesses, are made here
//! for bodies that it makes up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::crc32::checksum;
use super::data_dir::{DataDir, DataDirConfig};
use super::health::StorageHealth;
use super::history_check::HISTORY;
use super::outbox::FileOutbox;
use super::outbox_records;
use super::page_check::check_pages;
use super::page_walk::PageCheck;
use super::snapshots;
use super::stamp::{self, Stamp};
use super::state_env::LmdbState;
use crate::kernel::model::NodeName;
use crate::kernel::state::{Report, Table, TableError, TablesMut};
use crate::ports::{Change, LogPosition, Outbox as _, OutboxMark};

/// A data dir in which files are replaced by what is made up.
pub struct Disk {
    data_dir: Arc<DataDir>,
    /// A file that LMDB wrote.
    pages: Vec<u8>,
}

/// Rows of every size: on pages of their own, on leaves, on more leaves than one.
struct Rows;

impl Change for Rows {
    type Output = ();

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
        for number in 0_u8..30 {
            tables.put(Table::Jobs, &[number; 40], &[number; 300])?;
        }
        tables.put(Table::Outputs, b"large", &[7; 9_000])?;
        tables.put(Table::Due, b"small", b"")
    }
}

impl Disk {
    /// Makes one in an empty directory.
    ///
    /// # Panics
    ///
    /// If the disk does not allow it.
    pub fn new(path: &Path) -> Self {
        let config = DataDirConfig {
            path: path.to_owned(),
            node: NodeName::parse("fuzz").expect("a name"),
            allow_network_file_system: true,
        };
        let data_dir = Arc::new(DataDir::open(&config).expect("open the data dir"));
        let state = LmdbState::open(&data_dir, Arc::new(StorageHealth::new(None)));
        let state = state.expect("open a state");
        state.update(&mut Rows).expect("write rows");
        drop(state);
        let pages = fs::read(path.join("state/data.mdb")).expect("read the state");
        Self { data_dir, pages }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.data_dir.path().join(name);
        fs::write(&path, bytes).expect("write a file");
        path
    }

    /// An LMDB file: every page is walked, or refused.
    pub fn page_file(&self, bytes: &[u8]) {
        let path = self.write("pages", bytes);
        let verify = |_: &[u8], _: &[u8], _: &[u8]| Ok(());
        let check = PageCheck { verify, skips_big_values_of: None, leaves: HISTORY };
        // Whether it is accepted is LMDB's matter: anything but a panic will do.
        if let Ok(Some(left)) = check_pages(&path, check) {
            let _ = left.walk(|| true);
        }
    }

    /// As [`Disk::page_file`], of a file that LMDB wrote with some bytes replaced: two bytes of
    /// place, one of value.
    pub fn patched_page_file(&self, patches: &[u8]) {
        let mut bytes = self.pages.clone();
        for [low, high, value] in patches.as_chunks().0 {
            let place = usize::from(u16::from_le_bytes([*low, *high]));
            if let Some(byte) = bytes.get_mut(place) {
                *byte = *value;
            }
        }
        self.page_file(&bytes);
    }

    /// An outbox: what is whole is read once, what is added is read behind it, and emptying it
    /// forgets no more than that.
    pub fn outbox(&self, bytes: &[u8]) {
        self.write("outbox", bytes);
        let outbox = FileOutbox::open(&self.data_dir).expect("bytes are no fault of the disk");
        let found = read_all(&outbox);
        outbox.add(&found).expect("there is space");
        let doubled = read_all(&outbox);
        assert_eq!(doubled, [found.as_slice(), &found].concat(), "what is added is read");
        outbox.clear().expect("there is space");
        assert_eq!(read_all(&outbox), [], "an empty one has nothing");
    }

    /// As [`Disk::outbox`], of one record with this body.
    pub fn sealed_outbox(&self, body: &[u8]) {
        self.outbox(&outbox_records::sealed(body));
    }

    /// A stamp: what is read is written so that it reads the same.
    pub fn stamp(&self, bytes: &[u8]) {
        let dir = self.data_dir.path().join("stamped");
        fs::create_dir_all(&dir).expect("make a directory");
        fs::write(dir.join(stamp::FILE_NAME), bytes).expect("write a file");
        let Ok(Some(read)) = Stamp::read(&dir) else { return };
        read.write(&dir).expect("write a stamp");
        assert_eq!(Stamp::read(&dir).ok().flatten(), Some(read), "a stamp reads as written");
    }

    /// As [`Disk::stamp`], of this body.
    pub fn sealed_stamp(&self, body: &[u8]) {
        self.stamp(stamp::sealed(&String::from_utf8_lossy(body)).as_bytes());
    }
}

fn read_all(outbox: &FileOutbox) -> Vec<Report> {
    let (mut all, mut from) = (Vec::new(), OutboxMark::default());
    while let Some((reports, end)) = outbox.read(from).expect("bytes are no fault of the disk") {
        assert!(end.0 > from.0 && !reports.is_empty(), "reading goes on");
        all.extend(reports);
        from = end;
    }
    all
}

/// The head of a snapshot: read as it was written, or refused.
pub fn snapshot_head(mut bytes: &[u8]) {
    let position = LogPosition { term: 1, index: 1 };
    let Ok(meta) = snapshots::read_head(&mut bytes, position) else { return };
    let head = snapshots::head(position, &meta);
    let whole = [&head[..], &checksum(&[&head])].concat();
    let again = snapshots::read_head(&mut whole.as_slice(), position);
    assert_eq!(again.ok(), Some(meta), "a head reads as written");
}

/// As [`snapshot_head`], of this body.
pub fn sealed_snapshot_head(body: &[u8]) {
    snapshot_head(&[body, &checksum(&[body])].concat());
}
