//! What a node that was killed left behind: processes of its runs that nobody watches any more.
//!
//! A run whose node died is closed as lost, and its job goes on. Its processes may still be at
//! work; they are ended first, so that a job that forbids overlap has none with its own past.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::table::{self, Blind};

/// The variable that tells the processes of a run from all others on the machine.
pub(in crate::adapters::executor) const RUN_VARIABLE: &str = "DKRON_RUN";

/// The longest wait for processes that were killed; only a broken disk or device makes it as long.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Returns how the value of [`RUN_VARIABLE`] begins in all runs of one process instance of a node.
pub(in crate::adapters::executor) fn instance_mark(instance: u64) -> String {
    format!("{instance:016x}-")
}

/// What became of the processes of earlier runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// How many were killed.
    pub(crate) ended: usize,
    /// Which of them are there all the same.
    pub(crate) alive: Vec<i32>,
    /// Whether there may be more: the machine was short of what it takes to look.
    pub(crate) is_unknown: bool,
}

impl Leftovers {
    /// All of them are gone.
    fn ended(ended: usize) -> Self {
        Self { ended, alive: Vec::new(), is_unknown: false }
    }
}

/// Kills every process that runs of these process instances of the node have left behind. Blocks
/// until they are gone, five seconds at the most.
///
/// Goes by the environment: a process that has thrown away its own is not found. Does nothing where
/// there is no `/proc`.
#[expect(clippy::disallowed_methods, reason = "waits for the kernel, before the node is at work")]
pub(crate) fn end_leftovers(instances: &BTreeSet<u64>) -> Leftovers {
    let marks: Vec<String> = instances
        .iter()
        .map(|instance| format!("{RUN_VARIABLE}={}", instance_mark(*instance)))
        .collect();
    let mut ended = BTreeSet::new();
    if marks.is_empty() {
        return Leftovers::ended(0);
    }
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let gone = |left: &[i32]| ended.iter().filter(|pid| !left.contains(pid)).count();
        let left = match marked(&marks) {
            Ok(left) if left.is_empty() => return Leftovers::ended(ended.len()),
            Err(Blind::NoTable) => return Leftovers::ended(ended.len()),
            Ok(left) => Some(left),
            Err(Blind::Shortage) => None,
        };
        if Instant::now() >= deadline {
            let is_unknown = left.is_none();
            let alive = left.unwrap_or_default();
            return Leftovers { ended: gone(&alive), alive, is_unknown };
        }
        for pid in left.into_iter().flatten() {
            ended.insert(pid);
            // It may have ended since the look; then there is nothing to kill.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Returns the living processes that have an entry which begins with one of `marks`.
fn marked(marks: &[String]) -> Result<Vec<i32>, Blind> {
    let mut found = Vec::new();
    for process in table::scan()? {
        if !process.is_zombie && table::environment(process.pid)?.has_any(marks) {
            found.push(process.pid);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn processes_of_earlier_instances_are_ended_and_no_others() {
        let spawn = |mark: &str| {
            let value = format!("{mark}7");
            let child = Command::new("sleep").arg("60").env(RUN_VARIABLE, &value).spawn().unwrap();
            // A new process shows no environment yet for a moment after it was started.
            let (entry, deadline) =
                ([format!("{RUN_VARIABLE}={value}")], Instant::now() + WAIT_MAX);
            while !table::environment(child.id() as i32).unwrap().has_any(&entry) {
                assert!(Instant::now() < deadline, "its environment is not to be seen");
                thread::yield_now();
            }
            child
        };
        let (dead, other) = (u64::MAX - 11, u64::MAX - 12);
        let mut left = spawn(&instance_mark(dead));
        let mut alive = spawn(&instance_mark(other));

        assert_eq!(end_leftovers(&BTreeSet::from([dead])), Leftovers::ended(1));

        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert_eq!(alive.try_wait().unwrap(), None);
        alive.kill().unwrap();
        alive.wait().unwrap();
    }

    #[test]
    fn without_instances_nothing_is_looked_at() {
        assert_eq!(end_leftovers(&BTreeSet::new()).ended, 0);
    }
}
