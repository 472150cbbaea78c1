//! What only shows in processes: a node that is killed, and one that was forked.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::ForkResult;

use super::handle::tests::{Node, data_dir, open, set_job};
use crate::error::ErrorKind;
use crate::kernel::state::{Table, Tables};
use crate::ports::Store;

/// Where the child of the kill test works; set only for it.
const CHILD_DIR: &str = "DKRON_TEST_CHILD_DIR";
/// Which names it uses.
const CHILD_ROUND: &str = "DKRON_TEST_CHILD_ROUND";
/// Proposals that the child has under way at once.
const WRITERS: usize = 8;
/// How often it is killed.
const ROUNDS: usize = 6;

/// The child of the test below; as a test of its own it does nothing.
#[test]
fn child_that_writes_until_it_is_killed() {
    let (Ok(dir), Ok(round)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_ROUND)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Arc::new(Node::start_in(Path::new(&dir)).await);
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let (node, round) = (Arc::clone(&node), round.clone());
            writers.push(tokio::spawn(async move {
                for n in 0.. {
                    let name = format!("job-{round}-{writer}-{n}");
                    node.set_job(&name).await.unwrap();
                    // One call, so that lines do not mix.
                    std::io::stdout().write_all(format!("ack {name}\n").as_bytes()).unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

fn spawn_child(dir: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("adapters::consensus::process_test::child_that_writes_until_it_is_killed")
        .env(CHILD_DIR, dir)
        .env(CHILD_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Goal: what was acknowledged survives kill -9, whenever it comes.
/// Method: a child writes and says what was acknowledged; it is killed after a number of lines,
/// another one each round; then the data dir is opened and looked at.
#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = spawn_child(dir.path(), round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = 1 + round * 37;
        let acks = |lines: &mut dyn Iterator<Item = String>, count: usize| -> Vec<String> {
            let names = lines.filter_map(|line| line.strip_prefix("ack ").map(str::to_owned));
            names.take(count).collect()
        };
        acknowledged.extend(acks(&mut lines, first));
        child.kill().unwrap();
        acknowledged.extend(acks(&mut lines, usize::MAX));
        child.wait().unwrap();

        let node = Node::start_in(dir.path()).await;
        for name in &acknowledged {
            assert!(node.has_job(name), "round {round}: \"{name}\" was acknowledged");
        }
        let metrics = node.consensus.metrics();
        assert_eq!(metrics.applied_index, metrics.last_log_index, "round {round}");
        node.stop().await;
    }
    assert!(acknowledged.len() > ROUNDS, "{}", acknowledged.len());
}

#[tokio::test]
async fn a_forked_child_is_refused_and_leaves_its_parent_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_in(dir.path()).await;
    node.set_job("before").await.unwrap();

    // SAFETY: the child calls nothing that another thread of the parent may hold a lock of, but
    // the allocator, which the C library makes safe; and it ends without running anything else.
    #[expect(unsafe_code, reason = "there is no other way to fork")]
    let forked = unsafe { nix::unistd::fork() }.unwrap();
    let child = match forked {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let is_refused = |error: Option<crate::Error>| {
                error.is_some_and(|error| {
                    error.kind() == ErrorKind::Stopped && !error.may_have_happened()
                })
            };
            let read = node.storage.state.read().err();
            let proposed = node.storage.log.check_writable().err();
            let is_right = is_refused(read) && is_refused(proposed);
            drop(node.storage);
            // SAFETY: ends the child at once.
            #[expect(unsafe_code, reason = "the child must not run the test's own end")]
            unsafe {
                nix::libc::_exit(if is_right { 0 } else { 1 })
            }
        }
    };
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));

    node.set_job("after").await.unwrap();
    assert_eq!(node.storage.state.read().unwrap().len(Table::Jobs), Ok(2));
    let second = crate::adapters::storage::Storage::open(&data_dir(dir.path()));
    assert_eq!(second.err().unwrap().kind(), ErrorKind::Conflict, "the lock is still held");
    node.stop().await;
    drop(open(dir.path()));
}

#[tokio::test]
async fn a_full_disk_refuses_at_once_and_what_is_under_way_goes_through() {
    let Some(disk) = crate::adapters::storage::disk_full_test::SmallDisk::mount() else { return };
    let node = Arc::new(Node::start_in(&disk.path().join("data")).await);
    node.set_job("before").await.unwrap();
    let ballast = disk.fill();

    let error = node.set_job("refused").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert!(!error.may_have_happened());
    assert!(error.message().contains("running jobs go on"), "{error}");
    assert!(node.has_job("before"), "reading goes on");
    assert!(node.consensus.leadership().borrow().is_leader);

    std::fs::remove_file(ballast).unwrap();
    node.set_job("after").await.unwrap();
    let commands = (0..40).map(|n| set_job(&format!("job-{n}"))).collect();
    node.consensus.propose(commands).await.unwrap();
    assert!(!node.has_job("refused"));
    Arc::into_inner(node).unwrap().stop().await;
}
