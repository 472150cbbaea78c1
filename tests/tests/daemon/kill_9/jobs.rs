//! The jobs that are killed: schedules, overlap, retries and children in all mixtures.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dkron_core::Timestamp;
use dkron_e2e::http::Http;
use dkron_e2e::ledger::Ledger;
use dkron_e2e::seed::Seed;
use serde_json::json;

/// How many jobs have a schedule; the others are their children.
const SCHEDULED: usize = 180;
const CHILDREN: usize = 20;

/// The longest time between two fires of a job.
pub const PERIOD_MAX: Duration = Duration::from_secs(3);

/// Schedules, the busy ones more often. Two hundred jobs make some hundred runs a second.
const SCHEDULES: [&str; 8] = [
    "* * * * * *",
    "*/2 * * * * *",
    "1-59/2 * * * * *",
    "*/3 * * * * *",
    "*/3 * * * * *",
    "@every 2s",
    "@every 3s",
    "@every 3s",
];

/// A job, and what the audit has to know of it.
pub struct Planned {
    pub name: String,
    pub schedule: String,
    pub parent: Option<String>,
    pub is_forbid: bool,
    pub retries: u32,
    /// No fire can be due before.
    pub opened_after: Timestamp,
    /// From here on every fire is due.
    pub opened_until: Timestamp,
}

/// Creates all jobs; every one is acknowledged.
pub fn create(http: &mut Http, ledger: &Ledger, seed: &mut Seed) -> Vec<Planned> {
    let mut jobs = Vec::new();
    for number in 0..SCHEDULED {
        let schedule = (*seed.choose(&SCHEDULES)).to_owned();
        let name = format!("job-{number:03}");
        jobs.push(create_one(http, ledger, seed, name, schedule, None));
    }
    for number in 0..CHILDREN {
        let parent = jobs[number].name.clone();
        let name = format!("job-{number:03}-child");
        jobs.push(create_one(http, ledger, seed, name, String::new(), Some(parent)));
    }
    jobs
}

fn create_one(
    http: &mut Http,
    ledger: &Ledger,
    seed: &mut Seed,
    name: String,
    schedule: String,
    parent: Option<String>,
) -> Planned {
    let is_forbid = seed.pick(0..2) == 0;
    let retries = *seed.choose(&[0, 0, 0, 2]);
    let run_ms = if seed.pick(0..3) == 0 { 0 } else { seed.pick(0..1_500) };
    let body = match (run_ms, retries) {
        (0, 0) => "true".to_owned(),
        (ms, 0) => format!("sleep {}.{:03}", ms / 1_000, ms % 1_000),
        // Fails at first, at once, so that the retry is not put off.
        _ => "[ $DKRON_ATTEMPT -gt 1 ]".to_owned(),
    };
    let job = json!({
        "name": name,
        "schedule": schedule,
        "parent_job": parent.clone().unwrap_or_default(),
        "concurrency": if is_forbid { "forbid" } else { "allow" },
        "retries": retries,
        "executor": "shell",
        "executor_config": {"shell": "true", "command": ledger.command(&body)},
    });
    let opened_after = now();
    let answer = http.post("/v1/jobs", job.to_string()).unwrap();
    assert_eq!(answer.status, 201, "{job}: {}", answer.text());
    Planned { name, schedule, parent, is_forbid, retries, opened_after, opened_until: now() }
}

/// When a job was disabled: after the first instant, before the second.
pub type Closed = (Timestamp, Timestamp);

/// Disables every job that has a schedule; children end with their parents.
pub fn disable(http: &mut Http, jobs: &[Planned]) -> Vec<Closed> {
    let toggle = |job: &Planned| {
        let before = now();
        if job.parent.is_none() {
            let answer = http.post(&format!("/v1/jobs/{}/toggle", job.name), "").unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["disabled"], true, "{}", answer.text());
        }
        (before, now())
    };
    jobs.iter().map(toggle).collect()
}

/// Reads the clock that the daemon reads as well.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_ns(i64::try_from(since.as_nanos()).unwrap())
}
