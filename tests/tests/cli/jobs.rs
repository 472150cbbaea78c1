//! Jobs are listed, shown, run, disabled and deleted.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use dkron_e2e::daemon::Daemon;
use dkron_e2e::launch::binary;
use serde_json::json;

use crate::kit::{by_hand, command, create, dkron, job, run};

#[test]
fn jobs_are_listed_as_a_table_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    assert_eq!(dkron(&daemon, &["job", "list"]).done(), "no jobs\n");
    create(&daemon, &by_hand("b", "true"));
    create(
        &daemon,
        &json!({"name": "a", "parent_job": "b", "disabled": true,
                            "metadata": {"team": "x"}}),
    );

    let table = dkron(&daemon, &["job", "list"]).done();
    let filtered = dkron(&daemon, &["job", "list", "--metadata", "team=x"]).done();
    let limited = dkron(&daemon, &["job", "list", "--limit", "1", "--desc"]);
    let listed = dkron(&daemon, &["job", "list", "-o", "json"]).json();

    assert_eq!(
        table,
        "NAME  SCHEDULE   STATE     LAST RUN  OK  FAILED  NEXT FIRE\n\
         a     after b    disabled  -         0   0       -\n\
         b     @manually  enabled   -         0   0       -\n"
    );
    assert_eq!(filtered.lines().count(), 2, "{filtered}");
    assert!(limited.out.contains("\nb "), "{limited:?}");
    assert_eq!(limited.err, "1 of 2 jobs\n");
    assert_eq!(listed, daemon.http().get("/v1/jobs").unwrap().json());
}

#[test]
fn a_job_is_shown_without_what_is_empty_or_as_the_api_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("a", "echo 1"));

    let text = dkron(&daemon, &["job", "show", "a"]).done();
    let shown = dkron(&daemon, &["job", "show", "a", "-ojson"]).json();

    assert!(text.contains("\nexecutor_config:\n  command: echo 1\n"), "{text}");
    assert!(!text.contains("parent_job"), "{text}");
    assert_eq!(Some(shown), job(&daemon, "a"));
    dkron(&daemon, &["job", "show", "no/such"]).refused(&["there is no job \"no/such\""]);
    dkron(&daemon, &["job", "show", "b", "-o", "json"]).refused(&["there is no job \"b\""]);
}

#[test]
fn a_run_is_waited_for_and_its_outcome_is_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("good", "echo hello"));
    create(&daemon, &by_hand("bad", "echo broken; exit 3"));

    let good = dkron(&daemon, &["job", "run", "good", "--with-output"]).done();
    let again = dkron(&daemon, &["job", "run", "good", "-o", "json"]).json();
    let bad = dkron(&daemon, &["job", "run", "bad"]).refused(&["job \"bad\" did not succeed"]);

    assert!(good.contains("  success  ") && good.ends_with("\n    hello\n"), "{good}");
    assert_eq!(again.as_array().unwrap().len(), 1, "the earlier run is not this one's: {again}");
    assert!(bad.contains("  failed "), "{bad}");
    dkron(&daemon, &["job", "pause", "good"]).done();
    dkron(&daemon, &["job", "run", "good"]).refused(&["run job \"good\"", "job resume good"]);
    dkron(&daemon, &["job", "run", "none"]).refused(&["there is no job \"none\""]);
}

#[test]
fn to_pause_a_job_is_to_disable_it_whatever_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("a", "true"));
    let is_disabled = || job(&daemon, "a").unwrap()["disabled"] == true;

    for (words, want) in [
        ("pause", true),
        ("pause", true),
        ("toggle", false),
        ("resume", false),
        ("toggle", true),
        ("resume", false),
    ] {
        let said = dkron(&daemon, &["job", words, "a"]).done();
        let state = if want { "disabled" } else { "enabled" };
        assert_eq!((said, is_disabled()), (format!("job \"a\" {state}\n"), want), "{words}");
    }
    let paused = daemon.http().get("/v1/pause").unwrap().json();
    assert_eq!(paused["paused"], false, "the node takes jobs all the while");
}

#[test]
fn a_parent_is_not_deleted_before_its_children_and_why_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("parent", "true"));
    create(&daemon, &json!({"name": "child", "parent_job": "parent"}));

    let refused = dkron(&daemon, &["job", "delete", "parent", "none"]);
    refused.refused(&["\"child\" depends on it", "there is no job \"none\""]);
    let deleted = dkron(&daemon, &["job", "delete", "child", "parent"]).done();

    assert_eq!(deleted, "job \"child\" deleted\njob \"parent\" deleted\n");
    assert_eq!((job(&daemon, "child"), job(&daemon, "parent")), (None, None));
}

#[test]
fn a_node_that_is_not_there_or_is_no_dkron_is_told_with_its_address() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = silent.local_addr().unwrap();
    drop(silent);
    let dkron = |args: &[&str]| run(Command::new(binary()).args(args), "");

    dkron(&["job", "list", "--http-addr", &closed.to_string()]).refused(&[
        "list jobs: connect to",
        &closed.to_string(),
        "connection refused",
        "--http-addr or DKRON_HTTP_ADDR",
    ]);
    dkron(&["status", "--http-addr", "https://n1"]).refused(&["https is not spoken"]);

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = other.accept().unwrap();
        let _ = stream.read(&mut [0; 4_096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    });
    dkron(&["job", "list", "--http-addr", &address]).refused(&["not an answer of Dkron's API"]);
    server.join().unwrap();
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("a", "true"));
    for args in [
        &["job", "list"][..],
        &["job", "list", "-ojson"],
        &["job", "show", "a"],
        &["executions", "a"],
        &["executions", "a", "--follow"],
        &["status"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(&daemon);
        let child = command.args(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        // The parent's end of the pipe.
        drop(command);
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{args:?}");
    }
}
