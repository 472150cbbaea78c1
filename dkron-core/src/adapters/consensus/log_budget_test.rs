//! The log stays within its budget in bytes, whatever is proposed.

use std::fs::OpenOptions;
use std::time::{Duration, Instant};

use super::super::handle::tests::Node;
use crate::adapters::storage::Storage;
use crate::adapters::storage::disk_full_test::{SmallDisk, open};
use crate::error::ErrorKind;
use crate::kernel::model::{ExecutionId, ExecutionState, Job, JobName, NodeName};
use crate::kernel::state::{Command, Envelope, JobWrite, Report, StoredOutput};
use crate::kernel::time::Timestamp;

/// How long a test waits for anything.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The budget of the logs here.
const BUDGET: u64 = 1 << 20;
/// What one run leaves, which cannot be packed any more.
const OUTPUT_BYTES: usize = 20_000;
/// Results in one entry.
const REPORTS_PER_ENTRY: usize = 5;
/// Steps; together they take eighty times the budget.
const STEPS: usize = 80;
/// Entries proposed before the log has to be cut: about the budget. Nothing holds proposals back
/// while whoever writes the snapshot waits for a processor.
const ENTRIES_PER_STEP: usize = 10;

/// Bytes that look random.
fn noise(seed: &mut u64, bytes: usize) -> Vec<u8> {
    let mut byte = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 40) as u8
    };
    (0..bytes).map(|_| byte()).collect()
}

/// A result of a run that nobody claimed: the log takes it, and the state refuses it.
fn report(seed: &mut u64) -> Envelope {
    let bytes = noise(seed, OUTPUT_BYTES);
    let report = Report {
        job: JobName::parse("a").unwrap(),
        execution: ExecutionId { due_ns: 1, node: NodeName::parse("n1").unwrap() },
        token: 1,
        started_at: None,
        finished_at: Timestamp::UNIX_EPOCH,
        state: ExecutionState::Succeeded,
        output: StoredOutput { bytes_total: bytes.len() as u64, packing: 0, bytes },
    };
    Envelope { request: None, command: Command::Finish(report) }
}

async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WAIT_MAX, "waited in vain until {what}");
        tokio::task::yield_now().await;
    }
}

/// Proposes eighty times the budget, and sees that no more than one and a half of it stays.
async fn fill(node: &Node) {
    let mut seed = 7;
    for _ in 0..STEPS {
        for _ in 0..ENTRIES_PER_STEP {
            let commands = (0..REPORTS_PER_ENTRY).map(|_| report(&mut seed)).collect();
            node.consensus.propose(commands).await.unwrap();
        }
        // The growth that is allowed, what is kept of records in whole pages, and the last entry.
        let is_cut = || node.storage.log.bytes().unwrap() <= 3 * BUDGET / 2;
        wait_until("the log is cut", is_cut).await;
    }
}

#[tokio::test]
async fn large_outputs_do_not_fill_the_memory() {
    let node = Node::start_with(Storage::in_memory(), BUDGET).await;
    fill(&node).await;
    node.stop().await;
}

#[tokio::test]
async fn large_outputs_do_not_fill_a_small_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let storage = open(disk.path());
    assert_eq!((storage.log_bytes_max(), storage.log_bytes_ceiling()), (BUDGET, BUDGET));
    let node = Node::start_with(storage, BUDGET).await;
    fill(&node).await;
    node.stop().await;

    let begun = Instant::now();
    let storage = open(disk.path());
    println!("opened after {:?}", begun.elapsed());
    assert!(storage.log.bytes().unwrap() <= 2 * BUDGET);
    Node::start_with(storage, BUDGET).await.stop().await;
}

#[tokio::test]
async fn records_are_kept_behind_a_snapshot_as_far_as_they_are_small() {
    let node = Node::start_with(Storage::in_memory(), 16 << 10).await;
    let mut n = 0;
    while node.consensus.metrics().purged_index.is_none() {
        n += 1;
        assert!(n < 10_000, "nothing is purged");
        node.set_job(&format!("job-{n}")).await.unwrap();
    }

    let metrics = node.consensus.metrics();
    let (purged, covered) = (metrics.purged_index.unwrap(), metrics.snapshot_index.unwrap());
    let kept = node.storage.log.read(purged + 1, covered + 1, usize::MAX).unwrap();
    let bytes: usize = kept.iter().map(|record| record.body.len()).sum();
    assert!(bytes <= 4 << 10 && bytes > 3 << 10, "{bytes} bytes in {} records", kept.len());
    node.stop().await;
}

/// Writes a job of so many bytes, as soon as that is accepted.
async fn set_large(node: &Node, name: &str, bytes: usize, seed: &mut u64) {
    let mut job = Job::new(JobName::parse(name).unwrap());
    let text = noise(seed, bytes).iter().map(|byte| char::from(b' ' + byte % 64)).collect();
    job.metadata.insert("text".to_owned(), text);
    let command = Command::SetJob(Box::new(JobWrite::new(job, None)));
    let begun = Instant::now();
    let envelope = Envelope { request: None, command };
    while let Err(error) = node.consensus.propose(vec![envelope.clone()]).await {
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{}", error.report());
        assert!(begun.elapsed() < WAIT_MAX, "it is not accepted");
        tokio::task::yield_now().await;
    }
}

/// Goal: a snapshot for which there is no space holds up nothing, and is made up for by itself.
#[tokio::test]
async fn a_snapshot_that_did_not_fit_is_written_once_there_is_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let budget = 64 << 10;
    let node = Node::start_with(open(disk.path()), budget).await;
    let mut seed = 7;
    for name in ["a", "b", "c"] {
        set_large(&node, name, 900_000, &mut seed).await;
    }
    let metrics = || node.consensus.metrics();
    let is_covered = || metrics().snapshot_index == metrics().last_log_index;
    wait_until("a snapshot covers all", is_covered).await;
    // More than the reserve, and less than a snapshot.
    let ballast = disk.fill();
    let file = OpenOptions::new().write(true).open(&ballast).unwrap();
    file.set_len(file.metadata().unwrap().len() - (7 << 18)).unwrap();
    // Held open it would keep its space.
    drop(file);

    let before = metrics().snapshot_index;
    for n in 0..10 {
        set_large(&node, &format!("small-{n}"), 10_000, &mut seed).await;
    }
    assert_eq!(metrics().snapshot_index, before, "there is no space for one");

    std::fs::remove_file(ballast).unwrap();
    wait_until("there is one", || metrics().snapshot_index > before).await;
    let is_cut = || node.storage.log.bytes().unwrap() <= 3 * budget;
    wait_until("the log is cut", is_cut).await;
    node.stop().await;
}
