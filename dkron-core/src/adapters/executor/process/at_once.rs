//! Kills what runs of this process have started, all of them by one look: for a process that ends
//! before its runs do.
//!
//! [`ProcessTree`](super::ProcessTree) ends one run, gently, and looks for it alone; of thousands
//! of runs that takes longer than such a process has.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::leftover::{RUN_VARIABLE, instance_mark};
use super::owned::OwnedChild;
use super::table::{self, Process};

/// Sends SIGKILL to all processes of these runs of one process instance, given their tokens;
/// returns how many were found alive. Does not wait for their end: whoever calls it until it
/// returns 0 has seen it.
///
/// A process belongs to a run by its process group, by its environment, or by an ancestor that
/// belongs. Where there is no `/proc`, or it cannot be read now, the groups alone are known, and
/// nothing is counted. Other processes are not touched, also not what a run has left behind when
/// it ended by itself.
pub(crate) fn kill_runs(instance: u64, tokens: &BTreeSet<u64>) -> usize {
    let mark = |token: &u64| format!("{RUN_VARIABLE}={}{token}", instance_mark(instance));
    let marks: BTreeSet<Vec<u8>> = tokens.iter().map(|token| mark(token).into_bytes()).collect();
    if marks.is_empty() {
        return 0;
    }
    let groups = OwnedChild::claimed_for(&marks);
    for group in &groups {
        // An error says that there is no such group any more.
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
    let Ok(processes) = table::scan() else { return 0 };
    let is_marked =
        |pid| table::environment(pid).is_ok_and(|environment| environment.has_one_of(&marks));
    let doomed = members(&processes, &groups, is_marked);
    for pid in &doomed {
        // It may have ended since the look; then there is nothing to kill.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    doomed.len()
}

/// Picks from a look those that are alive and belong to one of the groups, are marked, or descend
/// from one that does; never this process.
fn members(
    processes: &[Process],
    groups: &BTreeSet<i32>,
    is_marked: impl Fn(i32) -> bool,
) -> BTreeSet<i32> {
    let me = Pid::this().as_raw();
    let candidates = || processes.iter().filter(|process| process.pid != me && process.pid > 1);
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for process in candidates() {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let is_seed = |process: &&Process| groups.contains(&process.group) || is_marked(process.pid);
    let mut open: Vec<i32> = candidates().filter(is_seed).map(|process| process.pid).collect();
    let mut found = BTreeSet::new();
    while let Some(pid) = open.pop() {
        if found.insert(pid) {
            open.extend(children.remove(&pid).unwrap_or_default());
        }
    }
    let zombies = candidates().filter(|process| process.is_zombie).map(|process| process.pid);
    for zombie in zombies {
        found.remove(&zombie);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        let started_ticks = 5;
        Process { pid, parent, group, is_zombie: false, started_ticks, resident_bytes: 10 }
    }

    #[test]
    fn groups_marks_and_descent_tell_who_belongs_to_a_run() {
        let me = Pid::this().as_raw();
        let mut ended = process(1_000_000_005, 1, 1_000_000_001);
        ended.is_zombie = true;
        let look = [
            process(1_000_000_001, me, 1_000_000_001),
            process(1_000_000_002, 1, 1_000_000_001),
            process(1_000_000_003, 1, 1_000_000_003),
            process(1_000_000_004, 1_000_000_003, 1_000_000_004),
            ended,
            process(1_000_000_006, me, 1_000_000_006),
            process(1, 0, 1),
            process(me, 1, me),
        ];

        let found = members(&look, &BTreeSet::from([1_000_000_001]), |pid| {
            pid == 1_000_000_003 || pid == me || pid == 1
        });

        assert_eq!(
            found,
            BTreeSet::from([1_000_000_001, 1_000_000_002, 1_000_000_003, 1_000_000_004])
        );
    }
}
