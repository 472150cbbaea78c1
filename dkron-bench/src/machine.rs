//! What a process uses of the machine, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A mebibyte.
const MIB: f64 = 1_048_576.0;

/// Which process to look at.
#[derive(Clone, Copy, Debug)]
pub enum Process {
    /// This one.
    Own,
    /// Another one.
    Id(u32),
}

impl Process {
    fn file(self, name: &str) -> Result<String> {
        let path = match self {
            Self::Own => format!("/proc/self/{name}"),
            Self::Id(id) => format!("/proc/{id}/{name}"),
        };
        fs::read_to_string(&path).with_context(|| format!("read {path}: is this Linux?"))
    }

    fn kib(self, file: &str, key: &str) -> Result<f64> {
        let text = self.file(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        kib.with_context(|| format!("{key} is missing in {file}"))
    }

    /// Returns the memory in use, shared pages and mapped files included, in MiB.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn resident_mib(self) -> Result<f64> {
        Ok(self.kib("status", "VmRSS")? * 1_024.0 / MIB)
    }

    /// Returns the most memory in use since the start, or since [`reset_peak`], in MiB.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn peak_mib(self) -> Result<f64> {
        Ok(self.kib("status", "VmHWM")? * 1_024.0 / MIB)
    }

    /// Returns the memory that is in use for this process alone, not for a file, in MiB.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn anonymous_mib(self) -> Result<f64> {
        Ok(self.kib("smaps_rollup", "Anonymous")? * 1_024.0 / MIB)
    }

    /// Returns the processor time used so far by all threads that live.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn processor_time(self) -> Result<Duration> {
        let folder = match self {
            Self::Own => "/proc/self/task".to_owned(),
            Self::Id(id) => format!("/proc/{id}/task"),
        };
        let mut used_ns = 0;
        for thread in fs::read_dir(&folder).with_context(|| format!("read {folder}"))? {
            // A thread may have ended since it was listed.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let first = text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
            used_ns += first.context("schedstat holds no number")?;
        }
        Ok(Duration::from_nanos(used_ns))
    }
}

/// Lets [`Process::peak_mib`] of this process start anew.
///
/// # Errors
///
/// If the system does not allow it.
pub fn reset_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("reset the peak of the memory in use")
}
