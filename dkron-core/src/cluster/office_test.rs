//! When a node takes office.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::adapters::entropy::SystemEntropy;
use crate::adapters::executor::ExecutorSet;
use crate::adapters::storage::Storage;
use crate::driver::{CourierParts, Runs};
use crate::kernel::state::{Envelope, Outcome, Report};
use crate::ports::{Log, LogFuture};

/// A log that accepts once it is told to.
#[derive(Default)]
struct TestLog {
    accepts: AtomicBool,
}

impl Log for TestLog {
    fn propose(&self, commands: Vec<Envelope>) -> LogFuture {
        let answer = if self.accepts.load(Ordering::Acquire) {
            Ok(vec![Outcome::Done; commands.len()])
        } else {
            Err(Error::new(ErrorKind::Storage, "the disk is full"))
        };
        Box::pin(std::future::ready(answer))
    }
}

fn leadership(term: Option<u64>) -> Leadership {
    let name = NodeName::parse("n1").unwrap();
    Leadership {
        is_leader: term.is_some(),
        leader: term.is_some().then_some(name),
        term: term.unwrap_or_default(),
        has_applied_former_terms: term.is_some(),
    }
}

struct World {
    log: Arc<TestLog>,
    leadership: watch::Sender<Leadership>,
    state: watch::Receiver<OfficeState>,
    news: Receiver<EngineNews>,
    _storage: Storage,
}

impl World {
    /// A node with a result of an earlier start in its outbox, and a log that refuses it.
    fn new() -> Self {
        let storage = Storage::in_memory();
        storage.outbox.add(&[Report::sample("backup", 1)]).unwrap();
        let (log, (sender, incoming)) = (Arc::<TestLog>::default(), mpsc::unbounded_channel());
        let executors = Arc::new(ExecutorSet::new());
        let runs = Runs::new(executors, Arc::new(SystemClock), Handle::current(), sender);
        let parts = CourierParts {
            log: Arc::clone(&log) as Arc<_>,
            outbox: Arc::clone(&storage.outbox),
            runs: Arc::new(runs),
            incoming,
        };
        let (news, received) = sync_channel(8);
        let (told, state) = watch::channel(OfficeState::default());
        let office = Office {
            name: NodeName::parse("n1").unwrap(),
            instance: 2,
            state: Arc::clone(&storage.state),
            entropy: Arc::new(SystemEntropy::open().unwrap()),
            progress: watch::channel(ApplyProgress::default()).1,
            courier: Arc::new(Courier::start(&Handle::current(), parts)),
            news,
            told,
        };
        let (leadership, followed) = watch::channel(Leadership::default());
        tokio::spawn(office.follow(followed));
        Self { log, leadership, state, news: received, _storage: storage }
    }

    async fn told(&self, what: &str, is_so: impl FnMut(&OfficeState) -> bool) {
        let mut state = self.state.clone();
        let told = tokio::time::timeout(Duration::from_secs(60), state.wait_for(is_so)).await;
        assert!(matches!(told, Ok(Ok(_))), "waited in vain for {what}");
    }

    fn was_told_to_lead(&self) -> bool {
        loop {
            match self.news.try_recv() {
                Ok(EngineNews::Leading { .. }) => return true,
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn office_is_taken_only_once_results_of_earlier_starts_are_delivered() {
    let world = World::new();
    world.leadership.send_replace(leadership(Some(1)));
    let is_disk_full = |state: &OfficeState| {
        state.obstacle.as_ref().is_some_and(|obstacle| obstacle.contains("the disk is full"))
    };
    world.told("the obstacle", is_disk_full).await;
    assert!(!world.was_told_to_lead());

    world.log.accepts.store(true, Ordering::Release);
    world.told("the office", |state| state.is_ready).await;

    assert!(world.was_told_to_lead());
}

#[tokio::test(start_paused = true)]
async fn a_term_that_ends_before_the_office_is_taken_is_given_up() {
    let world = World::new();
    world.leadership.send_replace(leadership(Some(1)));
    world.told("the obstacle", |state| state.obstacle.is_some()).await;

    world.leadership.send_replace(leadership(None));
    world.log.accepts.store(true, Ordering::Release);
    world.leadership.send_replace(leadership(Some(3)));
    world.told("the office", |state| state.is_ready).await;

    assert!(world.was_told_to_lead());
    assert!(!world.was_told_to_lead(), "once");
}
