//! Data dirs that were damaged while nobody looked: torn, cut, flipped, emptied, or another's.
//!
//! *Goal*: the daemon starts with everything that was acknowledged, or refuses with an error that
//! names what is damaged and says what to do. It never panics, and never shows wrong data.
//!
//! *Method*: a daemon gets jobs and runs, and is killed. Each case damages a copy of what it left
//! and starts a daemon on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dkron_e2e::daemon::{Daemon, Ended};
use dkron_e2e::http::Http;
use dkron_e2e::seed::Seed;
use serde_json::json;

use super::disk_full::{Disk, on_a_small_disk};

/// Jobs of the data dir: enough for trees of several pages.
const JOBS: usize = 150;

/// Bits that are flipped, one daemon each, spread over the files; another number of them with
/// `DKRON_TEST_ROUNDS=<n>`.
const FLIPS: usize = 40;

/// Records that the log keeps though a snapshot covers them.
const RECORDS_KEPT: usize = 1_000;

const BOUND: Duration = Duration::from_secs(30);

const LOG: &str = "log/data.mdb";
const STATE: &str = "state/data.mdb";
const STAMP: &str = "stamp";
const OUTBOX: &str = "outbox";
const SNAPSHOTS: &str = "snapshots/newest";

/// What a killed daemon left, and what it had acknowledged.
struct Left {
    folder: tempfile::TempDir,
    acknowledged: Vec<String>,
}

/// How a daemon took the damage.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// It started with all that was acknowledged.
    Started,
    /// It said what is damaged, and ended.
    Refused,
}

impl Left {
    fn by_a_killed_daemon() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path());
        let acknowledged = fill(&mut daemon.http());
        drop(daemon.kill_9());
        Self { folder, acknowledged }
    }

    /// As [`Left::by_a_killed_daemon`], with a snapshot and a log that was cut behind it: on a
    /// small disk both come soon.
    fn with_a_snapshot(disk: &Disk) -> Self {
        let daemon = Daemon::start(&disk.data());
        let mut http = daemon.http();
        fill(&mut http);
        let mut write = |number: usize| {
            let job = json!({"name": "rewritten", "schedule": "@manually",
                             "metadata": {"text": "x".repeat(400), "number": number.to_string()}});
            assert_eq!(http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
        };
        let covered = || newest_snapshot(&disk.data()).map_or(0, |(index, _)| index);
        let mut written = 0;
        while covered() < 2 * RECORDS_KEPT {
            write(written);
            written += 1;
            assert!(written < 20 * RECORDS_KEPT, "no snapshot, or only of {}", covered());
        }
        // The log is cut as it is written on.
        (0..50).for_each(&mut write);
        let acknowledged = shown(&mut http);
        drop(daemon.kill_9());
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&disk.data(), folder.path());
        Self { folder, acknowledged }
    }

    /// Copies it and damages the copy.
    fn damaged(&self, damage: impl FnOnce(&Path)) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), copy.path());
        damage(copy.path());
        copy
    }

    /// Starts a daemon on a damaged data dir; `file` is what it has to name if it refuses.
    #[track_caller]
    fn start_on(&self, data: &Path, what: &str, file: &str) -> Taken {
        match Daemon::at(data).try_start() {
            Err(ended) => {
                check_refusal(&ended, data, what, file);
                Taken::Refused
            }
            Ok(daemon) => {
                let mut http = daemon.http();
                assert!(shown(&mut http) == self.acknowledged, "{what}: wrong data");
                let job = json!({"name": "one-more", "schedule": "@manually"}).to_string();
                let written = http.post("/v1/jobs", job).unwrap();
                assert_eq!(written.status, 201, "{what}: {}", written.text());
                let ended = daemon.terminate(BOUND);
                assert_eq!(ended.status.code(), Some(0), "{what}: {}", ended.log);
                assert!(!ended.log.contains("panic"), "{what}: {}", ended.log);
                Taken::Started
            }
        }
    }
}

/// An error names the folder of what is damaged, and a way out.
#[track_caller]
fn check_refusal(ended: &Ended, data: &Path, what: &str, file: &str) {
    assert_eq!(ended.status.code(), Some(1), "{what}: {}", ended.log);
    assert!(!ended.log.contains("panic"), "{what}: {}", ended.log);
    let error = ended.log.lines().rfind(|line| line.starts_with("Error: "));
    let error = error.unwrap_or_else(|| panic!("{what}: no error in\n{}", ended.log));
    let place = match file.split_once('/') {
        Some((folder, _)) => data.join(folder),
        None => data.to_owned(),
    };
    assert!(error.contains(place.to_str().unwrap()), "{what}: {error}");
    assert!(error.contains("backup") || error.contains("use the"), "{what}: {error}");
}

/// Creates jobs and runs some; returns what the API shows of them.
fn fill(http: &mut Http) -> Vec<String> {
    for number in 0..JOBS {
        let output = "x".repeat(number * 97 % 9_000);
        let job = json!({"name": format!("job-{number:03}"), "schedule": "@manually",
                         "executor": "shell", "metadata": {"text": output},
                         "executor_config": {"command": format!("echo {output}")}});
        assert_eq!(http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
    }
    for number in (0..JOBS).step_by(10) {
        let path = format!("/v1/jobs/job-{number:03}");
        assert_eq!(http.post(&path, "").unwrap().status, 200);
    }
    shown(http)
}

/// Returns the jobs and the runs that the API shows.
fn shown(http: &mut Http) -> Vec<String> {
    let mut all = vec![http.get("/v1/jobs").unwrap().text()];
    for number in (0..JOBS).step_by(10) {
        let path = format!("/v1/jobs/job-{number:03}/executions");
        let answer = http.get(&path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        all.push(answer.text());
    }
    all
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn cut(path: &Path, bytes: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit as usize / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// Returns the newest snapshot of a data dir, and up to where it covers the log.
fn newest_snapshot(data: &Path) -> Option<(usize, PathBuf)> {
    let paths = fs::read_dir(data.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".snapshot")?;
        Some((name.split_once('-')?.0.parse().ok()?, path))
    });
    named.max()
}

fn snapshot_of(data: &Path) -> PathBuf {
    newest_snapshot(data).expect("there is a snapshot").1
}

fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn what_a_killed_daemon_left_is_all_there() {
    let left = Left::by_a_killed_daemon();

    let copy = left.damaged(|_| ());

    assert_eq!(left.start_on(copy.path(), "no damage", LOG), Taken::Started);
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let left = Left::by_a_killed_daemon();
    let mut seed = Seed::announce("a_flipped_bit_is_refused_or_changes_nothing");
    let flips = std::env::var("DKRON_TEST_ROUNDS").map_or(FLIPS, |flips| flips.parse().unwrap());
    let (mut started, mut refused) = (0, 0);
    for number in 0..flips {
        let file = [LOG, STATE][number % 2];
        let bits = bytes_of(&left.folder.path().join(file)) * 8;
        // Half of them hit the two pages that say where everything is.
        let bit = seed.pick(0..if number % 4 < 2 { 2 * 4_096 * 8 } else { bits });
        let copy = left.damaged(|data| flip(&data.join(file), bit));
        match left.start_on(copy.path(), &format!("bit {bit} of {file}"), file) {
            Taken::Started => started += 1,
            Taken::Refused => refused += 1,
        }
    }
    println!("{started} started with everything, {refused} refused");
}

#[test]
fn a_cut_or_emptied_log_is_refused() {
    let left = Left::by_a_killed_daemon();
    let whole = bytes_of(&left.folder.path().join(LOG));
    for bytes in [0, 1, 100, 4_096, 8_192, whole / 2, whole - 4_096, whole - 1] {
        let copy = left.damaged(|data| cut(&data.join(LOG), bytes));
        let what = format!("log of {bytes} instead of {whole} bytes");
        let taken = left.start_on(copy.path(), &what, LOG);
        // The last page may be one that nothing uses.
        assert!(taken == Taken::Refused || bytes + 4_096 >= whole, "{what}: it started");
    }
    let zeros = left.damaged(|data| fs::write(data.join(LOG), vec![0; whole as usize]).unwrap());
    assert_eq!(left.start_on(zeros.path(), "zeros for a log", LOG), Taken::Refused);
    let gone = left.damaged(|data| fs::remove_dir_all(data.join("log")).unwrap());
    assert_eq!(left.start_on(gone.path(), "no log", LOG), Taken::Refused);
    let both = left.damaged(|data| {
        fs::remove_dir_all(data.join("log")).unwrap();
        fs::remove_dir_all(data.join("state")).unwrap();
    });
    assert_eq!(left.start_on(both.path(), "neither log nor state", LOG), Taken::Refused);
}

#[test]
fn a_cut_or_emptied_state_is_made_anew_from_the_log() {
    let left = Left::by_a_killed_daemon();
    let whole = bytes_of(&left.folder.path().join(STATE));
    for bytes in [0, 1, 4_096, 8_192, whole / 2, whole - 1] {
        let copy = left.damaged(|data| cut(&data.join(STATE), bytes));
        let what = format!("state of {bytes} instead of {whole} bytes");
        assert_eq!(left.start_on(copy.path(), &what, STATE), Taken::Started);
    }
    let zeros = left.damaged(|data| fs::write(data.join(STATE), vec![0; whole as usize]).unwrap());
    assert_eq!(left.start_on(zeros.path(), "zeros for a state", STATE), Taken::Started);
    let gone = left.damaged(|data| fs::remove_dir_all(data.join("state")).unwrap());
    assert_eq!(left.start_on(gone.path(), "no state", STATE), Taken::Started);
}

#[test]
fn a_stamp_that_is_not_this_node_s_is_refused() {
    let left = Left::by_a_killed_daemon();
    let own = fs::read_to_string(left.folder.path().join(STAMP)).unwrap();
    let newer = own.replace("format 1", "format 9");
    for (what, stamp) in [
        ("nothing", Vec::new()),
        ("zeros", vec![0; own.len()]),
        ("half of it", own.as_bytes()[..own.len() / 2].to_vec()),
        ("another node's", own.replace("e2e", "e2f").into_bytes()),
        ("a newer format", newer.into_bytes()),
        ("no text", vec![0xff; 100]),
    ] {
        let copy = left.damaged(|data| fs::write(data.join(STAMP), stamp).unwrap());
        assert_eq!(left.start_on(copy.path(), what, STAMP), Taken::Refused);
    }
    let gone = left.damaged(|data| fs::remove_file(data.join(STAMP)).unwrap());
    assert_eq!(left.start_on(gone.path(), "no stamp", STAMP), Taken::Refused);

    let moved = left.damaged(|_| ());
    let other = Daemon::at(moved.path()).args(&["--node-name=other"]).try_start();
    let ended = other.err().expect("the data is another node's");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains("belongs to node \"e2e\", not to \"other\""), "{}", ended.log);
}

#[test]
fn leftovers_beside_the_data_do_no_harm() {
    let left = Left::by_a_killed_daemon();
    let files: [(&str, PathBuf, Vec<u8>); 5] = [
        ("a torn outbox", OUTBOX.into(), b"\x00\x00\x01\x00\xde\xad\xbe\xefhalf".to_vec()),
        ("zeros for an outbox", OUTBOX.into(), vec![0; 4_096]),
        ("a lock of a process that is gone", "lock".into(), b"999999999\n".to_vec()),
        ("half a stamp", "stamp.new".into(), b"dkron da".to_vec()),
        ("half a snapshot", "snapshots/new.tmp".into(), vec![0; 100]),
    ];
    for (what, file, content) in files {
        let copy = left.damaged(|data| fs::write(data.join(&file), content).unwrap());
        assert_eq!(left.start_on(copy.path(), what, "log"), Taken::Started, "{what}");
    }
}

/// Flips a bit in every copy of `text` that a file holds.
fn flip_in_text(path: &Path, text: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let found: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!found.is_empty(), "{} does not hold the text", path.display());
    found.iter().for_each(|at| bytes[at + text.len() / 2] ^= 1);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_output_is_an_error_and_the_next_start_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = daemon.http();
    let noise = json!({"name": "noise", "schedule": "@manually", "executor": "shell",
                       "executor_config": {"shell": "true",
                                           "command": "head -c 30000 /dev/urandom | base64 -w0"}});
    assert_eq!(http.post("/v1/jobs", noise.to_string()).unwrap().status, 201);
    assert_eq!(http.post("/v1/jobs/noise", "").unwrap().status, 200);
    let runs = http.get("/v1/jobs/noise/executions").unwrap().json();
    let id = runs[0]["id"].as_str().unwrap();
    let whole = http.get(&format!("/v1/jobs/noise/executions/{id}")).unwrap().json();
    drop(daemon.kill_9());

    // Nothing packs noise, so it stands in the file as it is.
    let text = &whole["output"].as_str().unwrap().as_bytes()[20_000..20_040];
    flip_in_text(&folder.path().join(STATE), text);
    let daemon = Daemon::start(folder.path());
    let answer = daemon.http().get(&format!("/v1/jobs/noise/executions/{id}")).unwrap();
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("does not match its checksum"), "{}", answer.text());
    assert_eq!(daemon.http().get("/v1/jobs").unwrap().status, 200);
    assert_eq!(daemon.terminate(BOUND).status.code(), Some(0));

    let daemon = Daemon::start(folder.path());
    daemon.wait_for_log("made anew", BOUND);
    let mended = daemon.http().get(&format!("/v1/jobs/noise/executions/{id}")).unwrap().json();
    assert_eq!(mended, whole);
    assert!(!daemon.terminate(BOUND).log.contains("panic"));
}

/// *Method*: outputs of noise make the state large enough that its history is checked behind the
/// start; then a short output is damaged, which lies among the records of its tree.
#[test]
fn a_damaged_long_history_ends_the_daemon_and_the_next_start_mends_it() {
    const LONG_OUTPUTS: usize = 80;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = daemon.http();
    let mut run = |name: &str, command: &str, runs: usize| {
        let job = json!({"name": name, "schedule": "@manually", "executor": "shell",
                         "executor_config": {"shell": "true", "command": command}});
        assert_eq!(http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
        for _ in 0..runs {
            assert_eq!(http.post(&format!("/v1/jobs/{name}"), "").unwrap().status, 200);
        }
        http.get(&format!("/v1/jobs/{name}/executions")).unwrap().json()
    };
    run("noise", "head -c 187000 /dev/urandom | base64 -w0", LONG_OUTPUTS);
    let short = run("short", "head -c 600 /dev/urandom | base64 -w0", 1);
    let path = format!("/v1/jobs/short/executions/{}", short[0]["id"].as_str().unwrap());
    let whole = daemon.http().get(&path).unwrap().json();
    drop(daemon.kill_9());
    assert!(bytes_of(&folder.path().join(STATE)) > 16 << 20, "it is checked at once");

    let text = &whole["output"].as_str().unwrap().as_bytes()[400..440];
    flip_in_text(&folder.path().join(STATE), text);
    let what = "a long history with a flipped bit";
    let ended = match Daemon::at(folder.path()).try_start() {
        Ok(daemon) => daemon.wait_for_end(BOUND),
        // It was over before the first answer.
        Err(ended) => ended,
    };
    check_refusal(&ended, folder.path(), what, STATE);

    let daemon = Daemon::start(folder.path());
    daemon.wait_for_log("made anew", BOUND);
    assert_eq!(daemon.http().get(&path).unwrap().json(), whole);
    assert!(!daemon.terminate(BOUND).log.contains("panic"));
}

#[test]
fn a_damaged_snapshot_is_refused_only_if_it_is_needed() {
    on_a_small_disk(|disk| {
        let left = Left::with_a_snapshot(&disk);
        let snapshot = snapshot_of(left.folder.path());
        let whole = fs::read(&snapshot).unwrap();
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            Some(bytes)
        };
        for (what, content, file) in [
            ("whole", Some(whole.clone()), SNAPSHOTS),
            ("flipped in its head", flipped(25), SNAPSHOTS),
            ("flipped in its body", flipped(whole.len() / 2), SNAPSHOTS),
            ("cut short", Some(whole[..whole.len() - 1].to_vec()), SNAPSHOTS),
            // Then the state is what cannot be made anew.
            ("gone", None, STATE),
        ] {
            let damage = |data: &Path| {
                fs::remove_file(snapshot_of(data)).unwrap();
                if let Some(content) = &content {
                    fs::write(data.join("snapshots").join(snapshot.file_name().unwrap()), content)
                        .unwrap();
                }
            };
            let alone = left.damaged(damage);
            let taken = left.start_on(alone.path(), &format!("a snapshot {what}"), file);
            println!("a snapshot {what}: {taken:?}");
            let both = left.damaged(|data| {
                damage(data);
                cut(&data.join(STATE), 0);
            });
            let taken = left.start_on(both.path(), &format!("a snapshot {what}, no state"), file);
            assert_eq!(taken == Taken::Started, what == "whole", "a snapshot {what}, no state");
        }
    });
}
