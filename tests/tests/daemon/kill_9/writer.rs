//! Writes jobs all the time and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use dkron_core::Cluster;
use dkron_e2e::http::Http;
use dkron_e2e::wait::let_pass;
use serde_json::json;

/// Between two writes: leaves the processors to the jobs.
const PAUSE: Duration = Duration::from_millis(5);

/// What is known of a job from the answers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Its creation was acknowledged.
    Exists,
    /// Its deletion was acknowledged.
    Deleted,
    /// The last request about it was not answered.
    Unknown,
}

/// A thread that creates and deletes jobs.
pub struct Writer {
    address: Arc<Mutex<SocketAddr>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<BTreeMap<String, Known>>>,
}

/// What was acknowledged.
pub struct Acknowledged(BTreeMap<String, Known>);

impl Writer {
    /// Starts to write to `address`.
    pub fn start(address: SocketAddr) -> Self {
        let address = Arc::new(Mutex::new(address));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (address, is_over) = (Arc::clone(&address), Arc::clone(&is_over));
            std::thread::spawn(move || write(&address, &is_over))
        };
        Self { address, is_over, thread: Some(thread) }
    }

    /// Writes elsewhere from now on.
    pub fn use_address(&self, address: SocketAddr) {
        *self.address.lock().unwrap() = address;
    }

    /// Ends the writing.
    pub fn stop(mut self) -> Acknowledged {
        self.is_over.store(true, Ordering::Release);
        Acknowledged(self.thread.take().unwrap().join().unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A test that failed does not wait for the thread; it ends by itself.
        self.is_over.store(true, Ordering::Release);
    }
}

fn write(address: &Mutex<SocketAddr>, is_over: &AtomicBool) -> BTreeMap<String, Known> {
    let mut known = BTreeMap::new();
    let mut http: Option<(SocketAddr, Http)> = None;
    let mut number = 0_u32;
    while !is_over.load(Ordering::Acquire) {
        let target = *address.lock().unwrap();
        if http.as_ref().is_none_or(|(of, _)| *of != target) {
            http = Some((target, Http::new(target)));
        }
        let Some((_, client)) = &mut http else { continue };
        // Every fifth request deletes the job created four requests before.
        let (name, wanted, answer) = if number % 5 == 4 {
            let name = format!("w-{:06}", number - 4);
            let answer = client.send("DELETE", &format!("/v1/jobs/{name}"), &[], b"");
            (name, (200, Known::Deleted), answer)
        } else {
            let name = format!("w-{number:06}");
            let job = json!({
                "name": name,
                "schedule": "@every 1h",
                "executor": "shell",
                "executor_config": {"command": "true"},
                "disabled": number.is_multiple_of(2),
            });
            (name, (201, Known::Exists), client.post("/v1/jobs", job.to_string()))
        };
        let state = match answer {
            Ok(answer) if answer.status == wanted.0 => wanted.1,
            // Deleting what was never created.
            Ok(answer) if answer.status == 404 => Known::Unknown,
            Ok(answer) if answer.status >= 500 => Known::Unknown,
            Ok(answer) => panic!("{name}: {} {}", answer.status, answer.text()),
            Err(_) => Known::Unknown,
        };
        if state == Known::Unknown && wanted.1 == Known::Deleted {
            let was = known.get(&name).copied();
            assert!(was.is_some(), "{name} was asked for before");
        }
        known.insert(name, state);
        number += 1;
        let_pass(PAUSE);
    }
    known
}

impl Acknowledged {
    /// Holds what is stored against what was acknowledged.
    pub fn check(&self, cluster: &Cluster) {
        let (mut exist, mut deleted) = (0, 0);
        for (name, known) in &self.0 {
            let is_there = cluster.job(name).unwrap().is_some();
            match known {
                Known::Exists => {
                    assert!(is_there, "{name} was acknowledged and is missing");
                    exist += 1;
                }
                Known::Deleted => {
                    assert!(!is_there, "the deletion of {name} was acknowledged, and it is there");
                    deleted += 1;
                }
                Known::Unknown => {}
            }
        }
        println!("{exist} jobs acknowledged and there, {deleted} deleted and gone");
        assert!(exist > 500, "the writer hardly wrote");
    }
}
