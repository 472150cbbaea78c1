//! How large and where a bench runs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// What the command line says about every bench.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Share of the full size: 1.0 is what the bounds are meant for.
    pub scale: f64,
    /// Where data directories are made: on the disk that is to be measured.
    pub dir: PathBuf,
}

impl Default for Settings {
    /// The full size, beside this program: `/tmp` may be in memory.
    fn default() -> Self {
        let own = std::env::current_exe().ok();
        let dir = own.and_then(|own| own.parent().map(PathBuf::from));
        Self { scale: 1.0, dir: dir.unwrap_or_else(std::env::temp_dir) }
    }
}

impl Settings {
    /// Returns this share of `full`, at least 1.
    pub fn count(&self, full: usize) -> usize {
        ((full as f64 * self.scale) as usize).max(1)
    }

    /// Returns this share of `full`, at least 2 s.
    pub fn span(&self, full: Duration) -> Duration {
        full.mul_f64(self.scale).max(Duration::from_secs(2))
    }

    /// Makes a folder that goes with the value.
    ///
    /// # Errors
    ///
    /// If the disk does not allow it.
    pub fn folder(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix("dkron-bench-")
            .tempdir_in(&self.dir)
            .with_context(|| format!("make a folder in {}", self.dir.display()))
    }
}
