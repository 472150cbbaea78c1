//! The output of an execution: stored, in parts, and live.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::Answer;
use dkron_e2e::stream::Stream;
use dkron_e2e::wait::wait_for;
use serde_json::json;

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

/// Begins a command in the shell and returns the path of its output.
fn begin(daemon: &Daemon, job: &str, command: &str) -> String {
    let body = json!({"name": job, "schedule": "@manually", "executor": "shell",
                      "executor_config": {"command": command, "shell": "true"}});
    let mut http = daemon.http();
    assert_eq!(http.post("/v1/jobs", body.to_string()).unwrap().status, 201);
    assert_eq!(http.post(&format!("/v1/jobs/{job}?async"), "").unwrap().status, 200);
    let list = http.get(&format!("/v1/jobs/{job}/executions")).unwrap().json();
    format!("/v1/jobs/{job}/executions/{}/output", list[0]["id"].as_str().unwrap())
}

/// Waits until the execution has ended and returns its whole output.
fn ended(daemon: &Daemon, path: &str) -> Answer {
    wait_for("its end", BOUND, || {
        let answer = daemon.http().get(path).unwrap();
        let is_over = answer.header("x-dkron-execution-state") != Some("running");
        is_over.then_some(answer)
    })
}

#[test]
fn the_output_of_an_ended_execution_is_plain_text_of_which_parts_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let path = begin(&daemon, "short", "printf 0123456789; exit 3");

    let whole = ended(&daemon, &path);
    assert_eq!((whole.status, whole.text().as_str()), (200, "exit status 3\n0123456789"));
    assert_eq!(whole.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("x-dkron-output-bytes-total"), Some("10"));
    assert_eq!(whole.header("x-dkron-execution-state"), Some("failed"));

    let mut http = daemon.http();
    let mut ask = |headers: &[(&str, &str)]| http.send("GET", &path, headers, b"").unwrap();
    let part = ask(&[("range", "bytes=14-16")]);
    assert_eq!((part.status, part.text().as_str()), (206, "012"));
    assert_eq!(part.header("content-range"), Some("bytes 14-16/24"));
    let last = ask(&[("range", "bytes=-2"), ("if-range", whole.header("etag").unwrap())]);
    assert_eq!((last.status, last.text().as_str()), (206, "89"));
    let behind = ask(&[("range", "bytes=24-")]);
    assert_eq!((behind.status, behind.header("content-range")), (416, Some("bytes */24")));
    let known = ask(&[("if-none-match", whole.header("etag").unwrap())]);
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn of_a_long_output_the_end_is_kept_and_a_header_tells_how_much_there_was() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let command = "head -c 300000 /dev/zero | tr '\\0' x; echo end";
    let path = begin(&daemon, "long", command);

    let whole = ended(&daemon, &path);

    assert_eq!((whole.body.len(), whole.body.ends_with(b"xend\n")), (256_000, true));
    assert_eq!(whole.header("x-dkron-output-bytes-total"), Some("300004"));
}

/// Goal: what a job writes is seen before it ends, and the answer ends with the job.
/// Method: a job that goes on only once the test has read its first line.
#[test]
fn the_output_of_a_running_job_arrives_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&directory.path().join("data"));
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let path = begin(&daemon, "talks", &format!("echo first; {wait}; echo second"));

    let mut live = Stream::open(daemon.address(), &path, &[], BOUND).unwrap();
    assert_eq!(live.read_until("first\n", BOUND), "first\n");
    assert_eq!(live.head.header("x-dkron-execution-state"), Some("running"));
    let so_far = daemon.http().get(&format!("{path}?follow=false")).unwrap();
    assert_eq!((so_far.status, so_far.text().as_str()), (200, "first\n"));
    assert_eq!(so_far.header("x-dkron-output-bytes-total"), Some("6"));
    std::fs::write(&gate, "").unwrap();

    assert_eq!(live.read_to_end(BOUND), "second\n");
    assert_eq!(ended(&daemon, &path).text(), "first\nsecond\n");
}

#[test]
fn an_output_that_nobody_reads_holds_up_neither_the_job_nor_others() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&directory.path().join("data"));
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let command = format!("{wait}; head -c 30000000 /dev/zero | tr '\\0' x; echo end");
    let path = begin(&daemon, "floods", &command);

    // It reads the head of the answer and no more.
    let idle = Stream::open(daemon.address(), &path, &[], BOUND).unwrap();
    std::fs::write(&gate, "").unwrap();

    let whole = wait_for("its end", BOUND, || {
        let answer = daemon.http().get(&format!("{path}?follow=false")).unwrap();
        (answer.header("x-dkron-execution-state") == Some("succeeded")).then_some(answer)
    });
    assert!(whole.body.ends_with(b"xend\n"));
    drop(idle);
}

#[test]
fn what_is_not_there_or_not_understood_is_refused_with_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let path = begin(&daemon, "short", "true");
    ended(&daemon, &path);
    for (path, status) in [
        ("/v1/jobs/short/executions/1-nobody/output", 404),
        ("/v1/jobs/short/executions/nonsense/output", 404),
        ("/v1/jobs/nobody/executions/1-n/output", 404),
        ("/v1/jobs/NO%20NAME/executions/1-n/output", 404),
        (&format!("{path}?follow=perhaps"), 400),
        (&format!("{path}?follow=true"), 200),
    ] {
        let answer = daemon.http().get(path).unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.body.is_empty(), status == 200, "{path}");
    }
}
