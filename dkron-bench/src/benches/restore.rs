//! A hundred thousand jobs from a backup by the API.

use std::time::Instant;

use anyhow::{Result, ensure};
use dkron_e2e::http::Http;
use serde_json::{Value, json};

use crate::Settings;
use crate::daemon_process::DaemonProcess;
use crate::report::{Bound, Row};

const JOBS: usize = 100_000;
const RESTORE_S_MAX: f64 = 60.0;

/// Restores, takes the backup, and posts each job of it to an empty node.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let jobs = settings.count(JOBS);
    let content = serde_json::to_vec(&(0..jobs).map(job).collect::<Vec<_>>())?;
    let folder = settings.folder()?;
    let daemon = DaemonProcess::start(folder.path())?;
    daemon.wait_for_leader()?;
    let mut http = Http::new(daemon.address);

    let begun = Instant::now();
    let answer = http.post_file("/v1/restore", "file", &content)?;
    let restored = begun.elapsed();
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    let begun = Instant::now();
    let answer = http.get("/v1/jobs")?;
    let listed = begun.elapsed();
    let backup: Vec<Value> = serde_json::from_slice(&answer.body)?;
    ensure!(backup.len() == jobs, "{} jobs in the backup", backup.len());
    drop(daemon);

    let folder = settings.folder()?;
    let daemon = DaemonProcess::start(folder.path())?;
    daemon.wait_for_leader()?;
    let mut http = Http::new(daemon.address);
    let lines: Vec<String> = backup.iter().map(Value::to_string).collect();
    let begun = Instant::now();
    for line in &lines {
        // One after the other: each waits until the one before it is on disk.
        let answer = http.post("/v1/jobs", line)?;
        ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    }
    let posted = begun.elapsed();
    let bound = Bound::AtMost(RESTORE_S_MAX);
    Ok(vec![
        Row::free("jobs", jobs as f64, ""),
        Row::new("POST /v1/restore of all", restored.as_secs_f64(), "s", bound),
        Row::free("GET /v1/jobs of all", listed.as_secs_f64(), "s"),
        Row::new("POST /v1/jobs of each, one by one", posted.as_secs_f64(), "s", bound),
    ])
}

fn job(number: usize) -> Value {
    json!({
        "name": format!("job-{number:06}"),
        "displayname": format!("Number {number}"),
        "schedule": "@every 24h",
        "timezone": "Europe/Berlin",
        "owner": "Platform Team",
        "owner_email": "platform@example.com",
        "metadata": {"team": format!("team-{}", number % 100)},
        "tags": {"server": "true:1"},
        "executor": "shell",
        "executor_config": {"command": "date"},
    })
}
