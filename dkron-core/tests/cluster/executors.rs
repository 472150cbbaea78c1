//! Commands, requests and functions as jobs of a node: what a run is told, and how it is cancelled.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dkron_core::{
    Cluster, ErrorKind, Execution, ExecutionId, ExecutionState, JobBuilder, RetryBackoff,
};

use crate::support::{BOUND, by_hand, config, in_memory, output, run, set, within};

/// A command that runs by hand, in a shell.
fn command(name: &str, command: &str) -> JobBuilder {
    by_hand(name).executor("shell", [("command", command), ("shell", "true")])
}

/// Two attempts, one right after the other.
fn twice(job: JobBuilder) -> JobBuilder {
    job.retries(1).retry_backoff(RetryBackoff::Fixed { delay: Duration::ZERO })
}

/// What a run of this execution must be told, under names written as `dashed`.
fn told(execution: &Execution, dashed: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    let all = [
        ("job", execution.job.to_string()),
        ("execution-id", execution.id.to_string()),
        ("fire-time", execution.fire_time.to_string()),
        ("attempt", execution.attempt.to_string()),
        ("token", execution.token.to_string()),
    ];
    all.into_iter().map(|(name, value)| (dashed(name), value)).collect()
}

/// Returns the living processes of an execution.
fn processes(id: &ExecutionId) -> Vec<i32> {
    let mark = format!("DKRON_EXECUTION_ID={id}");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    })
    .collect()
}

/// Waits until the one run of this node has written `text`.
async fn wrote(cluster: &Cluster, text: &str) {
    let has_written = async {
        loop {
            let running = cluster.running(4_096).unwrap();
            let is_there = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
            if running.iter().any(|running| is_there(&running.output.bytes)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(text, has_written).await;
}

#[tokio::test]
async fn a_command_is_told_which_attempt_of_which_fire_it_is() {
    let cluster = in_memory("executors-environment").await;
    set(&cluster, twice(command("told", "env | grep ^DKRON_; exit 1"))).await;

    let executions = run(&cluster, "told").await;

    assert_eq!(executions.len(), 2);
    for execution in &executions {
        let text = output(&cluster, execution);
        let mut seen: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert!(seen.remove("DKRON_RUN").is_some(), "{text}");
        let name = |dashed: &str| format!("DKRON_{}", dashed.to_uppercase().replace('-', "_"));
        assert_eq!(seen, told(execution, name));
    }
    assert!(executions[0].token < executions[1].token);
    cluster.shutdown().await.unwrap();
}

/// Goal: what a command leaves running holds neither the node's data nor its sockets.
/// Method: what is open in a shell of this program, and in one of a node with its data on disk.
#[tokio::test]
async fn a_command_inherits_none_of_the_nodes_files() {
    const LIST: &str = "ls /proc/$$/fd; :";
    let mut plain = std::process::Command::new("/bin/sh");
    let plain = plain.args(["-c", LIST]).stdin(Stdio::null()).output().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = config("executors-files").data_dir(folder.path());
    let cluster = Cluster::start(settings).await.unwrap();
    set(&cluster, command("files", LIST)).await;

    let executions = run(&cluster, "files").await;

    let open = output(&cluster, &executions[0]);
    assert_eq!(open, String::from_utf8(plain.stdout).unwrap());
    assert!(open.lines().count() >= 3, "{open}");
    cluster.shutdown().await.unwrap();
}

/// Reads the head of a request.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of a request");
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_request_tells_which_attempt_of_which_fire_it_is() {
    let cluster = in_memory("executors-headers").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let heads = (0..2).map(|_| {
            let (mut stream, _) = listener.accept().unwrap();
            let head = head(&mut stream);
            stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").unwrap();
            head
        });
        heads.collect::<Vec<_>>()
    });
    let keys = [("url", url.as_str()), ("method", "GET"), ("expectCode", "200")];
    set(&cluster, twice(by_hand("told").executor("http", keys))).await;

    let executions = run(&cluster, "told").await;

    for (execution, head) in executions.iter().zip(server.join().unwrap()) {
        let seen: BTreeMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .filter(|(name, _)| name.starts_with("x-dkron-"))
            .collect();
        assert_eq!(seen, told(execution, |name| format!("x-dkron-{name}")));
    }
    assert_eq!(executions.len(), 2);
    cluster.shutdown().await.unwrap();
}

/// Goal: `cancelled` means gone.
/// Method: a grandchild in a session of its own that takes a second to end, after its parent has.
#[tokio::test]
async fn a_command_is_called_cancelled_only_when_its_whole_tree_is_gone() {
    let cluster = in_memory("executors-tree").await;
    let slow = "trap 'sleep 1; exit' TERM; echo up; while :; do sleep 0.05; done";
    set(&cluster, command("tree", &format!("setsid sh -c \"{slow}\" & wait"))).await;
    let under_way = cluster.run("tree").await.unwrap();
    let id = under_way.receipt().executions[0].clone();
    wrote(&cluster, "up").await;
    let before = processes(&id).len();

    let cancelling = tokio::spawn({
        let (cluster, id) = (cluster.clone(), id.clone());
        async move { cluster.cancel("tree", &id, BOUND).await }
    });
    let watched = async {
        let mut was_seen_ending = false;
        loop {
            let execution = cluster.execution("tree", &id).unwrap().unwrap();
            let left = processes(&id);
            if execution.state.is_final() {
                return (execution.state, left, was_seen_ending);
            }
            was_seen_ending |= execution.is_cancel_requested && left.len() < before;
            tokio::task::yield_now().await;
        }
    };
    let (state, left, was_seen_ending) = within("the end of the tree", watched).await;

    assert!(before >= 2, "{before}");
    assert_eq!((state, left), (ExecutionState::Cancelled, vec![]));
    assert!(was_seen_ending, "it still runs while the grandchild does");
    assert_eq!(cancelling.await.unwrap().unwrap().state, ExecutionState::Cancelled);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_request_is_abandoned_and_its_connection_closed() {
    let cluster = in_memory("executors-request").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (asked, is_asked) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        head(&mut stream);
        asked.send(()).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        // Nothing comes any more: it is closed, in order or not.
        matches!(stream.read(&mut [0]), Ok(0) | Err(_))
    });
    let keys = [("url", url.as_str()), ("method", "GET"), ("timeout", "600")];
    set(&cluster, by_hand("ask").executor("http", keys)).await;
    let under_way = cluster.run("ask").await.unwrap();
    let id = under_way.receipt().executions[0].clone();
    is_asked.recv_timeout(BOUND).unwrap();

    let cancelled = cluster.cancel("ask", &id, BOUND).await.unwrap();

    assert_eq!(cancelled.state, ExecutionState::Cancelled);
    assert_eq!(output(&cluster, &cancelled), "cancelled: request abandoned\n");
    assert!(server.join().unwrap());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_blocking_handler_is_called_cancelled_only_when_it_has_returned() {
    let cluster = in_memory("executors-blocking").await;
    let (open, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    cluster
        .handle_blocking("slow", move |context| {
            context.write("up");
            gate.lock().unwrap().recv_timeout(BOUND).unwrap();
            if context.is_cancelled() { Err("as you wish".to_owned()) } else { Ok(String::new()) }
        })
        .unwrap();
    set(&cluster, by_hand("slow")).await;
    let under_way = cluster.run("slow").await.unwrap();
    let id = under_way.receipt().executions[0].clone();
    wrote(&cluster, "up").await;

    let refused = cluster.cancel("slow", &id, Duration::from_millis(100)).await.err().unwrap();
    let meanwhile = cluster.execution("slow", &id).unwrap().unwrap();
    open.send(()).unwrap();
    let executions = within("the end", under_way.wait()).await.unwrap();

    assert_eq!(refused.kind(), ErrorKind::DeadlineExceeded, "{}", refused.report());
    assert_eq!(meanwhile.state, ExecutionState::Running);
    assert_eq!(executions[0].state, ExecutionState::Cancelled);
    assert_eq!(output(&cluster, &executions[0]), "cancelled: as you wish\nup");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_more_commands_than_may_run_at_once_the_rest_wait_and_are_counted() {
    let config = config("executors-places").in_memory().shell_runs(1);
    let cluster = Cluster::start(config).await.unwrap();
    set(&cluster, command("held", "exec sleep 600")).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(cluster.run("held").await.unwrap());
    }
    let counts = || {
        let health = cluster.health();
        (health.running, health.waiting)
    };
    within("one run and two that wait", async {
        while counts() != (1, 2) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(cluster.running(0).unwrap().len(), 1);

    // The last first: it ends without having had a place.
    for (run, left) in runs.iter().rev().zip([(1, 1), (1, 0), (0, 0)]) {
        let ended = cluster.cancel("held", &run.receipt().executions[0], BOUND).await.unwrap();
        assert_eq!(ended.state, ExecutionState::Cancelled);
        assert_eq!(counts(), left);
    }
    cluster.shutdown().await.unwrap();
}
