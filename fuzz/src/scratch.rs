//! A directory of the thread that runs a target, in memory where there is such a place.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Makes a directory that is gone with its owner.
///
/// # Panics
///
/// If there is no place for it.
pub fn directory() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    TempDir::with_prefix_in("dkron-fuzz-", place).expect("make a directory")
}

/// Puts bytes into a file of a directory.
///
/// # Panics
///
/// If there is no space.
pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).expect("write a file");
    path
}
