//! A data dir whose disk is full.
//!
//! *Goal*: writes are refused with the reason, what runs goes on, reads are answered, the process
//! lives; and when there is space again, everything goes on without a restart and nothing that
//! ended meanwhile is missing.
//!
//! *Method*: the data dir is a file system of a few megabytes in memory. It is mounted in a mount
//! namespace of the test's own thread, which the daemon inherits: when both are gone, so is the
//! mount, whatever becomes of the test. Jobs write to a folder beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::Http;
use dkron_e2e::wait::{wait_for, wait_until};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

/// The size of the disk. Of so small a one the daemon keeps a sixteenth in reserve.
const DISK: &str = "size=16m";

/// A small disk, and a folder beside it.
pub(super) struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts one for this thread and its children; says so if that is not permitted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let none = None::<&Path>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        let mounted = unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(none, "/", none, private, none))
            .and_then(|()| {
                mount(Some("tmpfs"), &data, Some("tmpfs"), MsFlags::empty(), Some(DISK))
            });
        if let Err(error) = mounted {
            println!("skipped: full disk, mounting a small one failed: {error}");
            return None;
        }
        Some(Self { folder })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file beside the disk.
    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.data().join("ballast")).unwrap();
        for bytes in [1 << 16, 4_096, 1] {
            while file.write_all(&vec![0; bytes]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.data().join("ballast")).unwrap();
    }
}

/// Runs a test on a thread of its own, whose mounts nobody else sees.
pub(super) fn on_a_small_disk(test: fn(Disk)) {
    let thread = std::thread::spawn(move || Disk::mount().map(test));
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn job(name: &str, schedule: &str, command: &str) -> String {
    json!({"name": name, "schedule": schedule, "executor": "shell",
           "executor_config": {"command": command, "shell": "true"}})
    .to_string()
}

fn create(http: &mut Http, job: String) {
    let answer = http.post("/v1/jobs", job).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn executions(http: &mut Http, job: &str) -> Vec<Value> {
    let answer = http.get(&format!("/v1/jobs/{job}/executions")).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Waits until a write is refused, and sees that it says why.
fn wait_until_refused(http: &mut Http) {
    let text = wait_for("a refused write", BOUND, || {
        let answer = http.post("/v1/jobs", job("refused", "@manually", "true")).unwrap();
        (answer.status != 201).then(|| (answer.status, answer.text()))
    });
    assert_eq!(text.0, 507, "{}", text.1);
    assert!(text.1.contains("is full: free some space"), "{}", text.1);
    // Worth keeping, but not ready.
    assert_eq!(http.get("/health").unwrap().status, 200);
    let ready = http.get("/health/ready").unwrap();
    assert_eq!((ready.status, &ready.json()["ready"]), (503, &json!(false)));
    assert!(ready.json()["reason"].as_str().unwrap().contains("is full"), "{}", ready.text());
}

#[test]
fn a_full_disk_refuses_writes_and_holds_up_nothing_that_runs() {
    on_a_small_disk(|disk| {
        let daemon = Daemon::start(&disk.data());
        let mut http = daemon.http();
        let (gate, ledger) = (disk.beside("gate"), disk.beside("ledger"));
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
        let note = format!("echo done >> {}", ledger.display());
        create(&mut http, job("slow", "@manually", &format!("{wait}; echo finished; {note}")));
        create(&mut http, job("tick", "* * * * * *", "true"));
        assert_eq!(http.post("/v1/jobs/slow?async", "").unwrap().status, 200);
        wait_until("the run", BOUND, || http.get("/v1/busy").unwrap().text().contains("slow"));
        wait_until("a tick", BOUND, || !executions(&mut http, "tick").is_empty());

        disk.fill();
        wait_until_refused(&mut http);
        let before = http.get("/v1/jobs").unwrap();
        for (method, path) in [
            ("DELETE", "/v1/jobs/tick"),
            ("POST", "/v1/jobs/tick/toggle"),
            ("POST", "/v1/jobs/tick"),
            ("POST", "/v1/pause"),
        ] {
            let answer = http.send(method, path, &[], b"").unwrap();
            assert!(answer.status >= 400, "{method} {path}: {}", answer.text());
            assert!(answer.text().contains("is full"), "{method} {path}: {}", answer.text());
        }
        let backup = format!("[{}]", job("restored", "@manually", "true"));
        let answer = http.post_file("/v1/restore", "file", backup.as_bytes()).unwrap();
        assert!(answer.status >= 400, "{}", answer.text());

        // What runs ends, and what was known is shown.
        fs::write(&gate, "").unwrap();
        wait_until("the end of the run", BOUND, || ledger.exists());
        assert_eq!(http.get("/v1/jobs/slow").unwrap().status, 200);
        assert_eq!(http.get("/v1/busy").unwrap().status, 200);
        assert_eq!(http.get("/v1/jobs").unwrap().headers.len(), before.headers.len());
        assert_eq!(http.get("/v1/jobs/refused").unwrap().status, 404);

        disk.free();
        wait_until("a write that is accepted", BOUND, || {
            http.post("/v1/jobs", job("accepted", "@manually", "true")).unwrap().status == 201
        });
        wait_until("the result of the run", BOUND, || {
            executions(&mut http, "slow").iter().any(|run| run["success"] == true)
        });
        assert_eq!(executions(&mut http, "slow")[0]["output"], "finished\n");
        let ticks = executions(&mut http, "tick").len();
        wait_until("more ticks", BOUND, || executions(&mut http, "tick").len() > ticks);
        assert_eq!(http.get("/v1/jobs/refused").unwrap().status, 404);
        assert_eq!(http.get("/v1/jobs/restored").unwrap().status, 404);
        assert_eq!(fs::read_to_string(&ledger).unwrap(), "done\n", "it ran once");
        let ended = daemon.terminate(BOUND);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        assert!(!ended.log.contains("panic"), "{}", ended.log);
    });
}

#[test]
fn a_start_on_a_full_disk_shows_what_is_there_or_says_that_it_is_full() {
    on_a_small_disk(|disk| {
        let daemon = Daemon::start(&disk.data());
        let mut http = daemon.http();
        create(&mut http, job("kept", "@manually", "echo kept"));
        assert_eq!(http.post("/v1/jobs/kept", "").unwrap().status, 200);
        let runs = executions(&mut http, "kept");
        drop(daemon.kill_9());
        disk.fill();

        match Daemon::at(&disk.data()).try_start() {
            Ok(daemon) => {
                println!("started on what the files had left");
                assert_eq!(executions(&mut daemon.http(), "kept"), runs);
                wait_until_refused(&mut daemon.http());
                let ended = daemon.terminate(BOUND);
                assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
            }
            Err(ended) => {
                println!("refused to start");
                assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
                let error = ended.log.lines().rfind(|line| line.starts_with("Error: "));
                assert!(error.is_some_and(|error| error.contains("is full")), "{}", ended.log);
            }
        }

        disk.free();
        let daemon = Daemon::start(&disk.data());
        let mut http = daemon.http();
        assert_eq!(executions(&mut http, "kept"), runs);
        create(&mut http, job("accepted", "@manually", "true"));
        let ended = daemon.terminate(BOUND);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    });
}

/// Goal: a backup that the disk has no room for is refused as such, and no other write with it.
/// Method: a backup larger than the disk, then a job.
#[test]
fn a_backup_that_would_fill_the_disk_is_refused_before_the_reserve() {
    on_a_small_disk(|disk| {
        let daemon = Daemon::start(&disk.data());
        let mut http = daemon.http();
        let text = "x".repeat(100_000);
        let job = |n: usize| {
            json!({"name": format!("large-{n:03}"), "schedule": "@manually",
                   "metadata": {"text": text}})
        };
        let backup = serde_json::to_vec(&(0..180).map(job).collect::<Vec<_>>()).unwrap();

        let answer = http.post_file("/v1/restore", "file", &backup).unwrap();

        assert_eq!(answer.status, 507, "{}", answer.text());
        assert!(answer.text().contains("free some space"), "{}", answer.text());
        create(&mut http, self::job("accepted", "@manually", "true"));
        let jobs = http.get("/v1/jobs").unwrap();
        assert_eq!(jobs.header("x-total-count"), Some("1"), "nothing of it was restored");
        let ended = daemon.terminate(BOUND);
        assert!(!ended.log.contains("is full"), "{}", ended.log);
    });
}
