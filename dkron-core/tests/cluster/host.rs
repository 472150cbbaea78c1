//! The host process is left as it was: no signal handler, no logger, no panic hook, no limit of
//! another height; fork is refused.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dkron_core::{Cluster, ErrorKind, ExecutionState};

use crate::support::{by_hand, config, in_memory, run, set};

/// Set in a process that is to play a part for a test, as a program of its own would.
const PART: &str = "DKRON_TEST_PART";

/// Runs `test` of this program once more, in a process of its own, with `part` to play.
#[track_caller]
fn play(test: &str, part: &str) {
    let program = std::env::current_exe().unwrap();
    let played = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&played.stdout), text(&played.stderr));
    assert!(played.status.success(), "{part}: {}\n{out}\n{err}", played.status);
    assert!(out.contains("1 passed"), "{part} did not run:\n{out}\n{err}");
}

fn is_played() -> bool {
    std::env::var_os(PART).is_some()
}

/// Starts a node, runs a handler that succeeds and one that panics, and stops.
fn live_a_little(cluster_name: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = in_memory(cluster_name).await;
        let shell = [("command", "true")];
        set(&cluster, by_hand("process").executor("shell", shell)).await;
        assert_eq!(run(&cluster, "process").await[0].state, ExecutionState::Succeeded);
        cluster.handle("fine", async |_| Ok(String::new())).unwrap();
        cluster.handle("panics", async |_| panic!("as it should")).unwrap();
        set(&cluster, by_hand("fine")).await;
        set(&cluster, by_hand("panics")).await;
        assert_eq!(run(&cluster, "fine").await[0].state, ExecutionState::Succeeded);
        assert_eq!(run(&cluster, "panics").await[0].state, ExecutionState::Failed);
        cluster.shutdown().await.unwrap();
    });
}

#[test]
fn the_panic_hook_of_the_host_stays() {
    if !is_played() {
        return play("host::the_panic_hook_of_the_host_stays", "hook");
    }
    let called = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&called);
    std::panic::set_hook(Box::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    }));

    live_a_little("hook");
    let _ = std::panic::catch_unwind(|| panic!("after the node"));

    assert_eq!(called.load(Ordering::SeqCst), 2, "the handler's panic and our own");
    // Gives back the hook that the test harness reports with.
    drop(std::panic::take_hook());
}

#[test]
fn no_logger_is_installed() {
    if !is_played() {
        return play("host::no_logger_is_installed", "logger");
    }
    live_a_little("logger");

    assert!(!tracing::dispatcher::has_been_set());
    struct Silent;
    impl tracing::Subscriber for Silent {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            false
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    tracing::subscriber::set_global_default(Silent).expect("the place is still free");
}

#[test]
#[cfg(target_os = "linux")]
fn signals_keep_their_meaning() {
    if !is_played() {
        return play("host::signals_keep_their_meaning", "signals");
    }
    // Masks of signals that are caught, ignored and blocked (by this thread), as the kernel has
    // them.
    let masks = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let is_mask =
            |line: &&str| ["SigCgt", "SigIgn", "SigBlk"].iter().any(|m| line.starts_with(m));
        status.lines().filter(is_mask).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = masks();

    live_a_little("signals");

    assert_eq!(masks(), before);
}

#[test]
#[cfg(target_os = "linux")]
fn the_limits_of_the_process_stay() {
    if !is_played() {
        return play("host::the_limits_of_the_process_stay", "limits");
    }
    let limits = || std::fs::read_to_string("/proc/self/limits").unwrap();
    let before = limits();

    live_a_little("limits");

    assert_eq!(limits(), before);
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_node_leaves_no_thread_and_no_file_behind() {
    if !is_played() {
        return play("host::a_stopped_node_leaves_no_thread_and_no_file_behind", "threads");
    }
    let folder = tempfile::tempdir().unwrap();
    // The first start also makes what a process has once: the runtime's pipe for signals.
    Cluster::start_blocking(config("tidy").in_memory()).unwrap().shutdown_blocking().unwrap();
    let before = (threads(), files());

    let cluster = Cluster::start_blocking(config("tidy").data_dir(folder.path())).unwrap();
    let during = (threads(), files());
    cluster.shutdown_blocking().unwrap();

    // A thread that has been joined may take a moment to leave the kernel's list.
    let bound = std::time::Instant::now() + crate::support::BOUND;
    while (threads(), files()) != before && std::time::Instant::now() < bound {
        std::thread::yield_now();
    }
    assert!(during.0.len() > before.0.len());
    assert!(during.1.len() > before.1.len());
    assert_eq!((threads(), files()), before);
}

/// Returns the names of this process's threads, sorted.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end between the list and the look.
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    let mut names: Vec<String> = tasks.flatten().filter_map(name).collect();
    names.sort();
    names
}

/// Returns what this process's file descriptors lead to, sorted; not that of the look itself.
#[cfg(target_os = "linux")]
fn files() -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut leads: Vec<_> =
        files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
    leads.retain(|leads_to| !leads_to.to_string_lossy().contains("/proc/"));
    leads.sort();
    leads
}

#[test]
#[cfg(unix)]
#[expect(unsafe_code, reason = "fork is the very thing under test")]
fn a_forked_child_is_refused_and_the_parent_goes_on() {
    if !is_played() {
        return play("host::a_forked_child_is_refused_and_the_parent_goes_on", "fork");
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start_blocking(config("forked").data_dir(folder.path())).unwrap();
    cluster.handle_blocking("fine", |_| Ok(String::new())).unwrap();

    // SAFETY: the child calls nothing but what it has to be able to call after a fork: the handle's
    // refusals, which take no lock that another thread may hold, and `_exit`.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            let refused = cluster.job("any").err().map(|error| error.kind());
            let is_refused = refused == Some(ErrorKind::Stopped);
            let is_bounded = cluster.shutdown_blocking().is_err();
            drop(cluster);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { nix::libc::_exit(if is_refused && is_bounded { 0 } else { 1 }) };
        }
        nix::unistd::ForkResult::Parent { child } => {
            let ended = nix::sys::wait::waitpid(child, None).unwrap();
            assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(child, 0));
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        set(&cluster, by_hand("fine")).await;
        assert_eq!(run(&cluster, "fine").await[0].state, ExecutionState::Succeeded);
        cluster.shutdown().await.unwrap();
    });
}
