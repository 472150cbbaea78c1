//! A file without a name, for what is too much for memory.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use dkron_core::limits::{DISK_RESERVE_BYTES, DISK_RESERVE_DIVISOR};
use nix::sys::statvfs::{Statvfs, statvfs};

/// The disk is looked at whenever so many bytes have been written since the last time.
const LOOK_BYTES: u64 = 1 << 18;

/// Where something stands in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    offset: u64,
    bytes: u32,
}

impl Extent {
    /// Returns how long it is.
    pub(super) fn bytes(self) -> usize {
        self.bytes as usize
    }
}

/// A file that is written once, from its beginning to its end, then read at any place.
///
/// It has no name, so that nothing is left of it whatever happens to the process. It leaves the
/// disk twice what the log keeps in reserve: a backup that is too large is refused before the jobs
/// that run feel it.
pub(super) struct Spool {
    directory: PathBuf,
    writer: BufWriter<File>,
    end: u64,
    /// Up to here there was space when the disk was looked at last.
    room_end: u64,
}

impl Spool {
    /// Makes one in `directory`.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let writer = BufWriter::new(tempfile::tempfile_in(directory)?);
        Ok(Self { directory: directory.to_owned(), writer, end: 0, room_end: 0 })
    }

    /// Appends bytes; fewer than 4 GiB.
    ///
    /// # Errors
    ///
    /// [`is_full`] tells whether there is no space; the rest is the file system's.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let extent =
            Extent { offset: self.end, bytes: u32::try_from(bytes.len()).map_err(too_long)? };
        let end = self.end + u64::from(extent.bytes);
        if end > self.room_end {
            let wanted = u64::from(extent.bytes) + LOOK_BYTES;
            if !has_room(&self.directory, wanted) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room_end = end + LOOK_BYTES;
        }
        self.writer.write_all(bytes)?;
        self.end = end;
        Ok(extent)
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> io::Result<SpoolReader> {
        let file = self.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(SpoolReader { file })
    }
}

/// Returns whether an error of a spool says that there is no space for it.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns whether the disk has room for more bytes; one that does not tell is taken to have it,
/// for the write itself finds out.
fn has_room(directory: &Path, bytes: u64) -> bool {
    statvfs(directory).map_or(true, |disk| is_enough(&disk, bytes))
}

/// The widths of these numbers differ between systems.
#[allow(clippy::useless_conversion, reason = "as above")]
fn is_enough(disk: &Statvfs, bytes: u64) -> bool {
    let block_bytes = u64::from(disk.fragment_size());
    let free = u64::from(disk.blocks_available()).saturating_mul(block_bytes);
    let total = u64::from(disk.blocks()).saturating_mul(block_bytes);
    leaves_enough(free, total, bytes)
}

fn leaves_enough(free: u64, total: u64, bytes: u64) -> bool {
    let reserve = DISK_RESERVE_BYTES.min(total / DISK_RESERVE_DIVISOR);
    free.saturating_sub(bytes) >= reserve.saturating_mul(2)
}

/// A spool that is complete.
pub(super) struct SpoolReader {
    file: File,
}

impl SpoolReader {
    /// Reads what was appended.
    pub(super) fn read(&self, extent: Extent) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; extent.bytes as usize];
        self.file.read_exact_at(&mut bytes, extent.offset)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_at_any_place_and_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(directory.path()).unwrap();
        let texts = ["one", "", "three"];
        let extents = texts.map(|text| spool.append(text.as_bytes()).unwrap());
        let reader = spool.finish().unwrap();
        for (text, extent) in texts.into_iter().zip(extents).rev() {
            assert_eq!(reader.read(extent).unwrap(), text.as_bytes());
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn twice_the_reserve_of_the_log_stays_free() {
        const MIB: u64 = 1 << 20;
        let check = |free, total, bytes, want| {
            assert_eq!(leaves_enough(free, total, bytes), want, "{bytes} of {free} of {total}");
        };
        check(100 * MIB, 1_000 * MIB, 84 * MIB, true);
        check(100 * MIB, 1_000 * MIB, 84 * MIB + 1, false);
        check(10 * MIB, 16 * MIB, 8 * MIB, true);
        check(10 * MIB, 16 * MIB, 9 * MIB, false);
        check(0, 16 * MIB, 1, false);
    }
}
