//! What the system says of this process.
//!
//! Of files that Linux has and others do not: what cannot be read is left out.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

/// The figures of this process.
pub(super) struct ProcessFigures {
    /// Time on processors, its own and the system's for it.
    pub(super) cpu_time: Option<Duration>,
    /// Memory that is there, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// Memory that is mapped, in bytes: the files of the state among it, which are sparse.
    pub(super) virtual_bytes: Option<u64>,
    /// Files it has open.
    pub(super) open_files: Option<u64>,
    /// Files it may open.
    pub(super) open_files_max: Option<u64>,
}

impl ProcessFigures {
    /// Asks the system.
    pub(super) fn read() -> Self {
        let memory = fs::read_to_string("/proc/self/statm").ok();
        let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        let page_bytes = page_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let pages = |place: usize| -> Option<u64> {
            let pages: u64 = memory.as_ref()?.split_whitespace().nth(place)?.parse().ok()?;
            pages.checked_mul(page_bytes?)
        };
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        Self {
            cpu_time: usage.map(|usage| span(usage.user_time()) + span(usage.system_time())),
            resident_bytes: pages(1),
            virtual_bytes: pages(0),
            open_files: open_files(),
            open_files_max: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
        }
    }
}

fn span(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(time.tv_usec().try_into().unwrap_or(0))
}

/// Counts the files that are open, without the one that is opened to count them.
fn open_files() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(entries).ok()?.checked_sub(1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_on_linux_has_all_figures() {
        let read = ProcessFigures::read();
        assert!(read.cpu_time.is_some());
        assert!(read.resident_bytes.unwrap() > 1 << 20, "{:?}", read.resident_bytes);
        assert!(read.virtual_bytes >= read.resident_bytes);
        assert!(read.open_files.unwrap() >= 3);
        assert!(read.open_files_max >= read.open_files);
    }
}
