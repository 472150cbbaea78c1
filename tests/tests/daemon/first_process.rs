//! The daemon as process 1 of a container: it reaps what others left, and ends when it is told to.

use std::fs;
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::wait::{wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

const BOUND: Duration = Duration::from_secs(30);

/// Returns number and state of the children of a process, zombies included.
fn children(parent: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, its_parent) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
        (its_parent == parent).then(|| (pid, state.to_owned()))
    })
    .collect()
}

/// Goal: no zombie stays in a container whose first process is the daemon.
/// Method: a job leaves processes behind that lose their parents, and end a second later.
#[test]
fn as_process_1_the_daemon_reaps_orphans_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let Some(launch) = Daemon::at(folder.path()).as_first_process() else {
        println!("skipped: process 1 of a container, no namespaces for processes here");
        return;
    };
    let daemon = launch.start();
    let around = i32::try_from(daemon.pid()).unwrap();
    let (first, _) = wait_for("the daemon's own process", BOUND, || children(around).pop());

    let run = |job: &str, command: &str| {
        daemon.run_in_shell(job, json!({"command": command, "shell": "true"}))
    };
    let command = run("who", "tr '\\0' ' ' </proc/1/cmdline");
    run("orphans", "for i in 1 2 3 4 5; do (setsid sleep 1 >/dev/null 2>&1 &); done");
    let left = children(first);
    wait_until("the end of all orphans", BOUND, || children(first).is_empty());
    run("after", "exit 0");
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    let ended = daemon.wait_for_end(BOUND);

    assert!(command.contains("dkron agent"), "{command}");
    assert_eq!(left.len(), 5, "{left:?}");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}
