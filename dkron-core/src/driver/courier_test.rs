//! Results reach the log or the disk, whichever can be had.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::time::Instant;

use super::*;
use crate::kernel::model::{Job, JobName};
use crate::kernel::state::{Claim, Command, Envelope, Outcome};
use crate::kernel::time::Timestamp;
use crate::ports::{Clock, Executors, LogFuture, OutboxMark, RunContext, RunEnd, RunFuture};

/// What the log does with a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Accepts,
    Refuses,
    Hangs,
}

/// A log that notes what it accepted.
struct TestLog {
    mood: Mutex<Mood>,
    proposed: AtomicUsize,
    accepted: watch::Sender<Vec<u64>>,
}

impl Log for TestLog {
    fn propose(&self, commands: Vec<Envelope>) -> LogFuture {
        self.proposed.fetch_add(1, Ordering::AcqRel);
        match *self.mood.lock().unwrap() {
            Mood::Accepts => {
                let token = |envelope: &Envelope| match &envelope.command {
                    Command::Finish(report) => report.token,
                    other => panic!("{other:?}"),
                };
                self.accepted.send_modify(|known| known.extend(commands.iter().map(token)));
                let outcomes = vec![Outcome::Done; commands.len()];
                Box::pin(std::future::ready(Ok(outcomes)))
            }
            Mood::Refuses => {
                let error = Error::new(ErrorKind::Unavailable, "nobody leads");
                Box::pin(std::future::ready(Err(error)))
            }
            Mood::Hangs => Box::pin(std::future::pending()),
        }
    }
}

/// An outbox in memory, which can refuse to write.
#[derive(Default)]
struct TestOutbox {
    is_full: AtomicBool,
    kept: watch::Sender<Vec<Report>>,
}

impl Outbox for TestOutbox {
    fn add(&self, reports: &[Report]) -> Result<(), Error> {
        if self.is_full.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Storage, "the disk is full"));
        }
        self.kept.send_modify(|kept| kept.extend_from_slice(reports));
        Ok(())
    }

    /// One report at a time.
    fn read(&self, from: OutboxMark) -> Result<Option<(Vec<Report>, OutboxMark)>, Error> {
        let next = self.kept.borrow().get(from.0 as usize).cloned();
        Ok(next.map(|report| (vec![report], OutboxMark(from.0 + 1))))
    }

    fn clear(&self) -> Result<(), Error> {
        self.kept.send_modify(Vec::clear);
        Ok(())
    }
}

/// Ends every run at once.
struct Quick;

impl Executors for Quick {
    fn run(&self, _executor: &str, _context: RunContext) -> RunFuture {
        Box::pin(std::future::ready(RunEnd::succeeded()))
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

struct World {
    log: Arc<TestLog>,
    outbox: Arc<TestOutbox>,
    runs: Arc<Runs>,
    courier: Courier,
    last_token: u64,
    /// From the runs, and on to the courier.
    reports: (mpsc::UnboundedReceiver<Report>, mpsc::UnboundedSender<Report>),
}

impl World {
    /// Starts with results of earlier processes in the outbox.
    fn with_left_over(mood: Mood, tokens: &[u64]) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let (forward, incoming) = mpsc::unbounded_channel();
        let runs = Arc::new(Runs::new(Arc::new(Quick), Arc::new(Still), Handle::current(), sender));
        let accepted = watch::Sender::new(Vec::new());
        let proposed = AtomicUsize::new(0);
        let log = Arc::new(TestLog { mood: Mutex::new(mood), proposed, accepted });
        let outbox = Arc::new(TestOutbox::default());
        let left: Vec<Report> =
            tokens.iter().map(|token| Report::sample("backup", *token)).collect();
        outbox.add(&left).unwrap();
        let parts = CourierParts {
            log: Arc::clone(&log) as Arc<_>,
            outbox: Arc::clone(&outbox) as Arc<_>,
            runs: Arc::clone(&runs),
            incoming,
        };
        let courier = Courier::start(&Handle::current(), parts);
        Self { log, outbox, runs, courier, last_token: 0, reports: (reports, forward) }
    }

    async fn new(mood: Mood) -> Self {
        let world = Self::with_left_over(mood, &[]);
        world.caught_up().await;
        world
    }

    fn now(&self, mood: Mood) {
        *self.log.mood.lock().unwrap() = mood;
    }

    /// Starts a run, which ends at once, and lets its report come alone.
    async fn run(&mut self) -> u64 {
        self.last_token += 1;
        self.runs.start([claim(self.last_token)], true);
        let report = self.reports.0.recv().await.unwrap();
        // Fails only after the courier has been closed.
        let _ = self.reports.1.send(report);
        tokio::task::yield_now().await;
        self.last_token
    }

    async fn runs(&mut self, count: usize) -> Vec<u64> {
        let mut tokens = Vec::new();
        for _ in 0..count {
            tokens.push(self.run().await);
        }
        tokens
    }

    /// Waits until the outbox holds exactly these, in whatever order.
    async fn kept(&self, tokens: &[u64]) {
        let mut kept = self.outbox.kept.subscribe();
        let is_so = |kept: &Vec<Report>| sorted(kept.iter().map(|report| report.token)) == tokens;
        within(&format!("{tokens:?} in the outbox"), kept.wait_for(is_so)).await.unwrap();
    }

    /// Waits until the log has exactly these, in whatever order, some perhaps more than once.
    async fn accepted(&self, tokens: &[u64]) {
        let mut accepted = self.log.accepted.subscribe();
        let is_so = |known: &Vec<u64>| sorted(known.iter().copied()) == tokens;
        within(&format!("{tokens:?} in the log"), accepted.wait_for(is_so)).await.unwrap();
    }

    async fn caught_up(&self) {
        let mut backlog = self.courier.backlog();
        let is_so = |backlog: &Backlog| *backlog == Backlog::None;
        within("the outbox to be empty", backlog.wait_for(is_so)).await.unwrap();
    }
}

/// Gives `work` a minute of the paused clock, which takes no time.
async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), work).await {
        Ok(done) => done,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

fn sorted(tokens: impl Iterator<Item = u64>) -> Vec<u64> {
    tokens.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn claim(token: u64) -> Claim {
    Claim::sample(Job::new(JobName::parse("backup").unwrap()), token, Timestamp::UNIX_EPOCH)
}

#[tokio::test(start_paused = true)]
async fn while_the_log_accepts_the_outbox_is_not_touched() {
    let mut world = World::new(Mood::Accepts).await;
    world.outbox.is_full.store(true, Ordering::Release);

    let tokens = world.runs(20).await;

    world.accepted(&tokens).await;
    within("the acknowledgements", world.runs.drained()).await;
}

#[tokio::test(start_paused = true)]
async fn every_result_of_an_outage_is_in_the_outbox_while_it_lasts() {
    let mut world = World::new(Mood::Refuses).await;

    let tokens = world.runs(20).await;

    world.kept(&tokens).await;
    assert!(world.log.accepted.borrow().is_empty());
    within("a shutdown need not wait for the log", world.runs.drained()).await;
}

#[tokio::test(start_paused = true)]
async fn results_do_not_wait_in_memory_for_a_log_that_does_not_answer() {
    let mut world = World::new(Mood::Hangs).await;

    let tokens = world.runs(20).await;

    world.kept(&tokens).await;
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_is_delivered_and_the_outbox_is_emptied() {
    let mut world = World::new(Mood::Refuses).await;
    let mut tokens = world.runs(5).await;
    world.kept(&tokens).await;

    world.now(Mood::Accepts);
    world.caught_up().await;
    world.kept(&[]).await;
    world.accepted(&tokens).await;
    assert!(world.runs.get(1).is_none(), "they are acknowledged");

    world.outbox.is_full.store(true, Ordering::Release);
    tokens.push(world.run().await);
    world.accepted(&tokens).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_left_is_delivered_before_the_outbox_counts_as_empty() {
    let world = World::with_left_over(Mood::Refuses, &[7, 8, 9]);
    let mut backlog = world.courier.backlog();
    let is_told = |backlog: &Backlog| matches!(backlog, Backlog::Waiting(Some(_)));
    let told = within("the reason", backlog.wait_for(is_told)).await.unwrap().clone();
    assert_eq!(told, Backlog::Waiting(Some("nobody leads".to_owned())));

    world.now(Mood::Accepts);
    world.courier.hurry();
    world.caught_up().await;

    assert_eq!(*world.log.accepted.borrow(), [7, 8, 9]);
    world.kept(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_results_costs_none_while_the_process_lives() {
    let mut world = World::new(Mood::Refuses).await;
    world.outbox.is_full.store(true, Ordering::Release);
    let mut tokens = world.runs(5).await;

    world.outbox.is_full.store(false, Ordering::Release);
    world.kept(&tokens).await;
    world.outbox.is_full.store(true, Ordering::Release);
    tokens.extend(world.runs(5).await);
    world.now(Mood::Accepts);

    world.accepted(&tokens).await;
    world.caught_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_keeps_what_is_not_acknowledged() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let mut world = World::new(mood).await;
        let tokens = world.runs(20).await;

        within("the close", world.courier.close()).await.unwrap();

        world.kept(&tokens).await;
        within("a second one", world.courier.close()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_for_what_is_in_the_outbox_already() {
    let world = World::with_left_over(Mood::Hangs, &[7]);
    while world.log.proposed.load(Ordering::Acquire) == 0 {
        tokio::task::yield_now().await;
    }

    let begun = Instant::now();
    within("the close", world.courier.close()).await.unwrap();

    assert_eq!(begun.elapsed(), Duration::ZERO);
    world.kept(&[7]).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_tells_of_results_that_are_lost() {
    let mut world = World::new(Mood::Refuses).await;
    world.outbox.is_full.store(true, Ordering::Release);
    world.runs(3).await;

    let error = within("the close", world.courier.close()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Storage);
    assert_eq!(error.report(), "3 results could neither be handed in nor kept: the disk is full",);
}
