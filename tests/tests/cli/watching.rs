//! Executions and the status of a node.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use serde_json::Value;

use crate::kit::{by_hand, command, create, dkron};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

/// A command that goes on, ended with the value.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(daemon: &Daemon, args: &[&str]) -> Self {
        let mut child = command(daemon).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(BOUND).expect("a further line")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn executions_are_shown_the_newest_first_and_no_more_than_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("a", "echo hello; echo there"));
    assert_eq!(dkron(&daemon, &["executions", "a"]).done(), "no executions\n");
    for _ in 0..3 {
        dkron(&daemon, &["job", "run", "a"]).done();
    }

    let table = dkron(&daemon, &["executions", "a", "-n", "2"]).done();
    let all = dkron(&daemon, &["executions", "a", "-o", "json"]).json();
    let with_output = dkron(&daemon, &["executions", "a", "--with-output", "-n1"]).done();

    let ids: Vec<&str> =
        all.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("STARTED "), "{table}");
    assert_eq!(rows.len(), 3, "{table}");
    assert!(rows[1].ends_with(ids[0]) && rows[2].ends_with(ids[1]), "{table}");
    assert!(with_output.ends_with("\n    hello\n    there\n"), "{with_output}");
    dkron(&daemon, &["executions", "none"]).refused(&["there is no job \"none\""]);
}

#[test]
fn a_job_is_followed_from_the_start_of_a_run_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let gate = folder.path().join("gate");
    let waits = format!("until [ -e {} ]; do sleep 0.05; done; echo over", gate.display());
    create(&daemon, &by_hand("a", &waits));
    let follow = Running::start(&daemon, &["executions", "a", "--follow", "-o", "json"]);
    let started = dkron(&daemon, &["job", "run", "a", "--no-wait"]).done();

    let running: Value = serde_json::from_str(&follow.line()).unwrap();
    std::fs::write(&gate, "").unwrap();
    let over: Value = serde_json::from_str(&follow.line()).unwrap();

    assert_eq!(started, "job \"a\" started\n");
    assert_eq!(running["finished_at"], "0001-01-01T00:00:00Z");
    assert_eq!((&over["id"], &over["success"]), (&running["id"], &Value::Bool(true)));
}

#[test]
fn the_status_of_a_node_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    create(&daemon, &by_hand("a", "true"));
    daemon.http().post("/v1/pause", "").unwrap();

    let text = dkron(&daemon, &["status"]).done();
    let status = dkron(&daemon, &["status", "-o", "json"]).json();

    for part in [
        "Node     e2e (version ",
        "Leader   e2e\n",
        "Writes   accepted\n",
        "Jobs     1, submissions are paused\n",
        "Running  0, 0 waiting for a place\n",
        "\ne2e ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert_eq!(status["url"], format!("http://{}", daemon.address()));
    assert_eq!((&status["ready"], &status["leader"]), (&Value::Bool(true), &"e2e".into()));
    assert_eq!(status["members"][0]["Name"], "e2e");
}
