//! Finds every process of one daemon, however deep, by a mark in their environments.
//!
//! Jobs run in process groups of their own and outlive a daemon that is killed; the mark is what
//! they all inherit.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that carries the mark. Not `DKRON_…`: jobs do not inherit those.
pub(crate) const MARK: &str = "E2E_MARK";

/// Returns the living processes that carry `mark`, with their command lines.
pub(crate) fn marked(mark: &str) -> Vec<(i32, String)> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        // Processes of others, and those that have just ended, cannot be read.
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|entry| *entry == wanted.as_bytes())?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&command).replace('\0', " ")))
    })
    .collect()
}

/// Kills every process that carries `mark`, those they start meanwhile included.
pub(crate) fn kill_marked(mark: &str) {
    // Each pass kills all that the one before left time to fork; it ends when none is left.
    for _ in 0..100 {
        let found = marked(mark);
        if found.is_empty() {
            return;
        }
        for (pid, _) in found {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
