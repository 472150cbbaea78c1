//! Runs by hand, and what runs at present.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::wait::{wait_for, wait_until};
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

fn create(daemon: &Daemon, job: &Value) {
    let answer = daemon.http().post("/v1/jobs", job.to_string()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// Creates a job that runs a command of the shell when it is asked to.
fn create_by_hand(daemon: &Daemon, name: &str, command: &str) {
    create(
        daemon,
        &json!({
            "name": name, "schedule": "@manually", "executor": "shell",
            "executor_config": {"command": command, "shell": "true"},
        }),
    );
}

fn executions(daemon: &Daemon, job: &str) -> Vec<Value> {
    let answer = daemon.http().get(&format!("/v1/jobs/{job}/executions")).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// Goal: the answer to a run by hand means that all of it is over, unless `async` asks not to wait.
/// Method: a job that fails at first, and a job that follows it; then one that waits for a file.
#[test]
fn a_run_by_hand_answers_when_all_it_set_off_is_over_or_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&directory.path().join("data"));
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    for (name, parent, retries, command) in [
        ("parent", "", 1, "[ $DKRON_ATTEMPT -gt 1 ]"),
        ("child", "parent", 0, "sleep 0.3; echo done"),
        ("patient", "", 0, &wait),
    ] {
        let schedule = if parent.is_empty() { "@manually" } else { "" };
        let config = json!({"command": command, "shell": "true"});
        let job = json!({"name": name, "schedule": schedule, "parent_job": parent,
                         "retries": retries, "executor": "shell", "executor_config": config});
        create(&daemon, &job);
    }

    assert_eq!(daemon.http().post("/v1/jobs/parent", "").unwrap().status, 200);
    let attempts: Vec<Value> =
        executions(&daemon, "parent").iter().map(|run| run["success"].clone()).collect();
    assert_eq!(attempts, [json!(true), json!(false)]);
    let child = executions(&daemon, "child");
    assert_eq!((child.len(), &child[0]["output"]), (1, &json!("done\n")));

    assert_eq!(daemon.http().post("/v1/jobs/patient?async", "").unwrap().status, 200);
    assert!(executions(&daemon, "patient").iter().all(|run| run["success"] == false));
    std::fs::write(&gate, "").unwrap();
    wait_until("its end", BOUND, || {
        executions(&daemon, "patient").iter().any(|run| run["success"] == true)
    });
}

#[test]
fn a_busy_execution_shows_the_end_of_its_output() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let command = "head -c 10000 /dev/zero | tr '\\0' x; echo; echo end; sleep 1000";
    create_by_hand(&daemon, "talks", command);
    assert_eq!(daemon.http().post("/v1/jobs/talks?async", "").unwrap().status, 200);

    let output = wait_for("the end of what it has written", BOUND, || {
        let busy = daemon.http().get("/v1/busy").unwrap().json();
        busy[0]["output"].as_str().filter(|text| text.ends_with("x\nend\n")).map(str::to_owned)
    });

    assert_eq!(output.len(), 4_096);
}

#[test]
fn the_fires_that_were_not_started_are_listed_with_the_reason_a_row_of_them_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    create(
        &daemon,
        &json!({"name": "nowhere", "schedule": "@every 1s", "tags": {"role": "web"},
                "executor": "shell", "executor_config": {"command": "true"}}),
    );
    let mut http = daemon.http();

    let skips = wait_for("two fires skipped in one row", BOUND, || {
        let skips = http.get("/v1/jobs/nowhere/skips").unwrap().json();
        (skips[0]["fires"].as_u64() >= Some(2)).then_some(skips)
    });

    assert_eq!(skips.as_array().map(Vec::len), Some(1), "{skips}");
    assert_eq!(skips[0]["reason"], "no_capable_node");
    assert_eq!(skips[0]["detail"], "no capable node: tag role=web");
    assert!(skips[0]["first"].as_str() < skips[0]["last"].as_str(), "{skips}");
    assert_eq!(http.get("/v1/jobs/nobody/skips").unwrap().status, 404);
    assert_eq!(daemon.log().matches("msg=\"skip\" job=nowhere").count(), 1, "{}", daemon.log());
}
