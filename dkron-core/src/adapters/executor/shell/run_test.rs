//! Real processes: what a command sees, what is kept of it, and how its whole tree ends.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::ShellExecutor;
use crate::adapters::executor::kit_test::{TestRun, assert_output, ended, resident_bytes};
use crate::ports::{ExecutorPort, RunOutcome};

impl TestRun {
    pub(super) fn of_command(keys: &[(&str, &str)]) -> Self {
        Self::new(Arc::new(ShellExecutor::new()), keys)
    }

    pub(super) fn shell(command: &str) -> Self {
        Self::of_command(&[("command", command), ("shell", "true")])
    }

    /// Returns the processes of this run that are alive.
    pub(super) fn alive(&self) -> Vec<String> {
        let marker = format!("DKRON_EXECUTION_ID={}", self.context.execution);
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .filter(|name| name.parse::<i32>().is_ok())
                .map(str::to_owned)
        });
        pids.filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == marker.as_bytes())
        })
        .collect()
    }
}

async fn check(keys: &[(&str, &str)], want: &str) {
    assert_output(&TestRun::of_command(keys).output().await, want);
}

async fn check_shell(command: &str, want: &str) {
    check(&[("command", command), ("shell", "true")], want).await;
}

#[tokio::test]
async fn a_command_without_a_shell_gets_its_words_as_they_stand() {
    check(&[("command", "printf '[%s]' 'a b' \"c d\" e\\ f")], "[a b][c d][e f]").await;
    check(&[("command", "echo $HOME /et*")], "$HOME /et*\n").await;
    check(&[("command", "echo $HOME"), ("shell", "yes")], "$HOME\n").await;
    check(&[("command", "printf 'äöü 日本 🎉\\n'")], "äöü 日本 🎉\n").await;
}

#[tokio::test]
async fn a_shell_interprets_the_command() {
    check_shell("echo x | cat; for i in 1 2\ndo\n  echo $i\ndone", "x\n1\n2\n").await;
    check_shell("cat <<X\na\n  b\nX\n", "a\n  b\n").await;
    check_shell("", "").await;
}

#[tokio::test]
async fn what_cannot_be_split_or_started_fails_with_its_reason() {
    check(&[], "shell: Command missing\n").await;
    check(&[("command", "echo 'a")], "invalid command line string\n").await;
    check(&[("command", "echo (a)")], "invalid command line string\n").await;
    check(
        &[("command", "echo x | cat")],
        "unquoted \"|\" at byte 7 of the command needs a shell: set shell: \"true\", or quote it\n",
    )
    .await;
    check(
        &[("command", "no-such-program-here")],
        "exec: \"no-such-program-here\": executable file not found in $PATH\n",
    )
    .await;
    check(&[("command", "/no/such -x")], "fork/exec /no/such: no such file or directory\n").await;
    check(&[("command", "/etc/passwd")], "fork/exec /etc/passwd: permission denied\n").await;
    let long = "x".repeat(200_000);
    check(
        &[("command", &format!("/bin/echo {long}"))],
        "fork/exec /bin/echo: argument list too long\n",
    )
    .await;
    let error = TestRun::of_command(&[("command", "echo a\0b")]).end().await;
    assert_eq!(error.outcome, RunOutcome::Failed, "{error:?}");
}

#[tokio::test]
async fn exit_status_and_signal_stand_before_the_output() {
    check(&[("command", "false")], "exit status 1\n").await;
    check_shell("echo out; exit 3", "exit status 3\nout\n").await;
    check_shell("echo out; kill -KILL $$", "signal: killed\nout\n").await;
    check_shell("kill -TERM $$", "signal: terminated\n").await;
}

#[tokio::test]
async fn both_streams_arrive_in_the_order_in_which_they_were_written() {
    let command = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done";
    let want: String = (1..=9).map(|i| format!("out{i}\nerr{i}\n")).collect();
    check_shell(command, &want).await;
}

#[tokio::test]
async fn bytes_of_any_value_are_kept() {
    let output = TestRun::shell("printf 'a\\000\\377\\r\\nb'").output().await;
    assert_eq!(output.bytes, b"a\0\xff\r\nb");
}

#[tokio::test]
async fn output_is_seen_while_the_command_runs() {
    let run = TestRun::shell("echo early; read gate; echo late");
    let mut context = run.context.clone();
    let dir = tempfile::tempdir().unwrap();
    let gate = dir.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let command = format!("echo early; read x <{}; echo late", gate.display());
    let mut config = (*context.config).clone();
    config.insert("command".into(), command);
    context.config = config.into();
    let open = async {
        run.line("early").await;
        tokio::fs::write(&gate, "go\n").await.unwrap();
    };

    let (end, ()) = tokio::join!(ShellExecutor::new().run(context), open);

    assert_eq!(end, ended(RunOutcome::Succeeded, ""));
    assert_output(&run.capture.finish(None), "early\nlate\n");
}

#[tokio::test]
async fn the_run_is_told_who_it_is() {
    let run = TestRun::shell(
        "echo $ENV_JOB_NAME $DKRON_JOB $DKRON_EXECUTION_ID $DKRON_FIRE_TIME $DKRON_ATTEMPT \
         $DKRON_TOKEN",
    );
    let want = format!("backup backup {} 2026-03-01T04:05:06Z 2 77\n", run.context.execution);
    assert_output(&run.output().await, &want);
}

/// Goal: jobs that are due at one instant have one execution id, and are still told apart.
#[tokio::test]
async fn ending_a_run_leaves_another_of_the_same_execution_id_alone() {
    let mut other = TestRun::shell("echo up; sleep 0.3; echo done");
    let mut ended = TestRun::shell("sleep 60");
    ended.context.execution = other.context.execution.clone();
    (ended.context.token, other.context.token) = (78, 79);
    ended.context.instance = other.context.instance;
    let cancel = async {
        other.line("up").await;
        ended.context.cancel.cancel();
    };

    let (ended, other, ()) = tokio::join!(ended.end(), other.end(), cancel);

    assert_eq!(ended.outcome, RunOutcome::Cancelled);
    assert_eq!(other.outcome, RunOutcome::Succeeded);
}

#[tokio::test]
async fn env_is_added_and_wins_over_what_is_inherited() {
    let keys = [
        ("command", "echo $A/$B/$ENV_JOB_NAME/$PATH"),
        ("shell", "true"),
        ("env", "A=1,B=x=y,ENV_JOB_NAME=mine"),
    ];
    let path = std::env::var("PATH").unwrap();
    check(&keys, &format!("1/x=y/mine/{path}\n")).await;
}

#[test]
fn dkrons_own_variables_do_not_reach_the_command() {
    let inherited = [
        ("PATH", "/bin"),
        ("DKRON_ENCRYPT", "secret"),
        ("DKRON_PLUGIN_MAGIC_COOKIE", "b29a"),
        ("DKRON_TOKEN", "old"),
        ("XDKRON_", "kept"),
    ];
    let inherited = inherited.map(|(name, value)| (name.into(), value.into()));
    let run = TestRun::shell("");

    let got = super::environment::variables(inherited, &run.context, &[]);

    let names: Vec<_> = got.iter().map(|(name, _)| name.to_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "PATH",
            "XDKRON_",
            "ENV_JOB_NAME",
            "DKRON_JOB",
            "DKRON_EXECUTION_ID",
            "DKRON_FIRE_TIME",
            "DKRON_ATTEMPT",
            "DKRON_TOKEN",
            "DKRON_RUN",
        ]
    );
    let value = |name: &str| got.iter().find(|(have, _)| have == name).unwrap().1.clone();
    assert_eq!(value("DKRON_TOKEN"), "77");
    assert_eq!(*value("DKRON_RUN"), *format!("{:016x}-77", run.context.instance));
}

#[tokio::test]
async fn a_command_runs_in_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().canonicalize().unwrap();
    let cwd = cwd.to_str().unwrap();
    check(&[("command", "pwd"), ("cwd", cwd)], &format!("{cwd}\n")).await;
    fs::write(dir.path().join("file"), "").unwrap();

    for (below, reason) in [("none", "no such file or directory"), ("file", "not a directory")] {
        let cwd = format!("{cwd}/{below}");
        let error = TestRun::shell("pwd").end().await;
        assert_eq!(error.outcome, RunOutcome::Succeeded);
        check(
            &[("command", "pwd"), ("shell", "true"), ("cwd", &cwd)],
            &format!("fork/exec /bin/sh: chdir {cwd}: {reason}\n"),
        )
        .await;
    }
}

#[tokio::test]
async fn su_sets_user_and_group_and_drops_the_others() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: su as root, this is not root");
        return;
    }
    let nogroup = fs::read_to_string("/etc/group").unwrap().contains("\nnogroup:");
    let group = if nogroup { "nogroup" } else { "nobody" };
    check(&[("command", "id -un"), ("su", "nobody")], "nobody\n").await;
    check_su("nobody", &format!("nobody {group} {group}\n")).await;
    check_su("nobody:daemon", "nobody daemon daemon\n").await;
}

async fn check_su(su: &str, want: &str) {
    let command = "echo $(id -un) $(id -gn) $(id -Gn)";
    check(&[("command", command), ("shell", "true"), ("su", su)], want).await;
}

#[tokio::test]
async fn su_to_nobody_known_fails_before_anything_starts() {
    check(&[("command", "id"), ("su", "no-such-user-x")], "user: unknown user no-such-user-x\n")
        .await;
    check(
        &[("command", "id"), ("su", "root:no-such-group-x")],
        "group: unknown group no-such-group-x\n",
    )
    .await;
}

#[tokio::test]
async fn a_payload_of_any_size_reaches_the_command() {
    check(&[("command", "cat"), ("payload", "aGVsbG8K")], "hello\n").await;
    let megabytes = "AAAA".repeat(3 << 20);
    check(&[("command", "wc -c"), ("payload", &megabytes)], &format!("{}\n", 9 << 20)).await;
    check(&[("command", "cat"), ("payload", "%%%")], "illegal base64 data at input byte 0\n").await;
}

#[tokio::test]
async fn a_payload_need_not_be_read() {
    let megabytes = "AAAA".repeat(1 << 20);
    check(&[("command", "echo done"), ("payload", &megabytes)], "done\n").await;
    check(&[("command", "head -c 3"), ("payload", &megabytes)], "\0\0\0").await;
    check_shell_with_payload("exec 0<&-; echo closed", &megabytes, "closed\n").await;
}

async fn check_shell_with_payload(command: &str, payload: &str, want: &str) {
    check(&[("command", command), ("shell", "true"), ("payload", payload)], want).await;
}

#[tokio::test]
async fn without_a_payload_the_input_is_empty() {
    check(&[("command", "cat")], "").await;
}

#[tokio::test]
async fn a_command_over_its_timeout_is_killed_and_keeps_its_output() {
    let keys = [("command", "echo before; sleep 300"), ("shell", "true"), ("timeout", "1s")];
    let run = TestRun::of_command(&keys);
    let started = Instant::now();

    let end = run.end().await;

    assert_eq!(end, ended(RunOutcome::Failed, "signal: killed"));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_output(
        &run.capture.finish(end.error.as_deref()),
        "signal: killed\nbefore\nshell: Job 'echo before; sleep 300' execution time exceeding \
         defined timeout 1s. Job was killed",
    );
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn the_jobs_own_timeout_kills_too_and_the_earlier_counts() {
    let mut run = TestRun::of_command(&[("command", "sleep 300"), ("timeout", "10m")]);
    run.context.timeout = Some(Duration::from_millis(300));
    assert_output(
        &run.output().await,
        "signal: killed\nshell: Job 'sleep 300' execution time exceeding the job's timeout 300ms. \
         Job was killed",
    );

    let mut run = TestRun::of_command(&[("command", "sleep 300"), ("timeout", "300ms")]);
    run.context.timeout = Some(Duration::from_secs(600));
    assert_output(
        &run.output().await,
        "signal: killed\nshell: Job 'sleep 300' execution time exceeding defined timeout 300ms. \
         Job was killed",
    );
}

#[tokio::test]
async fn a_bad_bound_fails_before_anything_starts() {
    check(
        &[("command", "echo x"), ("timeout", "soon")],
        "shell: Error parsing job timeout value: time: invalid duration \"soon\"\n",
    )
    .await;
    check(
        &[("command", "echo x"), ("mem_limit", "lots")],
        "shell: Error parsing job memory limit value: invalid memory limit format: LOTS\n",
    )
    .await;
}

#[tokio::test]
async fn a_tree_over_its_memory_limit_is_killed_without_a_timeout() {
    let command = "head -c 80000000 /dev/zero | tail -c 79999999 | sleep 300";
    let run =
        TestRun::of_command(&[("command", command), ("shell", "true"), ("mem_limit", "20MB")]);

    let end = run.end().await;

    assert_eq!(end, ended(RunOutcome::Failed, "signal: killed"));
    let output = run.capture.finish(None);
    let text = String::from_utf8(output.bytes).unwrap();
    let start = format!("shell: Job '{command}' memory usage (");
    assert!(text.starts_with(&start), "{text}");
    assert!(text.ends_with(" bytes) exceeding defined limit (20971520 bytes). Job was killed"));
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_tree_within_its_memory_limit_is_left_alone() {
    let keys = [("command", "sleep 0.6; echo fine"), ("shell", "true"), ("mem_limit", "1GB")];
    check(&keys, "fine\n").await;
}

/// A tree that tries to get away: a child in the group, one in a session of its own, and one whose
/// parents are gone; the last two ignore gentle signals.
const FUGITIVES: &str = "sleep 300 & \
     setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 300; done' & \
     setsid sh -c 'trap \"\" TERM; (while :; do sleep 300; done) & echo orphaned' & \
     wait %3; echo ready; wait";

#[tokio::test]
async fn a_timeout_ends_the_whole_tree_even_across_sessions() {
    let run = TestRun::of_command(&[("command", FUGITIVES), ("shell", "true"), ("timeout", "2s")]);

    let (end, _) = tokio::join!(run.end(), async {
        run.line("orphaned").await;
        assert!(run.alive().len() >= 5, "{:?}", run.alive());
    });

    assert_eq!(end, ended(RunOutcome::Failed, "signal: killed"));
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_cancelled_run_may_end_gently() {
    let run =
        TestRun::shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");

    let started = Instant::now();
    let (end, ()) = tokio::join!(run.end(), async {
        run.line("ready").await;
        run.context.cancel.cancel();
    });

    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: exit status 0"));
    // Between them the shell may say that the signal ended its child too.
    let text = String::from_utf8(run.capture.finish(None).bytes).unwrap();
    assert!(text.starts_with("ready\n") && text.ends_with("bye\n"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_cancelled_run_that_ignores_it_is_killed_after_the_grace_with_all_its_tree() {
    let run = TestRun::shell(&format!("trap '' TERM; {FUGITIVES}"));

    let (end, started) = tokio::join!(run.end(), async {
        run.line("orphaned").await;
        run.context.cancel.cancel();
        Instant::now()
    });

    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: signal: killed"));
    assert!(started.elapsed() >= Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_run_cancelled_before_its_start_never_starts() {
    let run = TestRun::shell("echo started");
    run.context.cancel.cancel();

    assert_eq!(run.end().await, ended(RunOutcome::Cancelled, "cancelled: before it started"));
    assert_output(&run.capture.finish(None), "");
}

#[tokio::test]
async fn a_background_child_that_holds_the_output_keeps_the_run_open() {
    check_shell("(sleep 1; echo late) & echo early", "early\nlate\n").await;
}

#[tokio::test]
async fn a_background_child_that_holds_the_output_does_not_outlive_a_timeout() {
    let keys = [("command", "sleep 300 & echo early"), ("shell", "true"), ("timeout", "500ms")];
    let run = TestRun::of_command(&keys);
    assert_eq!(run.end().await, ended(RunOutcome::Failed, "signal: killed"));
    assert_eq!(run.alive(), [""; 0]);
}

#[tokio::test]
async fn a_background_child_with_an_output_of_its_own_is_left_alone() {
    let run = TestRun::shell("sleep 300 >/dev/null 2>&1 & echo $!");

    let output = run.output().await;

    let pid: i32 = String::from_utf8(output.bytes).unwrap().trim().parse().unwrap();
    assert_eq!(run.alive(), [pid.to_string()]);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_run_that_nobody_watches_any_more_does_not_go_on() {
    let run = TestRun::shell("echo ready; sleep 300");

    tokio::select! {
        end = run.end() => panic!("{end:?}"),
        _ = run.line("ready") => {}
    }

    let gone = async {
        while !run.alive().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("the group is killed");
}

#[tokio::test]
async fn no_zombie_is_left() {
    let run = TestRun::shell("echo $$; exit 7");
    let output = run.output().await;
    let text = String::from_utf8(output.bytes).unwrap();
    let pid = text.strip_prefix("exit status 7\n").unwrap().trim();
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
}

#[tokio::test]
async fn a_broken_pipe_ends_a_producer_quietly() {
    check_shell("yes | head -n 1", "y\n").await;
}

/// Goal: memory does not follow the output.
/// Method: `DKRON_TEST_OUTPUT_MIB` (256) of output; the memory of this process before and after.
#[tokio::test]
async fn a_flood_of_output_runs_in_flat_memory_and_keeps_its_end() {
    let mebibytes: u64 =
        std::env::var("DKRON_TEST_OUTPUT_MIB").map_or(256, |text| text.parse().unwrap());
    let run = TestRun::shell(&format!("head -c {} /dev/zero; echo end; exit 4", mebibytes << 20));
    let before = resident_bytes();

    let end = run.end().await;

    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {grown} bytes");
    let output = run.capture.finish(end.error.as_deref());
    assert!(output.bytes.starts_with(b"exit status 4\n\0") && output.bytes.ends_with(b"\0end\n"));
    assert_eq!(output.bytes.len(), 256_000);
    assert_eq!(output.bytes_total, (mebibytes << 20) + 4);
}
