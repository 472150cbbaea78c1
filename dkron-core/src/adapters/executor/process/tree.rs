//! Which processes belong to a run, and how all of them are ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::table::{self, Blind, Process, ProcessId, ProcessScanner};
use crate::kernel::model::{ExecutionId, JobName};
use crate::limits;
use crate::ports::RunContext;

/// Rounds of stopping what newly appears, before everything that is known is killed.
///
/// A stopped process makes no children, so an honest tree is still after two; a tree that forks
/// faster than it is stopped is killed as it stands, and once more, until it is gone.
const STOP_ROUNDS_MAX: usize = 10;

/// The processes that one run has started, directly and indirectly.
///
/// A process belongs to the run if it is the first one, is in its process group, carries the run's
/// marker in its environment, was seen as part of it before, or descends from one that belongs.
/// So a grandchild with a session of its own is found while its ancestors live, and afterwards by
/// its environment. What has thrown away its environment, its group *and* its ancestors before
/// anybody looked is a daemon of its own, and is not found.
///
/// While nobody can look, for there is no `/proc` or no more files can be opened, the process group
/// stands for the tree.
///
/// Dropped before [`Self::disarm`], it kills the process group: nobody watches the run any more.
pub(crate) struct ProcessTree {
    root: i32,
    root_started_ticks: Option<u64>,
    marker: Arc<[u8]>,
    /// The run, for log lines.
    job: JobName,
    execution: ExecutionId,
    known: BTreeSet<ProcessId>,
    /// Processes without the marker, so that the environment of each is read once.
    strangers: BTreeSet<ProcessId>,
    is_armed: bool,
}

impl ProcessTree {
    /// Watches the tree of `root`, a child that leads its process group and is not reaped yet.
    ///
    /// `marker` is the `NAME=value` that only processes of this run have in their environment.
    pub(crate) fn new(root: i32, marker: &str, run: &RunContext) -> Self {
        let look = table::look_at(root).ok().flatten();
        Self {
            root,
            root_started_ticks: look.map(|process| process.started_ticks),
            marker: marker.as_bytes().into(),
            job: run.job.clone(),
            execution: run.execution.clone(),
            known: BTreeSet::new(),
            strangers: BTreeSet::new(),
            is_armed: true,
        }
    }

    /// Leaves what still runs to itself.
    pub(crate) fn disarm(&mut self) {
        self.is_armed = false;
    }

    /// Returns the memory that the tree holds, in bytes, as seen in the last `age_max`; nothing
    /// while nobody can look.
    pub(crate) async fn resident_bytes(
        &mut self,
        scanner: &Arc<ProcessScanner>,
        age_max: Duration,
    ) -> u64 {
        let scanner = Arc::clone(scanner);
        let members = self.look(move || scanner.recent(age_max)).await.unwrap_or_default();
        members.iter().map(|process| process.resident_bytes).sum()
    }

    /// Asks all of the tree to end.
    pub(crate) async fn terminate(&mut self) {
        match self.look_now().await {
            Ok(members) => members.iter().for_each(|process| self.send(process.0, Signal::SIGTERM)),
            Err(_) => self.send_group(Signal::SIGTERM),
        }
    }

    /// Returns once nothing of the tree is left; ends nothing.
    pub(crate) async fn gone(&mut self) {
        let mut pause = Duration::from_millis(5);
        loop {
            match self.look_now().await {
                Ok(members) if members.is_empty() => return,
                Err(Blind::NoTable) if self.is_group_empty() => return,
                Ok(_) | Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::PROCESS_LOOK_PERIOD);
        }
    }

    /// Kills the tree and returns once nothing of it is left.
    ///
    /// A process that the kernel cannot end, for it waits for a broken disk, holds this up.
    pub(crate) async fn kill(&mut self) {
        let mut pause = Duration::from_millis(2);
        let mut seen_at = Instant::now();
        loop {
            match self.stop_all().await {
                Ok(doomed) if doomed.is_empty() => return,
                Ok(doomed) => {
                    doomed.iter().for_each(|process| self.send(process.0, Signal::SIGKILL));
                    seen_at = Instant::now();
                }
                Err(blind) => {
                    self.send_group(Signal::SIGKILL);
                    if blind == Blind::NoTable && self.is_group_empty() {
                        return;
                    }
                    // Runs that wait for each other's files would wait for ever.
                    if blind == Blind::Shortage && seen_at.elapsed() > limits::CANCEL_GRACE {
                        tracing::warn!(
                            job = %self.job,
                            execution = %self.execution,
                            group = self.root,
                            "killed a run without seeing what is left of it"
                        );
                        return;
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::PROCESS_LOOK_PERIOD);
        }
    }

    /// Stops whatever belongs to the tree, until nothing new appears; returns all of it.
    async fn stop_all(&mut self) -> Result<BTreeSet<ProcessId>, Blind> {
        let mut stopped = BTreeSet::new();
        for _ in 0..STOP_ROUNDS_MAX {
            let found = self.look_now().await?;
            let is_still = found.is_subset(&stopped);
            for process in found.difference(&stopped) {
                self.send(process.0, Signal::SIGSTOP);
            }
            stopped = found;
            if is_still {
                break;
            }
        }
        Ok(stopped)
    }

    /// Sends a signal to one process that a look has just shown.
    fn send(&self, pid: i32, signal: Signal) {
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!(
                job = %self.job,
                execution = %self.execution,
                pid,
                %signal,
                %errno,
                "cannot signal a process of a run"
            ),
        }
    }

    /// Sends a signal to the process group.
    fn send_group(&self, signal: Signal) {
        // An error says that there is no such group any more, or nobody in it that is ours.
        let _ = killpg(Pid::from_raw(self.root), signal);
    }

    /// Returns whether nobody is in the process group any more, zombies included.
    fn is_group_empty(&self) -> bool {
        killpg(Pid::from_raw(self.root), None) == Err(Errno::ESRCH)
    }

    /// Takes a fresh look; returns what is alive.
    async fn look_now(&mut self) -> Result<BTreeSet<ProcessId>, Blind> {
        self.look(|| table::scan().map(Into::into)).await?;
        Ok(self.known.clone())
    }

    /// Takes a look, environments included; returns what is alive and remembers it.
    async fn look(
        &mut self,
        scan: impl FnOnce() -> Result<Arc<[Process]>, Blind> + Send + 'static,
    ) -> Result<Vec<Process>, Blind> {
        let (marker, since) = (Arc::clone(&self.marker), self.root_started_ticks.unwrap_or(0));
        let strangers = std::mem::take(&mut self.strangers);
        let look = spawn_blocking(move || {
            let processes = scan()?;
            let (marked, strangers) = tell_apart(&processes, since, &marker, &strangers)?;
            Ok((processes, marked, strangers))
        });
        // An error says that the runtime is shutting down.
        let (processes, marked, strangers) = look.await.map_err(|_| Blind::Shortage)??;
        self.strangers = strangers;
        let members = self.members(&processes, |pid| marked.contains(&pid));
        let members: Vec<Process> = members.into_iter().cloned().collect();
        self.known = members.iter().map(Process::id).collect();
        Ok(members)
    }

    /// Picks from a look those that belong to the tree and are alive.
    fn members<'a>(
        &self,
        processes: &'a [Process],
        is_marked: impl Fn(i32) -> bool,
    ) -> Vec<&'a Process> {
        let me = Pid::this().as_raw();
        // Once the group is empty its number may come to lead a group of somebody else's.
        let is_group_ours = self.root_started_ticks.is_none_or(|started_ticks| {
            let is_other = |process: &Process| process.started_ticks != started_ticks;
            !processes.iter().any(|process| process.pid == self.root && is_other(process))
        });
        let is_seed = |process: &Process| {
            (is_group_ours && (process.pid == self.root || process.group == self.root))
                || self.known.contains(&process.id())
                || is_marked(process.pid)
        };
        let candidates: Vec<&Process> =
            processes.iter().filter(|process| process.pid != me && process.pid > 1).collect();
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for process in &candidates {
            children.entry(process.parent).or_default().push(process.pid);
        }
        let mut open: Vec<i32> =
            candidates.iter().filter(|process| is_seed(process)).map(|seed| seed.pid).collect();
        let mut members = BTreeSet::new();
        while let Some(pid) = open.pop() {
            if members.insert(pid) {
                open.extend(children.remove(&pid).unwrap_or_default());
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
            self.send_group(Signal::SIGKILL);
        }
    }
}

/// Reads the environments of processes that are neither older than the run nor known as strangers;
/// returns those that carry the marker, and all strangers that still live.
fn tell_apart(
    processes: &[Process],
    since_ticks: u64,
    marker: &[u8],
    known_strangers: &BTreeSet<ProcessId>,
) -> Result<(BTreeSet<i32>, BTreeSet<ProcessId>), Blind> {
    let (mut marked, mut strangers) = (BTreeSet::new(), BTreeSet::new());
    let is_young = |process: &&Process| process.started_ticks >= since_ticks;
    for process in processes.iter().filter(is_young) {
        if known_strangers.contains(&process.id()) {
            strangers.insert(process.id());
            continue;
        }
        let environment = table::environment(process.pid)?;
        if environment.has(marker) {
            marked.insert(process.pid);
        } else if !environment.is_empty() {
            // An empty one may only be in the middle of being replaced.
            strangers.insert(process.id());
        }
    }
    Ok((marked, strangers))
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
        ProcessTree {
            root: ROOT,
            root_started_ticks,
            marker: [].into(),
            job: JobName::parse("a").unwrap(),
            execution: ExecutionId::parse("1-n").unwrap(),
            known: BTreeSet::new(),
            strangers: BTreeSet::new(),
            is_armed: false,
        }
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
