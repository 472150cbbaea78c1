//! How runs end where it is hard: floods, full tables of files, processes that hide, races.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::adapters::executor::kit_test::{TestRun, assert_output, check_flood, ended, is_alone};
use crate::ports::RunOutcome;

/// The longest wait for anything.
const BOUND: Duration = Duration::from_secs(30);

/// Goal: who reads without a pause never looks at the clock, nor whether it shall end.
/// Method: a command that writes faster than its output is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_holds_off_neither_a_timeout_nor_a_cancellation() {
    let flood = "head -c 200000000 /dev/zero";
    let timed = TestRun::of_command(&[("command", flood), ("timeout", "500ms")]);
    let cancelled = TestRun::of_command(&[("command", flood)]);
    check_flood(timed, "signal: killed", cancelled, "cancelled: signal: terminated").await;
}

#[tokio::test]
async fn memory_of_a_process_that_left_its_session_and_lost_its_parents_counts() {
    let hog = "head -c 80000000 /dev/zero | tail -c 79999999 | sleep 300";
    let command = format!("setsid sh -c '({hog}) &'; sleep 300");
    let keys = [("command", &*command), ("shell", "true"), ("mem_limit", "20MB")];
    let run = TestRun::of_command(&[keys[0], keys[1], keys[2], ("timeout", "10s")]);

    let end = run.end().await;

    assert_eq!(end, ended(RunOutcome::Failed, "signal: killed"));
    let text = String::from_utf8(run.capture.finish(None).bytes).unwrap();
    assert!(text.contains("exceeding defined limit (20971520 bytes)"), "{text}");
    assert_eq!(run.alive(), [""; 0]);
}

/// Goal: nothing of a run lasts longer than it, on either side.
/// Method: the tasks of this runtime after runs that watched time, memory and a cancellation.
#[tokio::test]
async fn whoever_watched_a_run_ends_with_it() {
    let keys = [("shell", "true"), ("mem_limit", "1GB"), ("timeout", "1h"), ("payload", "AAAA")];
    for command in ["exit 0", "exit 3", "sleep 0.4"] {
        TestRun::of_command(&[keys[0], keys[1], keys[2], keys[3], ("command", command)])
            .end()
            .await;
    }
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn a_tree_that_is_stopped_is_ended_all_the_same() {
    let command = "echo ready; sleep 300 & kill -STOP 0; wait";
    let timed =
        TestRun::of_command(&[("command", command), ("shell", "true"), ("timeout", "500ms")]);
    assert_eq!(timed.end().await, ended(RunOutcome::Failed, "signal: killed"));
    assert_eq!(timed.alive(), [""; 0]);
}

#[tokio::test]
async fn a_tree_that_goes_on_forking_is_ended() {
    let command = "while :; do (sleep 300 &) ; done";
    let run = TestRun::of_command(&[("command", command), ("shell", "true"), ("timeout", "300ms")]);
    assert_eq!(run.end().await, ended(RunOutcome::Failed, "signal: killed"));
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_command_that_does_not_read_its_payload_can_be_ended() {
    let payload = "AAAA".repeat(1 << 20);
    let keys = [("command", "echo ready; exec sleep 300"), ("shell", "true")];
    let run = TestRun::of_command(&[keys[0], keys[1], ("payload", &payload)]);
    let end = run.start();
    run.line("ready").await;

    run.context.cancel.cancel();

    let end = timeout(BOUND, end).await.unwrap().unwrap();
    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: signal: terminated"));
}

#[tokio::test]
async fn a_command_that_closes_its_output_is_waited_for() {
    let output = TestRun::shell("exec >&- 2>&-; sleep 0.3; exit 5").output().await;
    assert_output(&output, "exit status 5\n");
}

/// Goal: a cancellation at the moment of the end gives one of two ends, and leaves nothing.
/// Method: runs that count to twenty, each cancelled at another number.
#[tokio::test]
async fn a_cancellation_that_races_with_the_end_gives_one_of_both_and_leaves_nothing() {
    let count: String = (1..=20).map(|number| format!("echo at {number}.; ")).collect();
    let command = format!("sleep 300 >/dev/null & {count} kill -KILL $!; wait $!; exit 3");
    let runs = (1..=20).map(async |number| {
        let run = TestRun::shell(&command);
        let end = run.start();
        run.line(&format!("at {number}.")).await;
        run.context.cancel.cancel();
        let end = timeout(BOUND, end).await.unwrap().unwrap();
        match end.outcome {
            RunOutcome::Failed => assert_eq!(end, ended(RunOutcome::Failed, "exit status 3")),
            RunOutcome::Cancelled => {}
            RunOutcome::Succeeded => panic!("{end:?}"),
        }
        assert_eq!(run.alive(), [""; 0], "{number}: {end:?}");
    });
    futures_util::future::join_all(runs).await;
}

/// Goal: a node that can open no more files still ends its runs.
/// Method: a process of its own that opens all it may while the command runs.
#[tokio::test]
async fn a_timeout_ends_a_run_when_no_more_files_can_be_opened() {
    let test = "a_timeout_ends_a_run_when_no_more_files_can_be_opened";
    if !is_alone(module_path!(), test, "ulimit -n 64") {
        return;
    }
    let keys = [("command", "echo ready; sleep 300"), ("shell", "true"), ("timeout", "1s")];
    let run = TestRun::of_command(&keys);
    let end = run.start();
    run.line("ready").await;
    let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(hoard.len() > 10 && File::open("/dev/null").is_err(), "{}", hoard.len());

    let end = timeout(BOUND, end).await.expect("the run ends").unwrap();

    drop(hoard);
    assert_eq!(end, ended(RunOutcome::Failed, "signal: killed"));
    assert_eq!(run.alive(), [""; 0]);
}

/// Goal: a node that runs for years has no more files and children open than on its first day.
#[tokio::test]
async fn neither_files_nor_children_are_left_by_any_kind_of_end() {
    let test = "neither_files_nor_children_are_left_by_any_kind_of_end";
    if !is_alone(module_path!(), test, "") {
        return;
    }
    let one_of_each = async || {
        for keys in [
            &[("command", "echo a"), ("payload", "AAAA")][..],
            &[("command", "exit 3"), ("shell", "true"), ("mem_limit", "1GB")],
            &[("command", "no-such-program-here"), ("payload", "AAAA")],
            &[("command", "echo"), ("cwd", "/no/such")],
            &[("command", "/etc/passwd"), ("payload", "AAAA")],
            &[("command", "sleep 300"), ("timeout", "20ms"), ("payload", "AAAA")],
        ] {
            TestRun::of_command(keys).end().await;
        }
        let cancelled = TestRun::shell("echo ready; exec sleep 300");
        let end = cancelled.start();
        cancelled.line("ready").await;
        cancelled.context.cancel.cancel();
        end.await.unwrap();
        let dropped = TestRun::shell("echo ready; exec sleep 300");
        let end = dropped.start();
        dropped.line("ready").await;
        end.abort();
        assert!(end.await.unwrap_err().is_cancelled());
    };
    let count = |what: &str| fs::read_dir(what).unwrap().count();
    let children = || {
        let path = format!("/proc/self/task/{}/children", std::process::id());
        fs::read_to_string(path).map_or(0, |text| text.split_whitespace().count())
    };
    one_of_each().await;
    let before = count("/proc/self/fd");

    for _ in 0..5 {
        one_of_each().await;
    }

    // What was dropped is reaped in passing, when the runtime is told of the next child's end.
    let started = Instant::now();
    while count("/proc/self/fd") > before || children() > 1 {
        assert!(started.elapsed() < BOUND, "{} > {before}, {}", count("/proc/self/fd"), children());
        TestRun::shell("exit 0").end().await;
    }
}

#[tokio::test]
async fn a_real_command_sees_the_environment_without_dkrons_own_settings() {
    let test = "a_real_command_sees_the_environment_without_dkrons_own_settings";
    let setup = "export DKRON_ENCRYPT=secret DKRON_JOB=old OTHER=kept";
    if !is_alone(module_path!(), test, setup) {
        return;
    }
    let output = TestRun::of_command(&[("command", "env")]).output().await;
    let text = String::from_utf8(output.bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.contains(&"OTHER=kept") && lines.contains(&"DKRON_JOB=backup"), "{text}");
    assert!(!text.contains("secret") && !text.contains("DKRON_ENCRYPT"), "{text}");
}

#[tokio::test]
async fn what_no_process_can_be_given_is_a_failed_run_with_its_reason() {
    let check = async |key: &str, value: &str, want: &str| {
        let run = TestRun::of_command(&[("command", "/bin/echo x"), (key, value)]);
        let end = run.end().await;
        assert_eq!(end.outcome, RunOutcome::Failed, "{key} {end:?}");
        assert!(end.error.as_ref().is_some_and(|error| error.contains(want)), "{key} {end:?}");
        assert_output(&run.capture.finish(None), "");
    };

    check("env", "A=x\0y", "nul byte").await;
    check("env", "A\0=x", "nul byte").await;
    check("cwd", "/tmp\0", "chdir").await;
    check("su", "root\0", "unknown user").await;
    check("env", &format!("A={}", "x".repeat(200_000)), "argument list too long").await;
    let many: Vec<String> = (0..40).map(|n| format!("A{n}={}", "x".repeat(100_000))).collect();
    check("env", &many.join(","), "argument list too long").await;
}

/// Method: as root, again in a process that belongs to nobody.
#[tokio::test]
async fn who_is_not_root_cannot_become_another_user() {
    let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    if nix::unistd::geteuid().is_root() {
        let program = std::env::current_exe().unwrap();
        let mut tried = std::process::Command::new("setpriv");
        tried.args(as_nobody).arg(program).arg("--list");
        if tried.output().is_ok_and(|output| output.status.success()) {
            let test = "who_is_not_root_cannot_become_another_user";
            let setup = format!("setpriv {} \"$0\" \"$@\"; exit", as_nobody.join(" "));
            is_alone(module_path!(), test, &setup);
        } else {
            println!("skipped: su without root, nobody may not run this test");
        }
        return;
    }
    let run = TestRun::of_command(&[("command", "id"), ("shell", "true"), ("su", "root")]);
    assert_output(&run.output().await, "fork/exec /bin/sh: operation not permitted\n");
}

/// Goal: a directory on a disk that hangs takes no thread of the runtime with it.
/// Method: the kernel tells which thread started a process.
#[tokio::test]
async fn a_command_is_started_off_the_threads_of_the_runtime() {
    let run = TestRun::shell("echo pid $$; exec sleep 300");
    let end = run.start();
    let line = run.line("pid ").await;
    let pid = line.strip_prefix("pid ").unwrap();
    let children_of = |thread: &str| {
        let children = fs::read_to_string(format!("/proc/self/task/{thread}/children"));
        children.unwrap_or_default().split_whitespace().any(|child| child == pid)
    };
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let threads: Vec<String> =
        threads.map(|thread| thread.unwrap().file_name().into_string().unwrap()).collect();

    let parents = threads.iter().filter(|thread| children_of(thread));
    let is_here = children_of(&nix::unistd::gettid().to_string());

    // Where the kernel does not tell, nobody is a parent.
    assert!(parents.count() <= 1 && !is_here);
    run.context.cancel.cancel();
    assert_eq!(timeout(BOUND, end).await.unwrap().unwrap().outcome, RunOutcome::Cancelled);
}

#[tokio::test]
async fn a_program_with_a_slash_is_looked_for_in_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let tool = dir.path().join("tool");
    fs::write(&tool, "#!/bin/sh\necho here\n").unwrap();
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    let keys = [("command", "./tool"), ("cwd", dir.path().to_str().unwrap())];
    assert_output(&TestRun::of_command(&keys).output().await, "here\n");
}

/// Goal: the whole tree is told of a cancellation, not its first process alone.
#[tokio::test]
async fn a_cancellation_asks_grandchildren_too_before_it_kills() {
    let child = "trap \"echo bye; exit\" TERM; echo up; while :; do sleep 0.05; done";
    let run = TestRun::shell(&format!("trap : TERM; setsid sh -c '{child}' & wait; wait; exit 4"));
    let end = run.start();
    run.line("up").await;
    run.context.cancel.cancel();

    let end = timeout(BOUND, end).await.unwrap().unwrap();

    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: exit status 4"));
    let text = String::from_utf8(run.capture.finish(None).bytes).unwrap();
    assert!(text.contains("bye\n"), "{text}");
}
