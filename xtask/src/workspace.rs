//! Where the repository lies and which files it holds.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Directories that hold no file of ours, wherever they stand.
const FOREIGN: &[&str] = &["target", ".git", ".venv", "node_modules", "__pycache__", "dkron.data"];

/// Returns the root of the repository, whatever the working directory is.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Returns where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Returns the files below `dir`, sorted, as paths relative to `dir`.
///
/// Build output and what git does not track by our `.gitignore` is left out.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("list {}", folder.display()))?;
            let kind = entry.file_type().context("read a file's type")?;
            let name = entry.file_name();
            if kind.is_dir() {
                if !FOREIGN.iter().any(|foreign| name == *foreign) {
                    open.push(entry.path());
                }
            } else if kind.is_file() && name != ".git" {
                found.push(entry.path().strip_prefix(dir).unwrap_or(&entry.path()).to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}
