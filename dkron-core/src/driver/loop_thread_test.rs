//! What the driver does when the state cannot be read.

use std::ops::ControlFlow;

use tokio::sync::mpsc;

use super::*;
use crate::kernel::model::{Job, NodeName};
use crate::kernel::node::EngineConfig;
use crate::kernel::state::{KeyRange, Order, Table, TableError, Tables};
use crate::kernel::time::{Timestamp, Zone};
use crate::ports::{Executors, LogFuture, RunContext, RunEnd, RunFuture};

/// A store of which every record is damaged.
struct Damaged;

impl Store for Damaged {
    type View<'a> = Self;

    fn read(&self) -> Result<Self, Error> {
        Ok(Self)
    }
}

fn damage<R>(table: Table) -> Result<R, TableError> {
    Err(TableError::Corrupt { table: table.as_str(), reason: "a flipped bit".to_owned() })
}

impl Tables for Damaged {
    fn get_with<R>(
        &self,
        table: Table,
        _: &[u8],
        _: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        damage(table)
    }

    fn walk(
        &self,
        table: Table,
        _: KeyRange<'_>,
        _: Order,
        _: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        damage(table)
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        damage(table)
    }
}

/// What is not asked for anything here.
struct Idle;

impl Log for Idle {
    fn propose(&self, _: Vec<Envelope>) -> LogFuture {
        Box::pin(std::future::pending())
    }
}

impl Clock for Idle {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

impl Executors for Idle {
    fn run(&self, _: &str, _: RunContext) -> RunFuture {
        Box::pin(std::future::ready(RunEnd::succeeded()))
    }
}

fn claim() -> Claim {
    Claim::sample(Job::new(JobName::parse("a").unwrap()), 1, Timestamp::UNIX_EPOCH)
}

/// A claim that was neither started nor given up would keep a job that forbids overlap from running
/// for as long as the process lives.
#[tokio::test]
async fn a_claim_of_which_nobody_can_tell_whether_it_started_ends_the_engine() {
    let (runtime, (reports, _kept)) = (Handle::current(), mpsc::unbounded_channel());
    let runs = Runs::new(Arc::new(Idle), Arc::new(Idle), runtime.clone(), reports);
    let (sender, _news) = std::sync::mpsc::sync_channel(1);
    let (region, server_zone) = ("global".to_owned(), Zone::UTC);
    let driver = Driver::new(DriverParts {
        engine: Engine::new(EngineConfig { region, server_zone, runs_max: 1 }),
        store: Arc::new(Damaged),
        log: Arc::new(Idle),
        clock: Arc::new(Idle),
        runs: Arc::new(runs),
        watch: Arc::new(Watch::new()),
        counter: Counter::new(&Arc::default(), &NodeName::parse("n1").unwrap(), false),
        runtime,
        sender,
    });

    let error = driver.perform(Effect::StartAgain(claim())).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.report().contains("a flipped bit"), "{}", error.report());
    assert_eq!(driver.parts.runs.count(), 0, "it was not started for that");
}
