//! Backups: the list of jobs, given back to an empty node at once, or job by job.
//!
//! The largest figure is a bench: `cargo xtask bench restore`.

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::Http;
use serde_json::{Value, json};

/// Jobs of every kind, parents behind their children.
fn some_jobs() -> Vec<Value> {
    let mut jobs = vec![
        json!({"name": "plain", "schedule": "@manually"}),
        json!({"name": "once", "schedule": "@at 2999-01-01T00:00:00Z", "retries": 4}),
        json!({"name": "leap-day", "schedule": "0 30 2 29 2 *", "timezone": "Asia/Kathmandu",
               "expires_at": "2999-12-31T23:59:59Z"}),
        json!({"name": "succeeds", "schedule": "@manually", "executor": "shell",
               "executor_config": {"command": "true"}}),
        json!({"name": "fails", "schedule": "@manually", "executor": "shell",
               "executor_config": {"command": "false"}}),
        json!({
            "name": "full-ß", "schedule": "0 30 2 * * *", "timezone": "Europe/Berlin",
            "displayname": "<b>\u{2028}\n", "owner": "o", "owner_email": "o@example.org",
            "tags": {"server": "true:1"}, "metadata": {"k": "v", "a": ""}, "retries": 3,
            "processors": {"log": {"forward": "true"}, "files": {}}, "concurrency": "forbid",
            "executor": "shell", "executor_config": {"command": "echo '\"' | cat", "shell": "true"},
            "ephemeral": true, "starts_at": "2020-01-01T00:00:00.5Z", "success_count": 7,
            "error_count": 2, "last_success": "2024-01-02T03:04:05.006Z", "status": "failed",
        }),
        json!({
            "name": "own-fields", "schedule": "*/5 * * * *", "dst": "wall", "catch_up": "all:5",
            "lost_run": "rerun", "retry_backoff": "exponential:1s:1m", "timeout": "90s",
            "misfire_deadline": "1h", "placement": "one", "declared_by": "somebody",
            "retention": {"executions": 3, "age": "24h", "output_bytes": 1000},
        }),
        json!({"name": "off", "schedule": "0 0 1 * * *", "disabled": true}),
        json!({"name": "often", "schedule": "@every 1h"}),
        json!({"name": "often-off", "schedule": "@every 1h", "disabled": true}),
        json!({"name": "root", "schedule": "@manually"}),
        json!({"name": "often-child", "schedule": "@every 1h", "parent_job": "root"}),
        json!({"name": "leaf", "parent_job": "root"}),
        json!({"name": "leaf-with-schedule", "schedule": "0 0 1 * * *", "parent_job": "leaf"}),
    ];
    // More than are written, or listed, at a time.
    jobs.extend((0..700).map(|n| json!({"name": format!("many-{n:03}"), "schedule": "@manually"})));
    jobs
}

/// Lists jobs; without the next instant of those that count from when they were written.
fn jobs_of(http: &mut Http, query: &str) -> Vec<Value> {
    let answer = http.get(&format!("/v1/jobs{query}")).unwrap();
    let mut jobs: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.header("x-total-count"), Some(&*jobs.len().to_string()));
    for job in &mut jobs {
        if job["schedule"].as_str().is_some_and(|schedule| schedule.starts_with("@every")) {
            job["next"].take();
        }
    }
    jobs
}

/// A daemon with those jobs.
fn filled(directory: &std::path::Path) -> Daemon {
    let daemon = Daemon::at(directory).env("TZ", "UTC").start();
    let mut http = daemon.http();
    for job in some_jobs() {
        let answer = http.post("/v1/jobs", job.to_string()).unwrap();
        assert_eq!(answer.status, 201, "{job}: {}", answer.text());
    }
    // Counters are part of a backup: one job of each outcome.
    for (job, counter) in [("succeeds", "success_count"), ("fails", "error_count")] {
        let path = format!("/v1/jobs/{job}");
        assert_eq!(http.post(&path, "").unwrap().status, 200, "{job}");
        assert_eq!(http.get(&path).unwrap().json()[counter], 1, "{job}");
    }
    daemon
}

#[test]
fn a_backup_restores_to_equal_jobs() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = filled(old.path());
    let backup = first.http().get("/v1/jobs?pretty").unwrap().body;
    let before = jobs_of(&mut first.http(), "");
    let second = Daemon::at(new.path()).env("TZ", "UTC").start();

    let answer = second.http().post_file("/v1/restore", "file", &backup).unwrap();

    assert_eq!(answer.status, 200, "{}", answer.text());
    let lines: Vec<String> = serde_json::from_str(answer.json().as_str().unwrap()).unwrap();
    assert_eq!(lines.len(), before.len());
    assert!(lines.iter().all(|line| line.starts_with("success create ")), "{lines:?}");
    assert_eq!(jobs_of(&mut second.http(), ""), before);

    let again = second.http().post_file("/v1/restore", "file", &backup).unwrap();
    assert_eq!(again.status, 200);
    assert_eq!(jobs_of(&mut second.http(), ""), before);
}

/// Goal: a file is not written by half when what is stored below its jobs does not let all of it.
/// Method: a chain of 63 jobs below one that the file puts below two others.
#[test]
fn a_backup_that_would_put_stored_jobs_too_deep_is_refused_before_any_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = daemon.http();
    let mut parent = String::new();
    for n in 0..64 {
        let job = json!({"name": format!("n{n}"), "schedule": "@manually", "parent_job": parent});
        assert_eq!(http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
        parent = format!("n{n}");
    }
    let above = |tops: &[&str]| {
        let mut parent = String::new();
        let jobs = tops.iter().chain(&["n0"]).map(|name| {
            let job = json!({"name": name, "schedule": "@manually", "parent_job": parent});
            parent = (*name).to_owned();
            job
        });
        Value::Array(jobs.collect()).to_string().into_bytes()
    };

    let refused = http.post_file("/v1/restore", "file", &above(&["top", "middle"])).unwrap();
    let top = http.get("/v1/jobs/top").unwrap();
    let taken = http.post_file("/v1/restore", "file", &above(&["top"])).unwrap();

    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("\"n63\" would have more than 64"), "{}", refused.text());
    assert_eq!(top.status, 404, "nothing of it was written");
    assert_eq!(taken.status, 200, "{}", taken.text());
}

#[test]
fn posting_each_job_of_a_backup_gives_equal_jobs() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = filled(old.path());
    let before = jobs_of(&mut first.http(), "");
    let second = Daemon::at(new.path()).env("TZ", "UTC").start();
    let mut http = second.http();

    // A child is refused until its parent is there: the shell loops of backup scripts go round.
    let mut waiting: Vec<&Value> = before.iter().collect();
    while !waiting.is_empty() {
        let left = waiting.len();
        waiting.retain(|job| http.post("/v1/jobs", job.to_string()).unwrap().status != 201);
        assert!(waiting.len() < left, "nothing more is accepted: {waiting:?}");
    }

    assert_eq!(jobs_of(&mut http, ""), before);
}

#[test]
fn a_backup_with_one_bad_job_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut jobs = some_jobs();
    jobs.push(json!({"name": "Bad", "schedule": "@manually"}));

    let answer =
        daemon.http().post_file("/v1/restore", "file", &json!(jobs).to_string().into_bytes());

    let answer = answer.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("illegal character 'B'"), "{}", answer.text());
    let named = format!("job \"Bad\" (number {}): ", jobs.len());
    assert!(answer.text().starts_with(&named), "{}", answer.text());
    assert_eq!(jobs_of(&mut daemon.http(), ""), Vec::<Value>::new());
}

/// Goal: a restore never drowns in its own load.
/// Method: half as much again as the queue of the log holds, in jobs of 200 KB.
#[test]
fn a_backup_of_large_jobs_is_restored_whole() {
    const JOBS: usize = 500;
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let payload = "x".repeat(200_000);
    let jobs: Vec<Value> = (0..JOBS)
        .map(|n| {
            json!({"name": format!("large-{n:03}"), "schedule": "@manually",
                   "metadata": {"payload": payload}})
        })
        .collect();
    let backup = serde_json::to_vec(&jobs).unwrap();

    let answer = daemon.http().post_file("/v1/restore", "file", &backup).unwrap();

    assert_eq!(answer.status, 200, "{}", answer.text());
    let lines: Vec<String> = serde_json::from_str(answer.json().as_str().unwrap()).unwrap();
    assert_eq!(lines.len(), JOBS);
    assert!(lines.iter().all(|line| line.starts_with("success create ")), "{lines:?}");
    let page = daemon.http().get("/v1/jobs?_start=0&_end=1").unwrap();
    assert_eq!(page.header("x-total-count"), Some("500"));
}

/// Goal: what is not restored shows in the status, and in the body as Dkron shows it.
/// Method: a job that is right by itself, but would be deeper than trees of parents may be.
#[test]
fn a_tree_that_is_too_deep_is_refused_with_its_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let job = |n: usize| match n {
        0 => json!({"name": "job-0", "schedule": "@manually"}),
        n => json!({"name": format!("job-{n}"), "parent_job": format!("job-{}", n - 1)}),
    };
    let jobs: Vec<Value> = (0..70).map(job).collect();

    let backup = serde_json::to_vec(&jobs).unwrap();
    let answer = daemon.http().post_file("/v1/restore", "file", &backup).unwrap();

    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("\"job-65\" would have more than 64"), "{}", answer.text());
    assert_eq!(daemon.http().get("/v1/jobs").unwrap().json(), json!([]));
}

#[test]
fn lists_in_every_order_show_each_job_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = filled(directory.path());
    let mut http = daemon.http();
    let names = |jobs: &[Value]| -> Vec<String> {
        jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    };
    let by_name = names(&jobs_of(&mut http, ""));
    let mut sorted = by_name.clone();
    sorted.sort();
    assert_eq!(by_name, sorted);

    let mut backwards = names(&jobs_of(&mut http, "?_order=DESC"));
    backwards.reverse();
    assert_eq!(backwards, by_name);
    for sort in ["displayname", "schedule", "success_count", "last_error", "next"] {
        let mut by_field = names(&jobs_of(&mut http, &format!("?_sort={sort}")));
        by_field.sort();
        assert_eq!(by_field, by_name, "{sort}");
    }
    let pages: Vec<Value> = (0..=by_name.len())
        .step_by(100)
        .flat_map(|start| {
            let page = http.get(&format!("/v1/jobs?_start={start}&_end={}", start + 100)).unwrap();
            serde_json::from_slice::<Vec<Value>>(&page.body).unwrap()
        })
        .collect();
    assert_eq!(names(&pages), by_name);
    let filtered = names(&jobs_of(&mut http, "?q=many-"));
    assert_eq!(filtered.len(), 700);
    let page = http.get("/v1/jobs?q=many-&_start=300&_end=302").unwrap();
    assert_eq!(page.header("x-total-count"), Some("700"));
    assert_eq!(names(page.json().as_array().unwrap()), ["many-300", "many-301"]);
}
