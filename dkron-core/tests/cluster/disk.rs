//! A disk so small that the log alone would fill it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use dkron_core::{Cluster, ExecutionState};

use crate::support::{BOUND, by_hand, config, run, set};

/// Runs of the job; all their outputs together are twice the disk. A hundred are kept, with which
/// the state has about a sixth of it.
const RUNS: usize = 3_200;
/// Runs under way at once.
const RUNS_AT_ONCE: usize = 16;
/// Runs after which a snapshot has to have been written, for their outputs take more than
/// [`LOG_BYTES_MAX`]: nothing holds runs back while whoever writes it waits for a processor.
const RUNS_PER_SNAPSHOT: usize = 128;
/// What a run prints: as text that cannot be packed to less than three quarters.
const OUTPUT_BYTES: usize = 27_000;
/// A sixteenth of the disk, by which the log may grow at a time.
const LOG_BYTES_MAX: u64 = 2 << 20;

/// A file system of 32 MiB; unmounted when it is dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one; `None`, with a word about it, if that is not permitted.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(dir.path())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { dir });
        }
        println!("skipped: small disk, mounting a tmpfs needs root");
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Text of six random bits a byte.
fn noise(mut seed: u64) -> String {
    let letter = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + (seed >> 58) as u8)
    };
    (0..OUTPUT_BYTES).map(letter).collect()
}

/// Returns the name of the newest snapshot.
fn newest_snapshot(data: &Path) -> Option<OsString> {
    let files = std::fs::read_dir(data.join("snapshots")).ok()?;
    let names = files.filter_map(|file| Some(file.ok()?.file_name()));
    names.filter(|name| name.to_string_lossy().ends_with(".snapshot")).max()
}

/// Waits until there is another newest snapshot than this.
async fn snapshot_after(data: &Path, before: Option<OsString>) {
    let begun = Instant::now();
    while newest_snapshot(data) == before {
        assert!(begun.elapsed() < BOUND, "no snapshot after {before:?}");
        tokio::task::yield_now().await;
    }
}

/// Goal: a node does not fill a small disk by itself, and starts as fast after many runs.
/// Method: outputs of twice the disk, of which a hundred are kept.
#[tokio::test]
async fn runs_with_large_outputs_go_on_for_ever_on_a_small_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let data = disk.path().join("data");
    let start = async || Cluster::start(config("small-disk").data_dir(&data)).await.unwrap();
    let cluster = start().await;
    cluster.handle("much", async |context| Ok(noise(context.token()))).unwrap();
    set(&cluster, by_hand("much")).await;

    for _ in 0..RUNS / RUNS_PER_SNAPSHOT {
        let before = newest_snapshot(&data);
        for _ in 0..RUNS_PER_SNAPSHOT / RUNS_AT_ONCE {
            let runs = (0..RUNS_AT_ONCE).map(|_| run(&cluster, "much"));
            for executions in futures_util::future::join_all(runs).await {
                assert_eq!(executions[0].state, ExecutionState::Succeeded);
            }
            assert_eq!(cluster.health().storage_fault, None);
        }
        snapshot_after(&data, before).await;
    }
    cluster.shutdown().await.unwrap();

    let log_bytes = std::fs::metadata(data.join("log/data.mdb")).unwrap().len();
    let begun = Instant::now();
    let cluster = start().await;
    println!("the log's file has {log_bytes} bytes; started after {:?}", begun.elapsed());
    assert!(log_bytes <= 5 * LOG_BYTES_MAX, "{log_bytes} bytes");
    assert_eq!(cluster.executions("much", 1_000).unwrap().len(), 100);
    cluster.shutdown().await.unwrap();
}
