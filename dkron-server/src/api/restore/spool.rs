//! A file without a name, for what is too much for memory.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

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
/// It has no name, so that nothing is left of it whatever happens to the process.
pub(super) struct Spool {
    writer: BufWriter<File>,
    end: u64,
}

impl Spool {
    /// Makes one in `directory`.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        Ok(Self { writer: BufWriter::new(tempfile::tempfile_in(directory)?), end: 0 })
    }

    /// Appends bytes; fewer than 4 GiB.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let extent =
            Extent { offset: self.end, bytes: u32::try_from(bytes.len()).map_err(too_long)? };
        self.writer.write_all(bytes)?;
        self.end += u64::from(extent.bytes);
        Ok(extent)
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> io::Result<SpoolReader> {
        let file = self.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(SpoolReader { file })
    }
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
}
