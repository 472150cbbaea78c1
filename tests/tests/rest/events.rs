//! Server-sent events over real connections.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::stream::Stream;
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

/// What a client hears.
struct Listener {
    stream: Stream,
    /// The id of the last block that had one.
    last_id: String,
}

/// An event.
#[derive(Debug)]
struct Event {
    kind: String,
    data: Value,
}

impl Listener {
    fn open(daemon: &Daemon, query: &str, last_id: Option<&str>) -> Self {
        let headers: Vec<(&str, &str)> =
            last_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let path = format!("/v1/events{query}");
        let stream = Stream::open(daemon.address(), &path, &headers, BOUND).unwrap();
        assert_eq!(stream.head.status, 200);
        assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
        let mut listener = Self { stream, last_id: String::new() };
        if last_id.is_none() {
            // Its position: what happens from here on is told.
            assert!(listener.block().is_none());
        }
        listener
    }

    /// Reads the next block; `None` if it is no event.
    fn block(&mut self) -> Option<Event> {
        let block = self.stream.read_until("\n\n", BOUND);
        let field = |name: &str| {
            let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned)
        };
        if let Some(id) = field("id") {
            self.last_id = id;
        }
        let data = serde_json::from_str(&field("data")?).unwrap();
        Some(Event { kind: field("event").unwrap(), data })
    }

    /// Reads on until an event of a kind, and returns it.
    fn next(&mut self, kind: &str) -> Event {
        loop {
            if let Some(event) = self.block().filter(|event| event.kind == kind) {
                return event;
            }
        }
    }
}

fn write(daemon: &Daemon, name: &str, command: &str) {
    let body = json!({"name": name, "schedule": "@manually", "executor": "shell",
                      "executor_config": {"command": command, "shell": "true"}});
    assert_eq!(daemon.http().post("/v1/jobs", body.to_string()).unwrap().status, 201);
}

#[test]
fn a_run_is_told_from_its_start_over_its_output_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&directory.path().join("data"));
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    write(&daemon, "talks", &format!("echo first; {wait}; echo second; exit 3"));
    let mut listener = Listener::open(&daemon, "?job=talks", None);

    assert_eq!(daemon.http().post("/v1/jobs/talks?async", "").unwrap().status, 200);
    let started = listener.next("execution_started").data;
    assert_eq!(started["job_name"], "talks");
    let output = listener.next("execution_output").data;
    assert_eq!((&output["output"], &output["offset"]), (&json!("first\n"), &json!(0)));
    assert_eq!(output["id"], started["id"]);
    std::fs::write(&gate, "").unwrap();

    let output = listener.next("execution_output").data;
    assert_eq!((&output["output"], &output["offset"]), (&json!("second\n"), &json!(6)));
    let finished = listener.next("execution_finished").data;
    assert_eq!((&finished["id"], &finished["success"]), (&started["id"], &json!(false)));
    assert_eq!(
        (&finished["state"], &finished["output_bytes_total"]),
        (&json!("failed"), &json!(13))
    );
}

#[test]
fn a_client_whose_connection_was_cut_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut listener = Listener::open(&daemon, "", None);
    write(&daemon, "one", "true");
    assert_eq!(listener.next("job_changed").data["job_name"], "one");
    let last_id = listener.last_id.clone();
    drop(listener);
    write(&daemon, "two", "true");

    let mut again = Listener::open(&daemon, "", Some(&last_id));
    write(&daemon, "three", "true");
    for name in ["two", "three"] {
        assert_eq!(again.next("job_changed").data["job_name"], name);
    }
    let query = format!("?last_event_id={last_id}");
    let mut by_query = Listener::open(&daemon, &query, None);
    assert_eq!(by_query.next("job_changed").data["job_name"], "two");
}

#[test]
fn after_a_restart_a_client_is_told_that_there_is_a_gap_and_since_when() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut listener = Listener::open(&daemon, "", None);
    write(&daemon, "one", "true");
    listener.next("job_changed");
    let last_id = listener.last_id.clone();
    daemon.terminate(BOUND);
    let daemon = Daemon::start(directory.path());

    let mut again = Listener::open(&daemon, "", Some(&last_id));
    let gap = std::iter::repeat_with(|| again.block()).flatten().next().unwrap();

    assert_eq!((gap.kind.as_str(), &gap.data["reason"]), ("gap", &json!("new_row")));
    assert!(gap.data["since"].as_str().unwrap().starts_with("20"), "{gap:?}");
    write(&daemon, "two", "true");
    assert_eq!(again.next("job_changed").data["job_name"], "two");
}

#[test]
fn a_client_that_reads_nothing_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let idle = Listener::open(&daemon, "", None);
    let mut quick = Listener::open(&daemon, "?types=job_changed", None);
    for number in 0..200 {
        let name = format!("job-{number}");
        write(&daemon, &name, "true");
        assert_eq!(quick.next("job_changed").data["job_name"], name.as_str());
    }
    drop(idle);
}

#[test]
fn a_stop_ends_what_clients_listen_to_with_a_comment() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut listener = Listener::open(&daemon, "", None);
    daemon.ask_to_end();
    assert_eq!(listener.stream.read_to_end(BOUND), ": the node stops\n\n");
    assert_eq!(daemon.wait_for_end(BOUND).status.code(), Some(0));
}

#[test]
fn an_unknown_type_is_refused_with_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let answer = daemon.http().get("/v1/events?types=job_changed,nonsense").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("execution_started"), "{}", answer.text());
}
