//! What a daemon tells those who watch it: its page of metrics, and its log as JSON.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use serde_json::{Value, json};

const END_BOUND: Duration = Duration::from_secs(30);

#[test]
fn metrics_are_served_where_they_are_asked_for_in_the_format_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(folder.path()).args(&["--enable-prometheus"]).start();
    daemon.run_in_shell("good", json!({"command": "true"}));
    let mut http = daemon.http();

    let text = http.get("/metrics").unwrap();
    assert_eq!(text.status, 200);
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
    );
    assert_eq!(text.header("x-whom"), Some("e2e"));
    for line in [
        "dkron_job_executions_succeeded_total{job_name=\"good\"} 1\n",
        "dkron_scheduler_start 1\n",
        "dkron_storage_writable 1\n",
        "dkron_healthy 1\n",
    ] {
        assert!(text.text().contains(line), "{line} in {}", text.text());
    }

    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = http.send("GET", "/metrics", &accept, b"").unwrap();
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((open.status, open.header("content-type")), (200, Some(media_type)));
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    assert!(open.text().contains("# TYPE dkron_job_executions_succeeded counter\n"));

    http.send("DELETE", "/v1/jobs/good", &[], b"").unwrap();
    let text = dkron_e2e::wait::wait_for("the end of a series", END_BOUND, || {
        let text = http.get("/metrics").unwrap().text();
        (!text.contains("job_name=\"good\"")).then_some(text)
    });
    assert!(text.contains("dkron_executions_ended_total{state=\"succeeded\"} 1\n"), "{text}");
    daemon.terminate(END_BOUND);
}

#[test]
fn without_metrics_their_path_is_like_any_other_that_nobody_knows() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let answer = daemon.http().get("/metrics").unwrap();
    let unknown = daemon.http().get("/no-such").unwrap();
    assert_eq!((answer.status, answer.text()), (404, unknown.text()));
    assert_eq!(answer.header("x-whom"), None);
    daemon.terminate(END_BOUND);
}

/// Goal: who reads the log by program reads all of it, and finds of which run a line is.
#[test]
fn a_log_of_json_has_an_object_on_each_line_and_the_run_that_it_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--log-format=json", "--log-level=debug"];
    let daemon = Daemon::at(folder.path()).args(&args).start();
    daemon.run_in_shell("good", json!({"command": "true"}));
    let ended = daemon.terminate(END_BOUND);

    assert!(!ended.log.contains("time=\""), "{}", ended.log);
    let lines: Vec<Value> = ended
        .log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let about = |message: &str| {
        let found = lines.iter().find(|line| line["msg"] == message && line["job"] == "good");
        found.unwrap_or_else(|| panic!("no line {message} in {}", ended.log)).clone()
    };
    let (started, finished) = (about("start"), about("finished"));
    assert_eq!(started["execution"], finished["execution"]);
    assert!(finished["execution"].as_str().unwrap().ends_with("-e2e"), "{finished}");
    assert_eq!((&finished["level"], &started["attempt"]), (&json!("debug"), &json!(1)));
}
