//! Reaps processes that lost their parents and were given to this one.
//!
//! Process 1 of a container, and a child subreaper, inherit every orphan below them; unless they
//! reap them, each stays a zombie for ever. The runtime reaps only children it has started, and
//! must find the status of those: whoever calls `wait` for "any child" steals it. So this looks at
//! each zombie in turn, passes over those that somebody here waits for ([`OwnedChild`]), and takes
//! the others only when they have been zombies at two looks in a row, in case a child was started
//! between and its owner has not said so yet.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::owned::OwnedChild;
use super::table;

/// How long a zombie stays at least, and half of how long it stays at most.
const REAP_PERIOD: Duration = Duration::from_secs(1);

/// Reaps orphans until `stop` fires.
///
/// For a process that is process 1 or a child subreaper; elsewhere it finds nothing. Children that
/// other code of the process started by itself are reaped too if it leaves them zombies for longer
/// than a second. Costs one system call a second while there is no zombie.
///
/// Owner: the daemon. Inputs: the process table. Ends when `stop` fires.
pub async fn reap_orphans(stop: CancellationToken) {
    let mut seen = BTreeSet::new();
    while stop.run_until_cancelled(sleep(REAP_PERIOD)).await.is_some() {
        if !has_zombie() {
            seen.clear();
            continue;
        }
        let Ok(zombies) = spawn_blocking(unowned_zombies).await else {
            continue;
        };
        for (pid, _) in zombies.intersection(&seen) {
            reap(*pid);
        }
        seen = zombies;
    }
}

/// Returns whether any child is a zombie, without reaping it.
fn has_zombie() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::All, flags), Ok(WaitStatus::StillAlive) | Err(_))
}

/// Returns the zombies that are children of this process and that nobody here waits for; none if
/// they cannot be looked for now.
fn unowned_zombies() -> BTreeSet<(i32, u64)> {
    let me = Pid::this().as_raw();
    let processes = table::scan().unwrap_or_default();
    processes
        .into_iter()
        .filter(|process| process.is_zombie && process.parent == me)
        .filter(|process| !OwnedChild::is_claimed(process.pid))
        .map(|process| (process.pid, process.started_ticks))
        .collect()
}

/// Reaps one zombie.
fn reap(pid: i32) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    if let Err(errno) = waitid(Id::Pid(Pid::from_raw(pid)), flags) {
        tracing::debug!(pid, %errno, "an orphan was reaped by somebody else");
    }
}
