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

/// Jobs of the line-by-line variant: each is a request, and a write that is synced.
const LINES: usize = 5_000;

/// Restores, takes the backup, and posts some jobs one by one.
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
    let backup = begun.elapsed();
    let backed_up: Vec<Value> = serde_json::from_slice(&answer.body)?;
    ensure!(backed_up.len() == jobs, "{} jobs in the backup", backed_up.len());

    let folder = settings.folder()?;
    let daemon = DaemonProcess::start(folder.path())?;
    daemon.wait_for_leader()?;
    let mut http = Http::new(daemon.address);
    let lines = settings.count(LINES);
    let begun = Instant::now();
    for line in 0..lines {
        let answer = http.post("/v1/jobs", job(line).to_string())?;
        ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    }
    let one_by_one = lines as f64 / begun.elapsed().as_secs_f64();
    let restore = Bound::AtMost(RESTORE_S_MAX);
    Ok(vec![
        Row::free("jobs", jobs as f64, ""),
        Row::new("POST /v1/restore", restored.as_secs_f64(), "s", restore),
        Row::free("GET /v1/jobs", backup.as_secs_f64(), "s"),
        Row::new(
            "the same posted one by one",
            jobs as f64 / one_by_one,
            "s",
            Bound::AtMost(RESTORE_S_MAX),
        ),
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
