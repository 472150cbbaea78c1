//! Which processes belong to a run, and how all of them are ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::table::{self, Process, ProcessScanner};
use crate::limits;

/// Rounds of stopping what newly appears, before everything that is known is killed.
///
/// A stopped process makes no children, so an honest tree is still after two; a tree that forks
/// faster than it is stopped is killed as it stands, and once more, until it is gone.
const STOP_ROUNDS_MAX: usize = 10;

/// A process that is not used again for another, unlike its number.
type ProcessId = (i32, u64);

/// The processes that one run has started, directly and indirectly.
///
/// A process belongs to the run if it is the first one, is in its process group, carries the run's
/// marker in its environment, was seen as part of it before, or descends from one that belongs.
/// So a grandchild with a session of its own is found while its ancestors live, and afterwards by
/// its environment. What has thrown away its environment, its group *and* its ancestors before
/// anybody looked is a daemon of its own, and is not found.
///
/// Dropped before [`Self::disarm`], it kills the process group: nobody watches the run any more.
pub(crate) struct ProcessTree {
    root: i32,
    root_started_ticks: Option<u64>,
    marker: Arc<[u8]>,
    known: BTreeSet<ProcessId>,
    is_armed: bool,
}

impl ProcessTree {
    /// Watches the tree of `root`, a child that leads its process group and is not reaped yet.
    ///
    /// `marker` is the `NAME=value` that only processes of this run have in their environment.
    pub(crate) fn new(root: i32, marker: &str) -> Self {
        Self {
            root,
            root_started_ticks: table::look_at(root).map(|process| process.started_ticks),
            marker: marker.as_bytes().into(),
            known: BTreeSet::new(),
            is_armed: true,
        }
    }

    /// Leaves what still runs to itself.
    pub(crate) fn disarm(&mut self) {
        self.is_armed = false;
    }

    /// Returns the memory that the tree holds, in bytes, as seen in the last `age_max`.
    ///
    /// Goes by ancestry and group, not by environment: this is asked often.
    pub(crate) async fn resident_bytes(
        &mut self,
        scanner: &Arc<ProcessScanner>,
        age_max: Duration,
    ) -> u64 {
        let scanner = Arc::clone(scanner);
        let Ok(processes) = spawn_blocking(move || scanner.recent(age_max)).await else {
            return 0;
        };
        let members = self.members(&processes, |_| false);
        self.known = members.iter().map(|process| (process.pid, process.started_ticks)).collect();
        members.iter().map(|process| process.resident_bytes).sum()
    }

    /// Asks all of the tree to end.
    pub(crate) async fn terminate(&mut self) {
        for process in self.look().await {
            send(process.0, Signal::SIGTERM);
        }
    }

    /// Returns once nothing of the tree is left; ends nothing.
    pub(crate) async fn gone(&mut self) {
        let mut pause = Duration::from_millis(5);
        while !self.look().await.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(limits::PROCESS_LOOK_PERIOD);
        }
    }

    /// Kills the tree and returns once nothing of it is left.
    ///
    /// A process that the kernel cannot end, for it waits for a broken disk, holds this up.
    pub(crate) async fn kill(&mut self) {
        let mut pause = Duration::from_millis(2);
        loop {
            let doomed = self.stop_all().await;
            if doomed.is_empty() {
                return;
            }
            for process in doomed {
                send(process.0, Signal::SIGKILL);
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::PROCESS_LOOK_PERIOD);
        }
    }

    /// Stops whatever belongs to the tree, until nothing new appears; returns all of it.
    async fn stop_all(&mut self) -> BTreeSet<ProcessId> {
        let mut stopped = BTreeSet::new();
        for _ in 0..STOP_ROUNDS_MAX {
            let found = self.look().await;
            let is_still = found.is_subset(&stopped);
            for process in found.difference(&stopped) {
                send(process.0, Signal::SIGSTOP);
            }
            stopped = found;
            if is_still {
                break;
            }
        }
        stopped
    }

    /// Takes a fresh look, environments included; returns what is alive and remembers it.
    async fn look(&mut self) -> BTreeSet<ProcessId> {
        let marker = Arc::clone(&self.marker);
        let look = spawn_blocking(move || {
            let processes = table::scan();
            let marked: BTreeSet<i32> = processes
                .iter()
                .filter(|process| table::environment_has(process.pid, &marker))
                .map(|process| process.pid)
                .collect();
            (processes, marked)
        });
        let Ok((processes, marked)) = look.await else {
            return BTreeSet::new();
        };
        let members = self.members(&processes, |pid| marked.contains(&pid));
        self.known = members.iter().map(|process| (process.pid, process.started_ticks)).collect();
        self.known.clone()
    }

    /// Picks from a look those that belong to the tree and are alive.
    fn members<'a>(
        &self,
        processes: &'a [Process],
        is_marked: impl Fn(i32) -> bool,
    ) -> Vec<&'a Process> {
        let me = Pid::this().as_raw();
        // Once the group is empty its number may come to lead a group of somebody else's.
        let is_group_ours = !processes.iter().any(|process| {
            process.pid == self.root && Some(process.started_ticks) != self.root_started_ticks
        });
        let is_seed = |process: &Process| {
            (is_group_ours && (process.pid == self.root || process.group == self.root))
                || self.known.contains(&(process.pid, process.started_ticks))
                || is_marked(process.pid)
        };
        let candidates: Vec<&Process> =
            processes.iter().filter(|process| process.pid != me && process.pid > 1).collect();
        let mut members: BTreeSet<i32> = candidates
            .iter()
            .filter(|process| is_seed(process))
            .map(|process| process.pid)
            .collect();
        loop {
            let before = members.len();
            for process in &candidates {
                if members.contains(&process.parent) {
                    members.insert(process.pid);
                }
            }
            if members.len() == before {
                break;
            }
        }
        candidates
            .into_iter()
            .filter(|process| members.contains(&process.pid) && !process.is_zombie)
            .collect()
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        if self.is_armed {
            // An error says that there is no such group any more.
            let _ = killpg(Pid::from_raw(self.root), Signal::SIGKILL);
        }
    }
}

/// Sends a signal to one process that a look has just shown.
fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => tracing::warn!(pid, %signal, %errno, "cannot signal a process of a run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: i32 = 1_000_000_100;

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        let started_ticks = 5;
        Process { pid, parent, group, is_zombie: false, started_ticks, resident_bytes: 10 }
    }

    fn tree() -> ProcessTree {
        let root_started_ticks = Some(5);
        let known = BTreeSet::new();
        ProcessTree { root: ROOT, root_started_ticks, marker: [].into(), known, is_armed: false }
    }

    #[track_caller]
    fn check(tree: &ProcessTree, processes: &[Process], marked: &[i32], want: &[i32]) {
        let members = tree.members(processes, |pid| marked.contains(&pid));
        let mut pids: Vec<i32> = members.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, want);
    }

    #[test]
    fn children_belong_whatever_their_group_and_order() {
        let looks = [
            process(ROOT + 3, ROOT + 2, 7),
            process(ROOT + 2, ROOT + 1, ROOT + 2),
            process(ROOT + 1, ROOT, ROOT),
            process(ROOT, 50, ROOT),
            process(60, 50, 60),
            process(1, 0, 1),
        ];
        check(&tree(), &looks, &[], &[ROOT, ROOT + 1, ROOT + 2, ROOT + 3]);
    }

    #[test]
    fn orphans_belong_by_group_by_marker_or_by_having_been_seen() {
        let mut tree = tree();
        tree.known.insert((72, 5));
        tree.known.insert((73, 4));
        let looks = [
            process(70, 1, ROOT),
            process(71, 1, 71),
            process(72, 1, 72),
            process(73, 1, 73),
            process(74, 71, 74),
        ];
        check(&tree, &looks, &[71], &[70, 71, 72, 74]);
    }

    #[test]
    fn a_zombie_is_not_alive_but_its_children_are_found() {
        let mut root = process(ROOT, 50, ROOT);
        root.is_zombie = true;
        check(&tree(), &[root, process(80, ROOT, 80)], &[], &[80]);
    }

    #[test]
    fn a_number_used_again_is_somebody_else() {
        let mut other = process(ROOT, 50, ROOT);
        other.started_ticks = 900;
        check(&tree(), &[other, process(80, ROOT, ROOT), process(81, 1, 81)], &[81], &[81]);
    }

    #[test]
    fn neither_this_process_nor_the_first_one_ever_belongs() {
        let me = Pid::this().as_raw();
        check(&tree(), &[process(me, 1, ROOT), process(1, 0, ROOT)], &[me, 1], &[]);
    }
}
