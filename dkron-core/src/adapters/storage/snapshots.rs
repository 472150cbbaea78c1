//! Snapshots as files: the newest complete one is kept.
//!
//! A file is written under another name, synced, and then renamed: one that is there is complete.
//! It is a title, the position and the meta data with a checksum, and then the contents, which
//! carry checksums of their own.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::crc32::{CHECKSUM_BYTES, checksum};
use super::data_dir::DataDir;
use super::dir_sync::sync_dir;
use crate::error::{Error, ErrorKind};
use crate::ports::{LogPosition, SnapshotStore, StoredSnapshot};

/// The directory of the snapshots within the data dir.
const DIR_NAME: &str = "snapshots";
/// The end of the name of a complete snapshot.
const SUFFIX: &str = ".snapshot";
/// The name under which one is written.
const NEW_NAME: &str = "new.tmp";
/// How a file begins: what it is, and the version of the layout.
const TITLE: &[u8; 16] = b"dkron snapshot 1";
/// Title, term, index, and how long the meta data is.
const FIXED_BYTES: usize = TITLE.len() + 20;
/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Meta data larger than this was not written by us.
const META_BYTES_MAX: usize = 1 << 20;

/// The snapshots of a data dir.
pub struct SnapshotDir {
    path: PathBuf,
    _data_dir: Arc<DataDir>,
}

impl SnapshotDir {
    /// Opens or makes the directory, and removes what an earlier process left unfinished.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if that fails.
    pub fn open(data_dir: &Arc<DataDir>) -> Result<Self, Error> {
        let path = data_dir.path().join(DIR_NAME);
        let failed = |error| {
            Error::new(ErrorKind::Storage, format!("open {}", path.display())).with_source(error)
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        sync_dir(data_dir.path()).map_err(failed)?;
        match fs::remove_file(path.join(NEW_NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        Ok(Self { path, _data_dir: Arc::clone(data_dir) })
    }

    /// Returns the position that the newest snapshot covers, without reading it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the directory cannot be read.
    pub fn newest(&self) -> Result<Option<LogPosition>, Error> {
        Ok(self.all()?.last().map(|(position, _)| *position))
    }

    /// Returns all complete snapshots, oldest first.
    fn all(&self) -> Result<Vec<(LogPosition, PathBuf)>, Error> {
        let failed = |error| {
            let message = format!("list {}", self.path.display());
            Error::new(ErrorKind::Storage, message).with_source(error)
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some(position) = entry.file_name().to_str().and_then(parse_name) {
                found.push((position, entry.path()));
            }
        }
        found.sort_unstable_by_key(|(position, _)| *position);
        Ok(found)
    }

    fn try_write(
        &self,
        position: LogPosition,
        meta: &[u8],
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let new = self.path.join(NEW_NAME);
        let failed = |action: &str, error: io::Error| {
            let message = format!("{action} snapshot {}", new.display());
            Error::new(ErrorKind::Storage, message).with_source(error)
        };
        let file = File::create(&new).map_err(|error| failed("make", error))?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        let head = head(position, meta);
        let begun = writer.write_all(&head).and_then(|()| writer.write_all(&checksum(&[&head])));
        begun.map_err(|error| failed("write", error))?;
        fill(&mut writer)?;
        let file = writer.into_inner().map_err(|error| failed("write", error.into_error()))?;
        file.sync_all().map_err(|error| failed("sync", error))?;
        let path = self.path.join(file_name(position));
        fs::rename(&new, &path).map_err(|error| failed("rename", error))?;
        sync_dir(&self.path).map_err(|error| failed("sync the directory of", error))?;
        for (_, old) in self.all()?.into_iter().filter(|(_, found)| *found != path) {
            fs::remove_file(old).map_err(|error| failed("remove the one before", error))?;
        }
        Ok(())
    }
}

impl SnapshotStore for SnapshotDir {
    fn write(
        &self,
        position: LogPosition,
        meta: &[u8],
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let written = self.try_write(position, meta, fill);
        if written.is_err() {
            // What is there of it takes space that is perhaps what was wanting.
            let _ = fs::remove_file(self.path.join(NEW_NAME));
        }
        written
    }

    fn current(&self) -> Result<Option<StoredSnapshot>, Error> {
        let Some((position, path)) = self.all()?.pop() else { return Ok(None) };
        let failed = |error| {
            let message = format!(
                "open snapshot {}; if the state is whole, the node starts without this file, \
                 otherwise restore a backup",
                path.display()
            );
            Error::new(ErrorKind::Storage, message).with_source(error)
        };
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut contents = BufReader::new(file);
        let meta = read_head(&mut contents, position).map_err(failed)?;
        let (name, contents) = (path.display().to_string(), Box::new(contents));
        Ok(Some(StoredSnapshot { position, meta, name, bytes, contents }))
    }
}

/// The name of a file sorts by hand as well: 20 digits hold every index.
fn file_name(position: LogPosition) -> String {
    format!("{:020}-{:020}{SUFFIX}", position.index, position.term)
}

fn parse_name(name: &str) -> Option<LogPosition> {
    let (index, term) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some(LogPosition { term: term.parse().ok()?, index: index.parse().ok()? })
}

/// What stands before the contents, without its checksum.
pub(super) fn head(position: LogPosition, meta: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(FIXED_BYTES + meta.len());
    head.extend_from_slice(TITLE);
    head.extend_from_slice(&position.term.to_le_bytes());
    head.extend_from_slice(&position.index.to_le_bytes());
    head.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    head.extend_from_slice(meta);
    head
}

/// Reads what stands before the contents; returns the meta data.
pub(super) fn read_head(from: &mut impl Read, position: LogPosition) -> io::Result<Vec<u8>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its head is damaged or was cut");
    let mut read = |bytes: &mut [u8]| {
        from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })
    };
    let mut fixed = [0; FIXED_BYTES];
    read(&mut fixed)?;
    let meta_bytes = fixed.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
    if !fixed.starts_with(TITLE) || meta_bytes > META_BYTES_MAX {
        return Err(damaged());
    }
    let mut meta = vec![0; meta_bytes];
    read(&mut meta)?;
    let mut sum = [0; CHECKSUM_BYTES];
    read(&mut sum)?;
    // The position is in the name, too: a renamed file is another one's.
    let head = head(position, &meta);
    if head.starts_with(&fixed) && checksum(&[&head]) == sum { Ok(meta) } else { Err(damaged()) }
}

/// Position, description and content of a snapshot.
type Kept = (LogPosition, Vec<u8>, Arc<[u8]>);

/// The newest snapshot of a node without a disk.
#[derive(Default)]
pub struct MemorySnapshots {
    newest: Mutex<Option<Kept>>,
}

impl SnapshotStore for MemorySnapshots {
    fn write(
        &self,
        position: LogPosition,
        meta: &[u8],
        fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut contents = Vec::new();
        fill(&mut contents)?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = Some((position, meta.to_vec(), contents.into()));
        Ok(())
    }

    fn is_made_on_demand(&self) -> bool {
        true
    }

    fn current(&self) -> Result<Option<StoredSnapshot>, Error> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(newest.as_ref().map(|(position, meta, contents)| StoredSnapshot {
            position: *position,
            meta: meta.clone(),
            name: "in memory".to_owned(),
            bytes: contents.len() as u64,
            contents: Box::new(io::Cursor::new(Arc::clone(contents))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::storage::data_dir::open_for_test;

    const AT: LogPosition = LogPosition { term: 3, index: 77 };

    fn write(store: &dyn SnapshotStore, position: LogPosition, contents: &[u8]) {
        let mut fill = |to: &mut dyn Write| {
            to.write_all(contents).map_err(|error| {
                Error::new(ErrorKind::Storage, "write the contents").with_source(error)
            })
        };
        store.write(position, b"meta", &mut fill).unwrap();
    }

    fn read(store: &dyn SnapshotStore) -> Option<(LogPosition, Vec<u8>, Vec<u8>)> {
        let mut snapshot = store.current().unwrap()?;
        let mut contents = Vec::new();
        snapshot.contents.read_to_end(&mut contents).unwrap();
        Some((snapshot.position, snapshot.meta, contents))
    }

    #[track_caller]
    fn check_round_trip(store: &dyn SnapshotStore) {
        assert_eq!(read(store), None);
        for bytes in [0, 1, 3 * BUFFER_BYTES + 5] {
            let contents = vec![7; bytes];
            write(store, AT, &contents);
            assert_eq!(read(store), Some((AT, b"meta".to_vec(), contents)), "{bytes} bytes");
        }
        let later = LogPosition { term: 3, index: 78 };
        write(store, later, b"later");
        assert_eq!(read(store).unwrap().0, later);
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was_and_the_newest_counts() {
        check_round_trip(&MemorySnapshots::default());

        let dir = tempfile::tempdir().unwrap();
        let snapshots = SnapshotDir::open(&open_for_test(dir.path())).unwrap();
        check_round_trip(&snapshots);
        assert_eq!(snapshots.all().unwrap().len(), 1, "older ones are gone");
    }

    #[test]
    fn a_snapshot_that_fails_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = SnapshotDir::open(&open_for_test(dir.path())).unwrap();
        write(&snapshots, AT, b"first");
        let mut fail = |_: &mut dyn Write| Err(Error::new(ErrorKind::Storage, "no"));

        snapshots.write(LogPosition { term: 3, index: 99 }, b"", &mut fail).unwrap_err();

        assert_eq!(read(&snapshots).unwrap().2, b"first");
        assert!(!dir.path().join(DIR_NAME).join(NEW_NAME).exists());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_the_head_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = SnapshotDir::open(&open_for_test(dir.path())).unwrap();
        write(&snapshots, AT, b"");
        let path = snapshots.all().unwrap().remove(0).1;
        let good = fs::read(&path).unwrap();

        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            assert!(snapshots.current().is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(snapshots.current().is_err(), "cut to {length}");
        }
    }
}
