//! Backup and restore: `GET /v1/jobs`, an empty node, `POST /v1/restore`; or job by job.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::Http;
use dkron_e2e::wait::wait_until;
use serde_json::{Value, json};

/// Jobs of every shape; the largest figure is a bench: `cargo xtask bench restore`.
const JOBS: usize = 2_000;

const END_BOUND: Duration = Duration::from_secs(20);

/// Returns job number `number` of the backup: roots first, then children of them by name.
fn job(number: usize) -> Value {
    // None comes due between backup and restore.
    let schedules = ["@every 1h", "0 30 2 29 2 *", "@manually", "@at 2999-01-01T00:00:00Z"];
    let zones = ["", "Europe/Berlin", "Asia/Kathmandu"];
    let mut job = json!({
        "name": format!("job-{number:05}"),
        "displayname": format!("Number <{number}> & \"more\""),
        "schedule": schedules[number % 4],
        "timezone": zones[number % 3],
        "owner": "Platform Team",
        "owner_email": "platform@example.com",
        "disabled": number.is_multiple_of(7),
        "retries": number % 5,
        "concurrency": if number.is_multiple_of(2) { "allow" } else { "forbid" },
        "ephemeral": number.is_multiple_of(11),
        "executor": "shell",
        "executor_config": {"command": format!("echo {number}"), "shell": "true"},
        "processors": {"log": {"forward": "true"}},
        "metadata": {"team": format!("team-{}", number % 10), "unicode": "grüße ✓"},
        "tags": {"server": "true:1"},
    });
    if number.is_multiple_of(13) {
        job["starts_at"] = json!("2026-01-01T00:00:00Z");
        job["expires_at"] = json!("2999-12-31T23:59:59Z");
    }
    // The last tenth are children; each root has at most a few.
    if number >= JOBS / 10 * 9 {
        job["schedule"] = json!("");
        job["parent_job"] = json!(format!("job-{:05}", number % 700));
    }
    job
}

/// Fills an empty node and returns its backup.
fn backup(folder: &std::path::Path) -> Vec<u8> {
    let daemon = Daemon::start(folder);
    let mut http = daemon.http();
    for number in 0..JOBS {
        let answer = http.post("/v1/jobs", job(number).to_string()).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    // Counters are part of a backup: one job of each outcome.
    let failing = json!({"name": "a-failure", "schedule": "@manually", "executor": "shell",
                         "executor_config": {"command": "false"}});
    assert_eq!(http.post("/v1/jobs", failing.to_string()).unwrap().status, 201);
    for job in ["job-00002", "a-failure"] {
        assert_eq!(http.post(&format!("/v1/jobs/{job}"), "").unwrap().status, 200);
        let count = |job: &Value| job["success_count"].as_u64().max(job["error_count"].as_u64());
        wait_until("a counted run", END_BOUND, || {
            let answer = http.get(&format!("/v1/jobs/{job}")).unwrap().json();
            count(&answer) == Some(1)
        });
    }
    let answer = http.get("/v1/jobs").unwrap();
    assert_eq!(answer.header("x-total-count"), Some((JOBS + 1).to_string().as_str()));
    daemon.terminate(END_BOUND);
    answer.body
}

/// Returns jobs as they must be equal: with their next instants, but for those that are counted
/// from the moment of the write.
fn comparable(jobs: &[u8]) -> Vec<Value> {
    let mut jobs: Vec<Value> = serde_json::from_slice(jobs).unwrap();
    for job in &mut jobs {
        let is_counted = job["schedule"].as_str().unwrap().starts_with("@every");
        let job = job.as_object_mut().unwrap();
        assert!(job.contains_key("next"), "every job has a next instant: {job:?}");
        if is_counted {
            job.remove("next");
        }
    }
    jobs
}

#[track_caller]
fn assert_equal_jobs(http: &mut Http, backup: &[u8]) {
    let (restored, wanted) = (http.get("/v1/jobs").unwrap().body, backup);
    let (restored, wanted) = (comparable(&restored), comparable(wanted));
    assert_eq!(restored.len(), wanted.len());
    for (restored, wanted) in restored.iter().zip(&wanted) {
        assert_eq!(restored, wanted);
    }
}

#[test]
fn a_restored_node_has_equal_jobs() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = backup(from.path());
    let daemon = Daemon::start(to.path());
    let mut http = daemon.http();

    let answer = http.post_file("/v1/restore", "file", &backup).unwrap();

    assert_eq!(answer.status, 200, "{}", answer.text());
    let lines: Vec<String> = serde_json::from_str(answer.json().as_str().unwrap()).unwrap();
    assert_eq!(lines.len(), JOBS + 1);
    assert!(lines.iter().all(|line| line.starts_with("success create ")), "{lines:?}");
    assert_equal_jobs(&mut http, &backup);

    let again = http.post_file("/v1/restore", "file", &backup).unwrap();
    assert_eq!(again.status, 200);
    assert_equal_jobs(&mut http, &backup);
    daemon.terminate(END_BOUND);
}

#[test]
fn posting_each_job_of_a_backup_gives_equal_jobs() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = backup(from.path());
    let daemon = Daemon::start(to.path());
    let mut http = daemon.http();

    let jobs: Vec<Value> = serde_json::from_slice(&backup).unwrap();
    for job in jobs {
        let answer = http.post("/v1/jobs", job.to_string()).unwrap();
        assert_eq!(answer.status, 201, "{}: {}", job["name"], answer.text());
    }

    assert_equal_jobs(&mut http, &backup);
    daemon.terminate(END_BOUND);
}

#[test]
fn a_backup_with_one_bad_job_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = daemon.http();
    let good = json!({"name": "good", "schedule": "@manually", "executor": "shell"});
    let bad = json!({"name": "bad", "schedule": "now and then", "executor": "shell"});

    for content in [json!([good, bad]).to_string(), "[{\"name\":".to_owned(), "{}".to_owned()] {
        let answer = http.post_file("/v1/restore", "file", content.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{content}: {}", answer.text());
    }

    assert_eq!(http.get("/v1/jobs").unwrap().text(), "[]");
    daemon.terminate(END_BOUND);
}
