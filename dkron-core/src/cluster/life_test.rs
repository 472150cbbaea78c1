//! What becomes of a node that cannot go on, or does not come to life.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use super::*;
use crate::cluster::{Cluster, JobBuilder};
use crate::kernel::model::{ExecutionId, ExecutionState};
use crate::kernel::state::{Table, TableError, TablesMut};
use crate::ports::{Change, Replica};

/// The longest wait for anything.
const BOUND: Duration = Duration::from_secs(20);

/// A row of the due table that nobody wrote.
struct Damage;

impl Change for Damage {
    type Output = ();

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
        tables.put(Table::Due, b"\0", b"damaged")
    }
}

#[tokio::test]
async fn a_node_whose_engine_fails_says_so_and_accepts_nothing() {
    let cluster = Cluster::start(Config::new("engine-fails").in_memory()).await.unwrap();
    cluster.handle("deaf", async |_| std::future::pending().await).unwrap();
    let deaf = JobBuilder::new("deaf").schedule("@manually").build().unwrap();
    cluster.set_job(deaf).await.unwrap();
    let run = cluster.run("deaf").await.unwrap();
    let mut events = cluster.events().unwrap();
    assert_eq!(cluster.health().fatal, None);

    let tick = JobBuilder::new("tick").schedule("* * * * * *").build().unwrap();
    cluster.set_job(tick.clone()).await.unwrap();
    cluster.node().unwrap().storage.state.update(&mut Damage).unwrap();
    let over = async { while events.next().await.is_some() {} };
    tokio::time::timeout(BOUND, over).await.expect("followers are told");

    let health = cluster.health();
    let fatal = health.fatal.clone().expect("the health says so");
    assert!(fatal.contains("nothing is scheduled any more"), "{fatal}");
    assert!(!health.is_ready());
    let stopped = tokio::time::timeout(BOUND, cluster.stopped_itself()).await;
    assert_eq!(stopped.expect("who waits for that is told"), fatal);
    let waited = tokio::time::timeout(BOUND, run.wait()).await.expect("who waits is told");
    assert!(waited.unwrap_err().message().contains(&fatal));
    let begun = Instant::now();
    let refused = loop {
        if let Err(error) = cluster.set_job(tick.clone()).await {
            break error;
        }
        assert!(begun.elapsed() < BOUND, "writes are still accepted");
    };
    assert_eq!(refused.kind(), ErrorKind::Stopped, "{}", refused.report());
    let _ = cluster.shutdown().await.expect_err("the end tells why as well");
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config::new("fails").data_dir(folder.path());

    // Not checked here, so that the log refuses it when the storage is open already.
    let error = Node::start(config().raft_multiplier(11)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{}", error.report());

    let cluster = Cluster::start(config()).await.expect("the data directory is free");
    cluster.shutdown().await.unwrap();
}

/// Leaves a result of job "long" in the outbox of a data directory; returns the execution.
async fn leave_a_result(config: Config) -> ExecutionId {
    let cluster = Cluster::start(config).await.unwrap();
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&started), Arc::clone(&go_on));
    cluster
        .handle("long", move |_| {
            let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
            async move {
                tell.notify_one();
                wait.notified().await;
                Ok("in the end".to_owned())
            }
        })
        .unwrap();
    let job = JobBuilder::new("long").schedule("@manually").build().unwrap();
    cluster.set_job(job).await.unwrap();
    let id = cluster.run("long").await.unwrap().receipt().executions[0].clone();
    tokio::time::timeout(BOUND, started.notified()).await.expect("it starts");

    // The log goes first, and the run ends after it.
    let node = cluster.node().unwrap();
    node.consensus.shutdown(Duration::ZERO).await;
    go_on.notify_one();
    tokio::time::timeout(BOUND, node.runs.drained()).await.expect("its result is kept");
    drop(node);
    let _ = tokio::time::timeout(BOUND, cluster.shutdown()).await.expect("the shutdown");
    id
}

#[tokio::test]
async fn a_result_that_cannot_be_handed_in_is_part_of_the_state_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config::new("keeps").data_dir(folder.path());
    let id = leave_a_result(config()).await;

    let again = Cluster::start(config()).await.unwrap();
    let execution = again.execution("long", &id).unwrap().unwrap();
    assert_eq!(execution.state, ExecutionState::Succeeded, "not lost");
    assert_eq!(again.output("long", &id).unwrap().unwrap().bytes, b"in the end");
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_time_limit_leaves_no_task_behind() {
    let cluster = Cluster::start(Config::new("limits").in_memory()).await.unwrap();
    let node = cluster.node().unwrap();
    let metrics = node.runtime.handle().metrics();

    let hour = Duration::from_secs(3_600);
    for _ in 0..100 {
        assert_eq!(node.within(hour, std::future::ready(7)).await, Some(7));
    }
    assert_eq!(node.within(Duration::ZERO, std::future::pending::<()>()).await, None);

    // A few belong to the node itself.
    let begun = Instant::now();
    while metrics.num_alive_tasks() > 50 {
        assert!(begun.elapsed() < BOUND, "{} tasks are left", metrics.num_alive_tasks());
        tokio::task::yield_now().await;
    }
    drop(node);
    cluster.shutdown().await.unwrap();
}

/// A history whose check takes longer than a leader is waited for holds up a start, and no more.
#[tokio::test(start_paused = true)]
async fn the_time_that_a_check_takes_is_not_counted_as_time_without_a_leader() {
    let wait = |checks: u32| async move {
        let (_told, state) = watch::channel(OfficeState::default());
        let asked = AtomicU32::new(0);
        let is_excused = || asked.fetch_add(1, Ordering::Relaxed) < checks;
        let begun = tokio::time::Instant::now();
        assert!(!is_led(state, is_excused).await, "nobody leads");
        begun.elapsed().as_secs()
    };
    let wait_max = LEADER_WAIT_MAX.as_secs();
    assert_eq!(wait(0).await, wait_max);
    assert_eq!(wait(1).await, 2 * wait_max);
    assert_eq!(wait(7).await, 8 * wait_max);

    let (told, state) = watch::channel(OfficeState::default());
    let led = tokio::spawn(is_led(state, || true));
    tokio::time::sleep(5 * LEADER_WAIT_MAX).await;
    assert!(!led.is_finished(), "the check goes on");
    told.send_replace(OfficeState { is_ready: true, obstacle: None });
    assert!(led.await.unwrap());

    let (told, state) = watch::channel(OfficeState::default());
    drop(told);
    assert!(!is_led(state, || true).await, "the node ends");
}

/// Goal: a start with a result to hand in gets through though its history is being checked.
#[tokio::test]
async fn a_start_that_needs_its_history_goes_on_once_that_was_checked() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new("held").data_dir(folder.path());
    leave_a_result(config.clone()).await;
    let (name, zone) = name_and_zone(&config).unwrap();
    let mut storage = open_storage(&config, &name).unwrap();
    let hold = storage.hold_history();
    let storage = NodeStorage::new(storage);

    let starting = std::thread::spawn(move || Node::start_on(storage, config, name, zone));
    let begun = Instant::now();
    while !hold.is_awaited() {
        assert!(begun.elapsed() < BOUND, "nobody needs the history");
        tokio::task::yield_now().await;
    }
    assert!(!starting.is_finished(), "the result is not handed in");
    drop(hold);

    let node = starting.join().unwrap().map_err(|error| error.report()).unwrap();
    assert!(!node.storage.state.is_checking_history());
    node.stop().unwrap();
    node.end().unwrap();
}
