//! What `/proc` says of every process.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};
use tokio::time::Instant;

/// Number and start of a process: together they are not used again, unlike the number alone.
pub(super) type ProcessId = (i32, u64);

/// One process at the time of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number; used again after its end, unlike [`Self::id`].
    pub(super) pid: i32,
    /// Its parent: whoever reaps it now, not whoever made it.
    pub(super) parent: i32,
    /// Its process group.
    pub(super) group: i32,
    /// Ended, and not yet reaped.
    pub(super) is_zombie: bool,
    /// When it started, in clock ticks since the machine did.
    pub(super) started_ticks: u64,
    /// Memory it holds, in bytes; pages it shares with others count in full.
    pub(super) resident_bytes: u64,
}

impl Process {
    /// Returns what tells this process from all others, past and to come.
    pub(super) fn id(&self) -> ProcessId {
        (self.pid, self.started_ticks)
    }
}

/// Looks at all processes. Blocks for a few microseconds per process.
///
/// Those that end meanwhile are left out.
///
/// # Errors
///
/// [`Blind`] if there is something to see, or may be, and it cannot be seen.
pub(super) fn scan() -> Result<Vec<Process>, Blind> {
    let entries = fs::read_dir("/proc").map_err(|error| match error.kind() {
        ErrorKind::NotFound => Blind::NoTable,
        _ => Blind::Shortage,
    })?;
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| look_at(pid).transpose())
        .collect()
}

/// Looks at one process; `None` if there is none, or no `/proc`.
///
/// # Errors
///
/// [`Blind`] as for [`scan`].
pub(super) fn look_at(pid: i32) -> Result<Option<Process>, Blind> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    Ok(stat.and_then(|stat| parse_stat(&stat, page_bytes())))
}

/// Returns the environment with which a process was started, entry after entry.
///
/// Empty while it is being replaced, and if it may not be read: it belongs to another user, and
/// this process is not root.
///
/// # Errors
///
/// [`Blind`] as for [`scan`].
pub(super) fn environment(pid: i32) -> Result<Environment, Blind> {
    Ok(Environment(read(&format!("/proc/{pid}/environ"))?.unwrap_or_default()))
}

/// The environment of a process.
pub(super) struct Environment(Vec<u8>);

impl Environment {
    /// Returns whether `entry` (`NAME=value`) is in it.
    pub(super) fn has(&self, entry: &[u8]) -> bool {
        self.0.split(|byte| *byte == 0).any(|have| have == entry)
    }

    /// Returns whether one of `entries` is in it.
    pub(super) fn has_one_of(&self, entries: &BTreeSet<Vec<u8>>) -> bool {
        self.0.split(|byte| *byte == 0).any(|have| entries.contains(have))
    }

    /// Returns whether an entry begins with one of `prefixes`.
    pub(super) fn has_any(&self, prefixes: &[String]) -> bool {
        let is_one = |entry: &[u8]| prefixes.iter().any(|one| entry.starts_with(one.as_bytes()));
        self.0.split(|byte| *byte == 0).any(is_one)
    }

    /// Returns whether nothing could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why nothing can be said of the processes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blind {
    /// This system has no `/proc`.
    NoTable,
    /// This process may open no more files, or has no memory, for now.
    Shortage,
}

/// Reads a file of a process; `None` if the process is gone or the file is not for us.
fn read(path: &str) -> Result<Option<Vec<u8>>, Blind> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => Err(Blind::Shortage),
            _ => Ok(None),
        },
    }
}

/// Reads a line of `/proc/<pid>/stat`.
fn parse_stat(stat: &[u8], page_bytes: u64) -> Option<Process> {
    // The second field is the name in parentheses, and may itself hold blanks and parentheses.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let (head, tail) = stat.split_at_checked(name_end)?;
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let pid = str::from_utf8(head.get(..digits)?).ok()?.parse().ok()?;
    let fields: Vec<&str> = str::from_utf8(tail.get(2..)?).ok()?.split_ascii_whitespace().collect();
    // Counted from the field after the name, which `man 5 proc` numbers 3.
    let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
    Some(Process {
        pid,
        is_zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: i32::try_from(number(1)?).ok()?,
        group: i32::try_from(number(2)?).ok()?,
        started_ticks: u64::try_from(number(19)?).ok()?,
        resident_bytes: u64::try_from(number(21)?).unwrap_or(0).saturating_mul(page_bytes),
    })
}

/// Returns the size of a memory page.
fn page_bytes() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// Looks at all processes on behalf of many runs at once.
#[derive(Default)]
pub(crate) struct ProcessScanner {
    latest: Mutex<Option<(Instant, Arc<[Process]>)>>,
}

impl ProcessScanner {
    /// Returns a look that is no older than `age_max`; a new one blocks as [`scan`] does.
    ///
    /// # Errors
    ///
    /// Those of [`scan`].
    pub(super) fn recent(&self, age_max: Duration) -> Result<Arc<[Process]>, Blind> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, processes)) = &*latest
            && at.elapsed() <= age_max
        {
            return Ok(Arc::clone(processes));
        }
        let processes: Arc<[Process]> = scan()?.into();
        *latest = Some((Instant::now(), Arc::clone(&processes)));
        Ok(processes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name_holds() {
        let line = |name: &str| {
            format!(
                "4711 ({name}) S 12 4710 99 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000000 \
                 321 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n"
            )
        };
        let want = Process {
            pid: 4711,
            parent: 12,
            group: 4710,
            is_zombie: false,
            started_ticks: 12_345,
            resident_bytes: 321 * 4096,
        };

        for name in ["sleep", "", "a b", ") Z 1 (", "))", "tmux: server"] {
            assert_eq!(parse_stat(line(name).as_bytes(), 4096).as_ref(), Some(&want), "{name:?}");
        }
        let not_utf8 = [b"4711 (\xff", line("").split_at(6).1.as_bytes()].concat();
        assert_eq!(parse_stat(&not_utf8, 4096).as_ref(), Some(&want));
    }

    #[test]
    fn what_is_no_stat_line_is_left_out() {
        for line in
            ["", "1", "1 (a)", "1 (a) S", "x (a) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1"]
        {
            assert_eq!(parse_stat(line.as_bytes(), 4096), None, "{line:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_with_its_parent_and_memory() {
        let me = i32::try_from(std::process::id()).unwrap();

        let found = scan().unwrap().into_iter().find(|process| process.pid == me).unwrap();

        assert_eq!(found.parent, nix::unistd::getppid().as_raw());
        assert!(found.resident_bytes > 100_000 && !found.is_zombie, "{found:?}");
        let (name, value) = std::env::vars().next().unwrap();
        let environment = environment(me).unwrap();
        assert!(environment.has(format!("{name}={value}").as_bytes()));
        assert!(environment.has_any(&["NO_SUCH".to_owned(), format!("{name}=")]));
        assert!(!environment.has(b"NO_SUCH_VARIABLE=1") && !environment.is_empty());
    }
}
