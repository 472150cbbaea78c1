//! Of more runs than there are places the rest wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};

use super::Runs;
use crate::kernel::model::{ExecutionState, Job, JobName};
use crate::kernel::state::{Claim, Report};
use crate::kernel::time::Timestamp;
use crate::ports::{Clock, Executors, RunContext, RunEnd, RunFuture};

/// Notes what has started, and ends as many runs as it is told to.
struct Patient {
    started: watch::Sender<Vec<u64>>,
    ends: Arc<Semaphore>,
}

impl Executors for Patient {
    fn run(&self, _executor: &str, context: RunContext) -> RunFuture {
        self.started.send_modify(|started| started.push(context.token));
        let ends = Arc::clone(&self.ends);
        Box::pin(async move {
            ends.acquire().await.expect("never closed").forget();
            RunEnd::succeeded()
        })
    }
}

#[derive(Default)]
struct Seconds(AtomicI64);

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_s(self.0.load(Ordering::Acquire)).unwrap()
    }
}

struct World {
    patient: Arc<Patient>,
    clock: Arc<Seconds>,
    runs: Arc<Runs>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl World {
    /// A node with two places for the runs of `shell`.
    fn new() -> Self {
        let ends = Arc::new(Semaphore::new(0));
        let patient = Arc::new(Patient { started: watch::Sender::default(), ends });
        let (sender, reports) = mpsc::unbounded_channel();
        let clock = Arc::new(Seconds::default());
        let runtime = Handle::current();
        let runs = Runs::new(
            Arc::clone(&patient) as Arc<_>,
            Arc::clone(&clock) as Arc<_>,
            runtime,
            sender,
        )
        .with_places("shell", 2);
        Self { patient, clock, runs: Arc::new(runs), reports }
    }

    async fn started(&self, tokens: &[u64]) {
        let mut started = self.patient.started.subscribe();
        let wanted = started.wait_for(|started| started == tokens);
        let known = tokio::time::timeout(Duration::from_secs(60), wanted).await;
        assert!(matches!(known, Ok(Ok(_))), "not {tokens:?}");
    }

    async fn report(&mut self) -> Report {
        let report = tokio::time::timeout(Duration::from_secs(60), self.reports.recv()).await;
        report.expect("a report").expect("runs are there")
    }
}

fn claim(token: u64, executor: &str) -> Claim {
    let job = Job::new(JobName::parse("backup").unwrap());
    let job = Job { executor: executor.to_owned(), ..job };
    Claim::sample(job, token, Timestamp::UNIX_EPOCH)
}

fn shell(tokens: std::ops::RangeInclusive<u64>) -> Vec<Claim> {
    tokens.map(|token| claim(token, "shell")).collect()
}

#[tokio::test(start_paused = true)]
async fn runs_above_the_bound_of_their_executor_start_in_order_as_others_end() {
    let mut world = World::new();
    world.runs.start(shell(1..=4), true);
    world.started(&[1, 2]).await;
    world.runs.start([claim(5, "shell"), claim(6, "handler")], true);
    world.started(&[1, 2, 6]).await;
    assert_eq!((world.runs.running_count(), world.runs.waiting_count()), (3, 3));
    let running = world.runs.running();
    assert_eq!(running.iter().map(|run| run.execution.token).collect::<Vec<_>>(), [1, 2, 6]);
    assert_eq!(world.runs.count(), 6, "a shutdown waits for all of them");
    world.runs.start(shell(3..=3), true);

    for (second, started) in
        [&[1, 2, 6, 3][..], &[1, 2, 6, 3, 4], &[1, 2, 6, 3, 4, 5]].into_iter().enumerate()
    {
        world.clock.0.store(second as i64 + 10, Ordering::Release);
        // The run of `handler` holds no place; it is the third to end.
        let ends = if second == 2 { 2 } else { 1 };
        world.patient.ends.add_permits(ends);
        for _ in 0..ends {
            world.report().await;
        }
        world.started(started).await;
    }
    assert_eq!(world.runs.waiting_count(), 0);

    world.patient.ends.add_permits(2);
    let (fourth, fifth) = (world.report().await, world.report().await);
    assert_eq!((fourth.token, fifth.token), (4, 5));
    assert_eq!(fifth.started_at, Timestamp::from_unix_s(12), "when it got its place");
    assert_eq!(world.runs.running_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_a_place_is_cancelled_at_once() {
    let mut world = World::new();
    world.runs.start(shell(1..=5), true);
    world.started(&[1, 2]).await;

    world.runs.cancel(4);
    let report = world.report().await;
    assert_eq!((report.token, report.state), (4, ExecutionState::Cancelled));

    world.runs.end_all();
    let reports = [world.report().await, world.report().await];
    let mut ended = reports.each_ref().map(|report| report.token);
    ended.sort_unstable();
    assert_eq!(ended, [3, 5], "the others end when their executor says so");
    assert_eq!(reports.map(|report| report.state), [ExecutionState::Lost; 2], "not by request");
    world.patient.ends.add_permits(2);
    world.report().await;
    world.report().await;
    world.started(&[1, 2]).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_gets_its_place_ahead_of_its_instant_waits_for_that() {
    let mut world = World::new();
    world.clock.0.store(10, Ordering::Release);
    let ahead = Claim { start_at: Timestamp::from_unix_s(11).unwrap(), ..claim(3, "shell") };
    world.runs.start(shell(1..=2), true);
    world.runs.start([ahead], true);
    world.started(&[1, 2]).await;

    world.patient.ends.add_permits(1);
    assert_eq!(world.report().await.started_at, Timestamp::from_unix_s(10));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*world.patient.started.borrow(), [1, 2]);

    world.clock.0.store(11, Ordering::Release);
    world.started(&[1, 2, 3]).await;
    world.patient.ends.add_permits(2);
    let reports = [world.report().await, world.report().await];
    let third = reports.iter().find(|report| report.token == 3).unwrap();
    assert_eq!(third.started_at, Timestamp::from_unix_s(11));
}
