//! Writes jobs all the time and remembers what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use dkron_core::Cluster;
use dkron_e2e::http::{Answer, Http};
use dkron_e2e::wait::let_pass;
use serde_json::json;

/// Between two writes: leaves the processors to the jobs.
const PAUSE: Duration = Duration::from_millis(5);

/// What a job may be like by the answers alone; `None` = it is not there. One that was acknowledged
/// is the only one; a request that was not answered adds what it asked for.
type Known = BTreeSet<Option<Written>>;

/// What requests change of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    /// The request that wrote it; stands in the job's metadata.
    by: u32,
    is_disabled: bool,
}

/// One request about a job.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// Creates or replaces it.
    Write(Written),
    Toggle,
    Delete,
}

/// A thread that creates, changes and deletes jobs.
pub struct Writer {
    address: Arc<Mutex<SocketAddr>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Acknowledged>>,
}

/// What was acknowledged.
#[derive(Default)]
pub struct Acknowledged {
    jobs: BTreeMap<String, Known>,
    updates: usize,
    toggles: usize,
}

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
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A test that failed does not wait for the thread; it ends by itself.
        self.is_over.store(true, Ordering::Release);
    }
}

fn write(address: &Mutex<SocketAddr>, is_over: &AtomicBool) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let mut http: Option<(SocketAddr, Http)> = None;
    let mut number = 0_u32;
    while !is_over.load(Ordering::Acquire) {
        let target = *address.lock().unwrap();
        if http.as_ref().is_none_or(|(of, _)| *of != target) {
            http = Some((target, Http::new(target)));
        }
        let Some((_, client)) = &mut http else { continue };
        let (name, request) = request(number);
        acknowledged.take(&name, request, request.send(client, &name));
        number += 1;
        let_pass(PAUSE);
    }
    acknowledged
}

/// Of seven requests four create jobs; the others replace, toggle and delete one of these each.
fn request(number: u32) -> (String, Request) {
    let written = Written { by: number, is_disabled: number.is_multiple_of(2) };
    let (of, request) = match number % 7 {
        4 => (number - 4, Request::Write(written)),
        5 => (number - 4, Request::Toggle),
        6 => (number - 4, Request::Delete),
        _ => (number, Request::Write(written)),
    };
    (format!("w-{of:06}"), request)
}

impl Request {
    fn send(self, http: &mut Http, name: &str) -> std::io::Result<Answer> {
        match self {
            Self::Write(Written { by, is_disabled }) => {
                let job = json!({
                    "name": name,
                    "schedule": "@every 1h",
                    "executor": "shell",
                    "executor_config": {"command": "true"},
                    "metadata": {"by": by.to_string()},
                    "disabled": is_disabled,
                });
                http.post("/v1/jobs", job.to_string())
            }
            Self::Toggle => http.post(&format!("/v1/jobs/{name}/toggle"), ""),
            Self::Delete => http.send("DELETE", &format!("/v1/jobs/{name}"), &[], b""),
        }
    }

    /// Returns what a job is like after the request, if it takes effect on one like this.
    fn apply(self, before: Option<Written>) -> Option<Written> {
        match self {
            Self::Write(written) => Some(written),
            Self::Toggle => before.map(|was| Written { is_disabled: !was.is_disabled, ..was }),
            Self::Delete => None,
        }
    }
}

impl Acknowledged {
    /// Takes the answer to a request into account.
    fn take(&mut self, name: &str, request: Request, answer: std::io::Result<Answer>) {
        let before = self.jobs.remove(name).unwrap_or_else(|| BTreeSet::from([None]));
        let after = before.iter().map(|was| request.apply(*was));
        let known: Known = match answer {
            Ok(answer) if matches!(answer.status, 200 | 201) => {
                match request {
                    Request::Write(_) => self.updates += usize::from(!before.contains(&None)),
                    Request::Toggle => self.toggles += 1,
                    Request::Delete => {}
                }
                // To toggle or to delete it, it must have been there.
                let is_write = matches!(request, Request::Write(_));
                let possible = before.iter().filter(|was| is_write || was.is_some());
                possible.map(|was| request.apply(*was)).collect()
            }
            // What was asked for is not there, and it might have been missing.
            Ok(answer) if answer.status == 404 && before.contains(&None) => BTreeSet::from([None]),
            Ok(answer) if answer.status < 500 => {
                panic!("{request:?} of {name}, which is {before:?}: {}", answer.text())
            }
            Ok(_) | Err(_) => after.chain(before.iter().copied()).collect(),
        };
        assert!(!known.is_empty(), "{request:?} of {name} was acknowledged, and it was not there");
        self.jobs.insert(name.to_owned(), known);
    }

    /// Holds what is stored against what was acknowledged.
    pub fn check(&self, cluster: &Cluster) {
        let (mut exist, mut deleted) = (0, 0);
        for (name, known) in &self.jobs {
            let stored = cluster.job(name).unwrap().map(|view| Written {
                by: view.job.metadata["by"].parse().unwrap(),
                is_disabled: view.job.disabled,
            });
            assert!(known.contains(&stored), "{name} is {stored:?}, acknowledged was {known:?}");
            if known.len() == 1 {
                exist += usize::from(stored.is_some());
                deleted += usize::from(stored.is_none());
            }
        }
        let Self { updates, toggles, .. } = self;
        println!(
            "{exist} jobs as acknowledged, {deleted} deleted and gone; {updates} replaced, \
             {toggles} toggled"
        );
        assert!(exist > 200, "the writer hardly wrote");
        assert!(*updates > 50 && *toggles > 50, "the writer hardly changed what it wrote");
    }
}
