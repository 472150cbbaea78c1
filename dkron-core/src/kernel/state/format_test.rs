//! The formats that outlive a program: log frames and snapshots, as version 1 wrote them.
//!
//! The files of `tests/corpus/state` are what the tests below encode. A change that breaks them is
//! a change of format: it takes a new version byte, and a new file beside the old one, which must
//! still be read. `DKRON_WRITE_CORPUS=1 cargo test -p dkron-core format_test` writes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::kernel::model::{
    CatchUpPolicy, Cause, ConcurrencyPolicy, DstPolicy, ExecutionId, ExecutionState, Job, JobName,
    JobStatus, LostRunPolicy, NodeName, PlacementPolicy, Retention, RetryBackoff, RunStatus,
    SkipReason,
};
use crate::kernel::time::Timestamp;

fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

fn node(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_767_225_600 + seconds, 500_000_000).unwrap()
}

fn id(seconds: i64, on: &str) -> ExecutionId {
    ExecutionId { due_ns: at(seconds).as_unix_ns() as u64, node: node(on) }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A job with every field set.
fn full_job() -> Job {
    Job {
        name: name("full"),
        displayname: "Full, ß, 漢".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        schedule: "0 30 2 * * *".to_owned(),
        dst: DstPolicy::Wall,
        owner: "Team".to_owned(),
        owner_email: "team@example.com".to_owned(),
        disabled: true,
        tags: map(&[("role", "web:2"), ("zone", "a")]),
        placement: PlacementPolicy::One,
        metadata: map(&[("", ""), ("k", "v\0\n")]),
        retries: 7,
        retry_backoff: RetryBackoff::Exponential {
            initial: Duration::from_millis(1_500),
            max: Duration::from_secs(3_600),
        },
        parent_job: Some(name("parent")),
        processors: BTreeMap::from([
            ("files".to_owned(), map(&[("forward", "true")])),
            ("log".to_owned(), BTreeMap::new()),
        ]),
        concurrency: ConcurrencyPolicy::Forbid,
        executor: "shell".to_owned(),
        executor_config: map(&[("command", "date"), ("shell", "true")]),
        ephemeral: true,
        starts_at: Some(Timestamp::MIN),
        expires_at: Some(Timestamp::MAX),
        catch_up: CatchUpPolicy::All { fires_max: 3 },
        misfire_deadline: Some(Duration::from_secs(60)),
        lost_run: LostRunPolicy::Rerun,
        timeout: Some(Duration::new(5, 1)),
        retention: Retention {
            executions_max: 5,
            age_max: Some(Duration::from_secs(86_400)),
            output_bytes_max: Some(1 << 40),
        },
        declared_by: Some("program".to_owned()),
    }
}

fn plain_job(text: &str) -> Job {
    Job { schedule: "@every 1m".to_owned(), ..Job::new(name(text)) }
}

fn set(job: Job) -> Command {
    Command::SetJob(Box::new(JobWrite::new(job, Some(at(60)))))
}

fn start(job: &str, revision: u64, due: Option<DueRow>, nodes: &[&str]) -> Command {
    let targets = nodes.iter().map(|on| Target { node: node(on), instance: 9 }).collect();
    Command::Fire(Fire {
        job: name(job),
        revision,
        at: due.as_ref().map_or(at(61), |row| row.at),
        due,
        next: Some(at(120)),
        is_forced: false,
        verdict: Verdict::Start { targets },
    })
}

fn skip(reason: SkipReason) -> Command {
    skip_of("plain", 2, reason)
}

fn skip_of(job: &str, revision: u64, reason: SkipReason) -> Command {
    Command::Fire(Fire {
        job: name(job),
        revision,
        due: None,
        at: at(62),
        next: None,
        is_forced: true,
        verdict: Verdict::Skip { last: at(63), fires: 2, reason },
    })
}

fn finish(job: &str, execution: ExecutionId, token: u64, state: ExecutionState) -> Command {
    let output = StoredOutput { bytes_total: 300_000, packing: 1, bytes: b"output".to_vec() };
    Command::Finish(Report {
        job: name(job),
        execution,
        token,
        started_at: Some(at(64)),
        finished_at: at(65),
        state,
        output,
    })
}

fn reasons() -> Vec<SkipReason> {
    vec![
        SkipReason::Disabled,
        SkipReason::NotStarted,
        SkipReason::Expired,
        SkipReason::Forbidden { running: id(60, "n1") },
        SkipReason::NoCapableNode { wanted: "tag role=web".to_owned() },
        SkipReason::CaughtUp,
        SkipReason::TooLate,
        SkipReason::Withdrawn,
        SkipReason::AlreadyDecided,
    ]
}

/// Every command, with every choice inside it.
fn every_command() -> Vec<Command> {
    let schedule = DueRow { at: at(60), job: name("plain"), kind: DueKind::Schedule };
    let retry =
        DueKind::Retry { fire_time: at(60), cause: Cause::Schedule, attempt: 2, node: node("n1") };
    let dependent = DueKind::Dependent { parent: name("plain"), parent_fire_time: at(60) };
    let restored = JobStatus {
        success_count: 3,
        last_success: Some(at(1)),
        status: RunStatus::Success,
        ..JobStatus::default()
    };
    let write = JobWrite {
        job: Job { declared_by: Some("program".to_owned()), ..plain_job("declared") },
        first: None,
        overdue: Some(Overdue { first: at(58), last: at(59), fires: 2 }),
        if_revision: Some(0),
        restored: Some(restored),
    };
    let declared_by = "program".to_owned();
    let no_wait = RetryBackoff::Fixed { delay: Duration::ZERO };
    let mut commands = vec![
        set(plain_job("parent")),
        set(Job { retries: 1, retry_backoff: no_wait, ..plain_job("plain") }),
        set(full_job()),
        set(Job { parent_job: Some(name("plain")), ..Job::new(name("child")) }),
        Command::ApplyJobs(Box::new(ApplyJobs { declared_by, jobs: vec![write], prune: false })),
        Command::SetPaused { paused: true },
        start("plain", 2, Some(schedule), &["n1", "n2"]),
        finish("plain", id(60, "n1"), 1, ExecutionState::Failed),
        finish("plain", id(60, "n2"), 2, ExecutionState::Lost),
        Command::Cancel { job: name("plain"), execution: id(60, "n2") },
        start("plain", 2, Some(DueRow { at: at(65), job: name("plain"), kind: retry }), &["n1"]),
        start(
            "child",
            4,
            Some(DueRow { at: at(66), job: name("child"), kind: dependent }),
            &["n1"],
        ),
        start("plain", 2, None, &["n3"]),
        Command::Withdraw {
            job: name("plain"),
            execution: id(61, "n3"),
            token: 3,
            reason: SkipReason::Withdrawn,
        },
        Command::SetDisabled {
            job: name("plain"),
            revision: 9,
            disabled: true,
            first: None,
            overdue: Some(Overdue { first: at(58), last: at(59), fires: 2 }),
        },
        Command::DeleteExecutions { job: name("child") },
        Command::DeleteJob { job: name("parent") },
    ];
    commands.extend(reasons().into_iter().map(skip));
    // Of this one some of the history is left.
    commands.push(set(plain_job("swept")));
    commands.extend((0..6).map(|_| skip_of("swept", 6, SkipReason::TooLate)));
    commands.push(Command::DeleteJob { job: name("swept") });
    commands.push(Command::Sweep { removals_max: 2 });
    commands
}

fn entry() -> Entry {
    let envelope = |(number, command)| Envelope {
        request: (number % 2 == 0).then_some(RequestId(u128::MAX - number as u128)),
        command,
    };
    Entry { at: at(67), commands: every_command().into_iter().enumerate().map(envelope).collect() }
}

/// Compares with a file of the corpus, or writes it if that is asked for.
#[track_caller]
fn check_file(file: &str, bytes: &[u8]) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../tests/corpus/state"].iter().collect();
    let path = folder.join(file);
    if std::env::var_os("DKRON_WRITE_CORPUS").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let stored = std::fs::read(&path).unwrap();
    assert!(stored == bytes, "{file} is no longer what is written");
}

#[test]
fn a_log_frame_is_written_and_read_as_in_version_1() {
    let bytes = encode_entry(&entry());
    check_file("entry.v1", &bytes);
    assert_eq!(decode_entry(&bytes), Ok(entry()));
}

#[test]
fn a_delete_on_a_condition_is_a_command_behind_those_of_version_1() {
    let command = Command::DeleteJobIfRevision { job: name("a"), revision: 7 };
    let commands = vec![Envelope { request: None, command }];
    let entry = Entry { at: Timestamp::UNIX_EPOCH, commands };

    let bytes = encode_entry(&entry);

    assert_eq!(bytes, [1, 0, 0, 1, 0, 11, 1, b'a', 7]);
    assert_eq!(decode_entry(&bytes), Ok(entry));
}

#[test]
fn a_snapshot_is_written_and_read_as_in_version_1() {
    let mut tables = MemoryTables::new();
    apply(&mut tables, &entry(), &mut Vec::new()).unwrap();
    assert_eq!(check_integrity(&tables).unwrap(), []);
    let mut stream = Vec::new();
    let mut writer = SnapshotWriter::new();
    while let Some(chunk) = writer.next_chunk(&tables).unwrap() {
        stream.extend(chunk);
    }
    check_file("snapshot.v1", &stream);

    let mut restored = MemoryTables::new();
    let mut reader = SnapshotReader::new(&mut restored);
    reader.push(&stream).unwrap();
    reader.finish().unwrap();
    assert!(restored == tables);
    let full = query::definition(&restored, &name("full")).unwrap();
    assert_eq!(full, Some(full_job()));
    for table in Table::ALL {
        let is_used = restored.len(table).unwrap() > 0;
        assert!(is_used || table == Table::Fires, "{table:?} has no row in the corpus");
    }
}

/// Goal: whatever is changed in a frame, decoding answers; what decodes encodes to the same.
#[test]
fn damaged_frames_are_refused_or_are_other_entries() {
    let bytes = encode_entry(&entry());
    for length in 0..bytes.len() {
        assert!(decode_entry(&bytes[..length]).is_err(), "cut at {length}");
    }
    for place in 0..bytes.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[place] ^= change;
            if let Ok(other) = decode_entry(&damaged) {
                assert_eq!(decode_entry(&encode_entry(&other)), Ok(other), "byte {place}");
            }
        }
    }
    assert!(decode_entry(&[bytes, vec![0]].concat()).is_err(), "a byte too many");
}

#[test]
fn a_frame_of_another_version_or_too_many_commands_is_refused() {
    let mut bytes = encode_entry(&Entry { at: at(0), commands: Vec::new() });
    bytes[0] += 1;
    let error = decode_entry(&bytes).unwrap_err().to_string();
    assert_eq!(error, "log entry does not decode: the version of the frame is unknown");

    let command = Command::SetPaused { paused: true };
    let commands = vec![Envelope { request: None, command }; 4_097];
    let error = decode_entry(&encode_entry(&Entry { at: at(0), commands })).unwrap_err();
    assert_eq!(error.reason, "too many commands");
}

#[test]
fn a_frame_that_promises_more_than_it_holds_costs_nothing() {
    let mut bytes = vec![1, 0, 0];
    bytes.extend([0x80, 0x20]); // 4,096 commands, and then none
    assert!(decode_entry(&bytes).is_err());

    // ApplyJobs with 2^60 jobs.
    let huge = [&[1, 0, 0, 1, 0, 4, 1, b'a'][..], &[0x80; 8], &[0x10, 0]].concat();
    assert!(decode_entry(&huge).is_err());
}

#[test]
fn every_answer_is_remembered_as_it_was() {
    let (job, execution, running) = (name("a"), id(1, "n1"), id(2, "n2"));
    let (parent, declared_by) = (name("b"), "program".to_owned());
    let rejections = [
        Rejection::JobNotFound { job: job.clone() },
        Rejection::ExecutionNotRunning { job: job.clone(), execution: execution.clone() },
        Rejection::ParentNotFound { parent: parent.clone() },
        Rejection::ParentCycle { job: job.clone(), parent },
        Rejection::ParentTooDeep { job: job.clone(), depth_max: 64 },
        Rejection::HasChildren { job: job.clone(), children: "c, d".to_owned() },
        Rejection::Moved { job: job.clone(), revision: u64::MAX },
        Rejection::NotDeclaredBy { job: job.clone(), declared_by },
        Rejection::TagRefused { bytes_max: 255 },
        Rejection::FireDecided { job: job.clone() },
        Rejection::Overlap { job: job.clone(), running },
        Rejection::Fenced { job: job.clone(), execution: execution.clone() },
        Rejection::JobTooLarge { job, bytes: 9, bytes_max: 8 },
    ];
    let answers = [
        Outcome::Done,
        Outcome::Written { revision: 1 },
        Outcome::Claimed { executions: vec![execution].into() },
        Outcome::Applied { created: 1, updated: 2, unchanged: 3, pruned: 4 },
        Outcome::Unfinished,
    ];
    let mut scratch = codec::Scratch::default();
    for answer in answers.into_iter().chain(rejections.map(Outcome::Rejected)) {
        let bytes = answer.encode(&mut scratch);
        assert_eq!(Outcome::decode(bytes), Ok(answer.clone()), "{answer:?}");
    }
}
