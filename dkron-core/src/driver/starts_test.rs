//! Runs begin at their instant, whatever the others do.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::kernel::model::{ExecutionState, JobName};
use crate::kernel::state::{Claim, Report};
use crate::ports::{Clock, Executors, RunContext};

const BOUND: Duration = Duration::from_secs(20);

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::UNIX_EPOCH.saturating_add(since)
    }
}

/// Runs that behave as the executor's name says.
struct Kinds {
    /// What the blocking run waits for.
    gate: Mutex<Receiver<()>>,
    /// What the patient run waits for.
    notify: Arc<Notify>,
    begun: std::sync::mpsc::Sender<(u64, Timestamp)>,
}

impl Executors for Kinds {
    fn run(&self, executor: &str, context: RunContext) -> RunFuture {
        self.begun.send((context.token, Wall.now())).unwrap();
        match executor {
            "blocks" => {
                self.gate.lock().unwrap().recv_timeout(BOUND).unwrap();
                Box::pin(std::future::ready(RunEnd::succeeded()))
            }
            "waits" => {
                let notify = Arc::clone(&self.notify);
                Box::pin(async move {
                    notify.notified().await;
                    RunEnd::succeeded()
                })
            }
            "spawns" => {
                let begun = tokio::spawn(async { tokio::time::sleep(Duration::ZERO).await });
                Box::pin(async move {
                    begun.await.unwrap();
                    RunEnd::succeeded()
                })
            }
            "panics" => panic!("as told"),
            "panics later" => Box::pin(async { panic!("as told") }),
            _ => Box::pin(std::future::ready(RunEnd::succeeded())),
        }
    }
}

struct World {
    runtime: Runtime,
    /// Has the threads of the starters.
    _pool: Runtime,
    runs: Arc<Runs>,
    reports: mpsc::UnboundedReceiver<Report>,
    open: std::sync::mpsc::Sender<()>,
    notify: Arc<Notify>,
    begun: Receiver<(u64, Timestamp)>,
}

impl World {
    /// Two starters, and two other threads for what blocks.
    fn new() -> Self {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(2).max_blocking_threads(2).enable_all();
        let runtime = builder.build().unwrap();
        let pool = Builder::new_current_thread().max_blocking_threads(2).build().unwrap();
        let (sender, reports) = mpsc::unbounded_channel();
        let (open, gate) = channel();
        let (noted, begun) = channel();
        let notify = Arc::new(Notify::new());
        let kinds = Kinds { gate: Mutex::new(gate), notify: Arc::clone(&notify), begun: noted };
        let handle = runtime.handle().clone();
        let runs = Runs::new(Arc::new(kinds), Arc::new(Wall), handle, sender)
            .with_starters(pool.handle().clone());
        Self { runtime, _pool: pool, runs: Arc::new(runs), reports, open, notify, begun }
    }

    /// Starts runs at once, with tokens from `first` on.
    fn start(&self, first: u64, executors: &[&str]) {
        let claims = executors.iter().zip(first..);
        self.runs.start(claims.map(|(executor, token)| claim(executor, token, Wall.now())), true);
    }

    /// Returns the next run that ended, and how.
    fn ended(&mut self) -> (u64, ExecutionState) {
        let next = async { tokio::time::timeout(BOUND, self.reports.recv()).await };
        let report = self.runtime.block_on(next).unwrap().unwrap();
        (report.token, report.state)
    }

    fn all_ended(&mut self, count: usize) -> BTreeMap<u64, ExecutionState> {
        (0..count).map(|_| self.ended()).collect()
    }
}

fn claim(executor: &str, token: u64, start_at: Timestamp) -> Claim {
    let job = Job { executor: executor.to_owned(), ..Job::new(JobName::parse("job").unwrap()) };
    Claim::sample(job, token, start_at)
}

#[test]
fn a_run_that_blocks_its_thread_holds_up_no_other() {
    let mut world = World::new();
    world.start(1, &["blocks", "quick", "quick", "quick"]);

    let others = world.all_ended(3);
    assert_eq!(others.keys().copied().collect::<Vec<_>>(), [2, 3, 4]);

    world.start(5, &["quick"]);
    assert_eq!(world.ended().0, 5);
    world.open.send(()).unwrap();
    assert_eq!(world.ended().0, 1);
}

#[test]
fn runs_begin_though_every_thread_for_what_blocks_hangs() {
    let mut world = World::new();
    let (open, gate) = channel();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..10 {
        let gate: Arc<Mutex<Receiver<()>>> = Arc::clone(&gate);
        // Two of them keep both threads, the others wait for one.
        world.runtime.spawn_blocking(move || gate.lock().unwrap().recv_timeout(BOUND));
    }

    world.start(1, &["quick", "waits", "quick"]);

    let both = world.all_ended(2);
    assert_eq!(both.keys().copied().collect::<Vec<_>>(), [1, 3]);
    world.notify.notify_one();
    assert_eq!(world.ended().0, 2);
    drop(open);
}

#[test]
fn what_a_first_step_spawns_goes_on_in_the_runtime_of_the_runs() {
    let mut world = World::new();
    world.start(1, &["spawns"]);
    assert_eq!(world.ended(), (1, ExecutionState::Succeeded));
}

#[test]
fn a_run_that_waits_goes_on_by_itself() {
    let mut world = World::new();
    world.start(1, &["waits", "quick"]);
    assert_eq!(world.ended(), (2, ExecutionState::Succeeded));

    world.notify.notify_one();

    assert_eq!(world.ended(), (1, ExecutionState::Succeeded));
}

#[test]
fn a_run_that_waits_is_not_held_up_by_one_that_blocks_the_thread_it_began_on() {
    let mut world = World::new();
    for token in (0..60).step_by(3) {
        world.start(token, &["waits", "blocks", "quick"]);
        assert_eq!(world.ended().0, token + 2);

        world.notify.notify_one();
        assert_eq!(world.ended().0, token);

        world.open.send(()).unwrap();
        assert_eq!(world.ended().0, token + 1);
    }
}

#[test]
fn an_executor_that_panics_fails_its_run_alone() {
    let mut world = World::new();
    world.start(1, &["panics", "panics later", "quick"]);

    let ends = world.all_ended(3);

    let (failed, succeeded) = (ExecutionState::Failed, ExecutionState::Succeeded);
    assert_eq!(ends, [(1, failed), (2, failed), (3, succeeded)].into());
}

#[test]
fn runs_handed_in_ahead_begin_at_their_instants() {
    let mut world = World::new();
    let now = Wall.now();
    let instant = |number: u64| now.saturating_add(Duration::from_micros(300 * (number / 10)));

    world.runs.start((0..30).map(|number| claim("quick", number, instant(number))), true);
    world.all_ended(30);

    for (token, begun) in world.begun.try_iter() {
        assert!(begun >= instant(token), "run {token} began at {begun}, not {}", instant(token));
    }
}

#[test]
fn a_claim_sent_twice_starts_once() {
    let mut world = World::new();
    let claim = claim("waits", 7, Wall.now());
    world.runs.start([claim.clone(), claim.clone()], true);
    world.runs.start([claim], true);
    world.start(8, &["quick"]);
    assert_eq!(world.ended().0, 8);

    world.notify.notify_one();

    assert_eq!(world.ended().0, 7);
    assert_eq!(world.begun.try_iter().count(), 2);
}

#[test]
fn how_long_ahead_follows_the_threads_and_has_a_bound() {
    let pool = Builder::new_current_thread().build().unwrap();
    let starts = Starts::new(2, pool.handle().clone());
    let at = Timestamp::from_unix_s(1_900_000_000).unwrap();
    let after = |span: Duration| at.saturating_add(span);
    let first = starts.ahead();

    starts.observe(at, after(Duration::from_secs(3)));
    assert_eq!(starts.ahead(), first, "an outage tells nothing about threads");

    starts.observe(at, after(Duration::from_micros(250)));
    let learned = first + Duration::from_micros(250);
    assert_eq!(starts.ahead(), learned);

    for _ in 0..10 {
        starts.observe(at, after(START_AHEAD_MAX));
    }
    assert_eq!(starts.ahead(), START_AHEAD_MAX);

    for _ in 0..10_000 {
        starts.observe(at, at.saturating_sub(starts.ahead()));
    }
    assert!(starts.ahead() < first / 10, "{:?}", starts.ahead());
}
