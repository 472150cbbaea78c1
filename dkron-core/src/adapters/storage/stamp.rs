//! Who a data dir belongs to and which format it has: a few lines of text in the file `stamp`.
//!
//! ```text
//! dkron data dir
//! format 1
//! node server-1
//! generation 12
//! filled
//! checksum 1a2b3c4d
//! ```
//!
//! The line `filled` is there once the first start has made everything: from then on a log or a
//! state that is gone is lost, and not yet to be made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::crc32::checksum;
use super::dir_sync::sync_dir;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;

/// The format this program reads and writes. Raised when an older program could no longer read
/// what this one writes.
pub const DATA_FORMAT: u32 = 1;

/// The name of the file.
pub(super) const FILE_NAME: &str = "stamp";
/// The name under which a new stamp is written before it takes the place of the old one.
const FILE_NAME_NEW: &str = "stamp.new";
/// The first line, by which the file is recognised.
const TITLE: &str = "dkron data dir";

/// What the stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The format of everything in the data dir.
    pub format: u32,
    /// The node whose data this is.
    pub node: NodeName,
    /// How often the data dir was opened; only grows.
    pub generation: u64,
    /// Whether log and state have been made.
    pub is_filled: bool,
}

/// The line of a data dir in which everything was made.
const FILLED: &str = "filled";
/// What to do about a stamp that is not what it should be.
const WAY_OUT: &str = "restore it with the rest of a backup, or use another data dir";

impl Stamp {
    /// Reads the stamp of `dir`; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the file cannot be read, is damaged, or is of a newer format.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE_NAME);
        let refused = |what: String| Error::new(ErrorKind::Storage, what);
        let text = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(refused(format!("read {}", path.display())).with_source(error));
            }
        };
        let damaged = || {
            let path = path.display();
            refused(format!("{path} is damaged: it is not what was written; {WAY_OUT}"))
        };
        let text = String::from_utf8(text).map_err(|_| damaged())?;
        // The format goes first: only its place is the same in all formats.
        let format = Self::format_of(&text).ok_or_else(damaged)?;
        if format > DATA_FORMAT {
            return Err(refused(format!(
                "data dir {} has format {format}, written by a newer dkron; this one ({}) knows \
                 formats up to {DATA_FORMAT}: use the newer dkron, or a backup from before the \
                 upgrade",
                dir.display(),
                env!("CARGO_PKG_VERSION"),
            )));
        }
        Self::parse(&text).map(Some).ok_or_else(damaged)
    }

    /// Returns the error of a data dir that holds data, but no stamp.
    pub fn missing(dir: &Path) -> Error {
        let path = dir.join(FILE_NAME);
        let message = format!("{} is missing beside the data; {WAY_OUT}", path.display());
        Error::new(ErrorKind::Storage, message)
    }

    /// Writes the stamp into `dir` in place of the one that is there; durable when it returns.
    ///
    /// # Errors
    ///
    /// That of the file system; the old stamp is still there then.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let new = dir.join(FILE_NAME_NEW);
        let mut file = File::create(&new)?;
        file.write_all(self.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, dir.join(FILE_NAME))?;
        sync_dir(dir)
    }

    fn format_of(text: &str) -> Option<u32> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        lines.next()?.strip_prefix("format ")?.parse().ok()
    }

    fn parse(text: &str) -> Option<Self> {
        let (body, sum) = text.trim_end_matches('\n').rsplit_once("\nchecksum ")?;
        if sum != hex(checksum(&[body.as_bytes()])) {
            return None;
        }
        let mut lines = body.lines().skip(1);
        let format = lines.next()?.strip_prefix("format ")?.parse().ok()?;
        let node = NodeName::parse(lines.next()?.strip_prefix("node ")?).ok()?;
        let generation = lines.next()?.strip_prefix("generation ")?.parse().ok()?;
        let is_filled = lines.next() == Some(FILLED);
        Some(Self { format, node, generation, is_filled })
    }

    fn to_text(&self) -> String {
        let Self { format, node, generation, is_filled } = self;
        let filled = if *is_filled { format!("\n{FILLED}") } else { String::new() };
        let body =
            format!("{TITLE}\nformat {format}\nnode {node}\ngeneration {generation}{filled}");
        sealed(&body)
    }
}

/// Adds the line of the checksum.
pub(super) fn sealed(body: &str) -> String {
    let sum = hex(checksum(&[body.as_bytes()]));
    format!("{body}\nchecksum {sum}\n")
}

fn hex(sum: [u8; 4]) -> String {
    format!("{:08x}", u32::from_le_bytes(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        let node = NodeName::parse("server 1").unwrap();
        Stamp { format: DATA_FORMAT, node, generation: 7, is_filled: true }
    }

    #[test]
    fn a_stamp_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Stamp::read(dir.path()).unwrap(), None);

        stamp().write(dir.path()).unwrap();
        assert_eq!(Stamp::read(dir.path()).unwrap(), Some(stamp()));

        let unfilled = Stamp { is_filled: false, ..stamp() };
        unfilled.write(dir.path()).unwrap();
        assert_eq!(Stamp::read(dir.path()).unwrap(), Some(unfilled));
    }

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), "dkron data dir\nformat 9\nwhatever\n").unwrap();

        let error = Stamp::read(dir.path()).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.message().contains("format 9"), "{error}");
        assert!(error.message().contains("up to 1"), "{error}");
    }

    #[test]
    fn every_flipped_bit_is_damage_and_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        stamp().write(dir.path()).unwrap();
        let path = dir.path().join(FILE_NAME);
        let good = fs::read(&path).unwrap();
        for bit in 0..(good.len() - 1) * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(Stamp::read(dir.path()).is_err(), "bit {bit}");
        }
    }
}
