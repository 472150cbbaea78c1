//! Makes the entries of directories survive the loss of power.

use std::fs::File;
use std::io;
use std::path::Path;

/// Syncs a directory: files that were made, renamed or removed in it are so for good.
///
/// Without it a file that was synced itself may be gone with the name it had.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(path.to_owned()));
    File::open(path)?.sync_all()
}

#[cfg(test)]
#[path = "dir_sync_test.rs"]
mod tests;
