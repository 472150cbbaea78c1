//! Proposals, reads, snapshots and ends of one node, over real storage.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::adapters::consensus::{ConsensusConfig, LogBudget};
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::kernel::model::{Job, JobName, NodeName};
use crate::kernel::state::{Command, JobWrite, Outcome, Report, StoredOutput, query};
use crate::ports::{Clock, Store};

/// How long a test waits for anything.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A node of one, as tests use it.
pub struct Node {
    pub consensus: Consensus,
    pub storage: Storage,
    applied: mpsc::Receiver<EntryEvents>,
}

impl Node {
    pub async fn start(storage: Storage) -> Self {
        Self::start_with(storage, 64 << 20).await
    }

    pub async fn start_with(storage: Storage, log_bytes_max: u64) -> Self {
        Self::start_at(storage, log_bytes_max, Arc::new(SystemClock)).await
    }

    async fn start_at(storage: Storage, log_bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        let (sender, applied) = mpsc::channel(1 << 16);
        let config = ConsensusConfig {
            node: NodeName::parse("n1").unwrap(),
            raft_multiplier: 1,
            log_budget: log_budget(log_bytes_max),
            clock,
        };
        let consensus = Consensus::open(
            config,
            Arc::clone(&storage.log),
            Arc::clone(&storage.snapshots),
            Arc::clone(&storage.state),
            sender,
        )
        .await
        .unwrap();
        consensus.bootstrap(77).await.unwrap();
        let mut leadership = consensus.leadership();
        let ready = leadership.wait_for(|now| now.has_applied_former_terms);
        tokio::time::timeout(WAIT_MAX, ready).await.expect("it leads").unwrap();
        Self { consensus, storage, applied }
    }

    pub async fn start_in(path: &Path) -> Self {
        Self::start(open(path)).await
    }

    pub async fn set_job(&self, name: &str) -> Result<Vec<Outcome>, Error> {
        self.consensus.propose(vec![set_job(name)]).await
    }

    async fn next_applied(&mut self) -> EntryEvents {
        tokio::time::timeout(WAIT_MAX, self.applied.recv()).await.expect("in time").expect("one")
    }

    pub fn has_job(&self, name: &str) -> bool {
        let view = self.storage.state.read().unwrap();
        query::job(&view, &JobName::parse(name).unwrap()).unwrap().is_some()
    }

    pub async fn stop(self) {
        self.consensus.shutdown(WAIT_MAX).await;
        let Self { consensus, storage, applied } = self;
        drop((consensus, applied));
        let closed = tokio::task::spawn_blocking(move || storage.close(WAIT_MAX));
        assert!(closed.await.unwrap(), "the data dir is closed");
    }
}

fn log_budget(bytes_max: u64) -> LogBudget {
    LogBudget { bytes_max, bytes_ceiling: bytes_max, records_kept: 1_000 }
}

pub fn data_dir(path: &Path) -> DataDirConfig {
    DataDirConfig {
        path: path.to_owned(),
        node: NodeName::parse("n1").unwrap(),
        allow_network_file_system: false,
    }
}

pub fn open(path: &Path) -> Storage {
    Storage::open(&data_dir(path)).unwrap()
}

pub fn set_job(name: &str) -> Envelope {
    let job = Job::new(JobName::parse(name).unwrap());
    let write = JobWrite::new(job, None);
    Envelope { request: None, command: Command::SetJob(Box::new(write)) }
}

#[tokio::test]
async fn commands_are_applied_in_order_and_answered_in_order() {
    let mut node = Node::start(Storage::in_memory()).await;
    let names: Vec<String> = (0..10_000).map(|n| format!("job-{n}")).collect();
    let mut commands: Vec<Envelope> = names.iter().map(|name| set_job(name)).collect();
    commands.push(set_job("job-3"));

    let outcomes = node.consensus.propose(commands).await.unwrap();

    assert_eq!(outcomes.len(), 10_001);
    let revisions: Vec<u64> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Written { revision } => *revision,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(revisions[3], revisions[10_000], "an equal write keeps the revision");
    assert!(node.has_job("job-9999"));
    let mut indexes = Vec::new();
    while indexes.len() < 3 {
        indexes.push(node.next_applied().await.index);
    }
    assert!(indexes.is_sorted(), "10,001 commands take three entries: {indexes:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_restarted_node_has_everything_and_leads_a_new_term() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_in(dir.path()).await;
    assert_eq!(node.consensus.cluster_id(), Some(77));
    let first_term = node.consensus.leadership().borrow().term;
    for n in 0..20 {
        node.set_job(&format!("job-{n}")).await.unwrap();
    }
    node.stop().await;

    let node = Node::start_in(dir.path()).await;

    assert!((0..20).all(|n| node.has_job(&format!("job-{n}"))));
    assert!(node.consensus.leadership().borrow().term > first_term);
    assert!(!node.consensus.bootstrap(99).await.unwrap(), "it belongs to a cluster");
    assert_eq!(node.consensus.cluster_id(), Some(77));
    node.set_job("later").await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_log_that_grows_is_cut_behind_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_with(open(dir.path()), 16 << 10).await;
    let mut n = 0;
    let is_purged = async {
        while node.consensus.metrics().purged_index.is_none() {
            n += 1;
            node.set_job(&format!("job-{n}")).await.unwrap();
        }
    };
    tokio::time::timeout(WAIT_MAX, is_purged).await.expect("the log is purged");
    assert!(node.consensus.metrics().snapshot_index.is_some());
    node.set_job("later").await.unwrap();
    node.stop().await;

    let node = Node::start_in(dir.path()).await;
    assert!((1..=n).all(|n| node.has_job(&format!("job-{n}"))));
    assert!(node.has_job("later"));
    node.stop().await;
}

#[tokio::test]
async fn a_damaged_state_is_made_anew_from_snapshot_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_with(open(dir.path()), 16 << 10).await;
    let mut n = 0;
    let has_snapshot = async {
        while node.consensus.metrics().snapshot_index.is_none() {
            n += 1;
            node.set_job(&format!("job-{n}")).await.unwrap();
        }
    };
    tokio::time::timeout(WAIT_MAX, has_snapshot).await.expect("a snapshot is written");
    node.set_job("later").await.unwrap();
    node.stop().await;
    let file = dir.path().join("state/data.mdb");
    let mut bytes = std::fs::read(&file).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - 5).filter(|at| bytes[*at..].starts_with(b"job-1")).collect();
    for place in places {
        bytes[place] ^= 1;
    }
    std::fs::write(&file, bytes).unwrap();

    let node = Node::start_in(dir.path()).await;

    assert!((1..=n).all(|n| node.has_job(&format!("job-{n}"))));
    assert!(node.has_job("later"));
    assert!(dir.path().join("state.damaged").exists());
    node.stop().await;
}

#[tokio::test]
async fn commands_larger_than_an_entry_travel_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_in(dir.path()).await;
    let large = |name: String| {
        let mut job = Job::new(JobName::parse(&name).unwrap());
        job.metadata.insert("text".to_owned(), "x".repeat(900_000));
        let write = JobWrite::new(job, None);
        Envelope { request: None, command: Command::SetJob(Box::new(write)) }
    };
    let commands = (0..12).map(|n| large(format!("job-{n}"))).collect();

    let outcomes = node.consensus.propose(commands).await.unwrap();

    assert_eq!(outcomes.len(), 12);
    assert!((0..12).all(|n| node.has_job(&format!("job-{n}"))));
    node.stop().await;
}

#[tokio::test]
async fn a_node_outside_a_cluster_refuses_and_nothing_happened() {
    let storage = Storage::in_memory();
    let (sender, _applied) = mpsc::channel(16);
    let config = ConsensusConfig {
        node: NodeName::parse("n1").unwrap(),
        raft_multiplier: 1,
        log_budget: log_budget(64 << 20),
        clock: Arc::new(SystemClock),
    };
    let Storage { log, snapshots, state, .. } = &storage;
    let consensus =
        Consensus::open(config, Arc::clone(log), Arc::clone(snapshots), Arc::clone(state), sender)
            .await
            .unwrap();

    let error = consensus.propose(vec![set_job("a")]).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NotLeader);
    assert!(!error.may_have_happened());
    consensus.shutdown(WAIT_MAX).await;
}

#[tokio::test]
async fn a_stopped_node_refuses() {
    let node = Node::start(Storage::in_memory()).await;
    node.consensus.shutdown(WAIT_MAX).await;

    let error = node.set_job("a").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert!(!error.may_have_happened());
    assert!(!node.consensus.leadership().borrow().is_leader);
}

#[tokio::test]
async fn too_much_at_once_is_refused() {
    let node = Node::start(Storage::in_memory()).await;
    let output = StoredOutput {
        bytes_total: 0,
        packing: 0,
        bytes: vec![0; crate::limits::PROPOSAL_BYTES_QUEUED_MAX + 1],
    };
    let command = Command::Finish(Report { output, ..Report::sample("a", 1) });

    let large = node.consensus.propose(vec![Envelope { request: None, command }]);
    let error = node.set_job("a").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(!error.may_have_happened());
    assert!(matches!(large.await.unwrap()[..], [Outcome::Rejected(_)]));
    node.set_job("a").await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn times_of_entries_do_not_go_back() {
    /// Goes back at each look.
    struct Backwards(AtomicU64);

    impl Clock for Backwards {
        fn now(&self) -> Timestamp {
            let looks = self.0.fetch_add(1, Ordering::Relaxed);
            Timestamp::MAX.saturating_sub(Duration::from_secs(looks))
        }
    }

    let storage = Storage::in_memory();
    let clock = Arc::new(Backwards(AtomicU64::new(0)));
    let mut node = Node::start_at(storage, 64 << 20, clock).await;
    let mut times = Vec::new();
    for n in 0..3 {
        node.set_job(&format!("job-{n}")).await.unwrap();
        times.push(node.next_applied().await.at);
    }
    assert!(times.is_sorted(), "{times:?}");
    node.stop().await;
}
