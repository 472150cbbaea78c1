//! The writer of the log: order, batches, overlay, ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;

use super::*;
use crate::adapters::storage::data_dir::open_for_test;
use crate::adapters::storage::log_memory::MemoryLog;

/// How long a test waits for a write.
const WAIT_MAX: Duration = Duration::from_secs(20);

fn at(term: u64, index: u64) -> LogPosition {
    LogPosition { term, index }
}

fn record(term: u64, index: u64, bytes: usize) -> LogRecord {
    LogRecord { position: at(term, index), kind: 1, body: Arc::new(vec![index as u8; bytes]) }
}

fn records(term: u64, indexes: std::ops::Range<u64>) -> Vec<LogRecord> {
    indexes.map(|index| record(term, index, 10 + index as usize * 7)).collect()
}

/// Writes and waits.
#[track_caller]
fn write(log: &dyn LogStore, write: LogWrite) {
    let (sender, done) = channel();
    log.write(write, Box::new(move |result| sender.send(result).unwrap()));
    done.recv_timeout(WAIT_MAX).expect("it is answered").expect("it is written");
}

fn open(path: &Path) -> LmdbLog {
    let data_dir = open_for_test(path);
    LmdbLog::start(LogEnv::open(&data_dir).unwrap(), Arc::new(StorageHealth::new(None))).unwrap()
}

fn read(log: &dyn LogStore) -> Vec<LogRecord> {
    log.read(0, u64::MAX, usize::MAX).unwrap()
}

/// What both kinds of log must do.
fn check_log(log: &dyn LogStore) {
    assert_eq!(log.bounds().unwrap(), LogBounds::default());
    assert_eq!(log.vote().unwrap(), None);

    write(log, LogWrite::Append(records(1, 0..5)));
    write(log, LogWrite::Append(records(2, 5..10)));
    assert_eq!(read(log), [records(1, 0..5), records(2, 5..10)].concat());
    assert_eq!(log.read(3, 6, usize::MAX).unwrap(), [records(1, 3..5), records(2, 5..6)].concat());
    assert_eq!(log.read(3, 6, 1).unwrap().len(), 1, "one record at least");
    assert_eq!(log.read(6, 3, 1).unwrap(), []);
    assert_eq!(log.bounds().unwrap(), LogBounds { purged: None, last: Some(at(2, 9)) });

    write(log, LogWrite::TruncateAfter(Some(6)));
    write(log, LogWrite::Append(records(3, 7..9)));
    assert_eq!(log.read(6, 99, usize::MAX).unwrap(), [records(2, 6..7), records(3, 7..9)].concat());

    write(log, LogWrite::Vote(b"vote".to_vec()));
    write(log, LogWrite::Committed(at(2, 6)));
    write(log, LogWrite::Purge(at(1, 3)));
    assert_eq!(log.bounds().unwrap(), LogBounds { purged: Some(at(1, 3)), last: Some(at(3, 8)) });
    assert_eq!(log.vote().unwrap().as_deref(), Some(&b"vote"[..]));
    assert_eq!(log.committed().unwrap(), Some(at(2, 6)));

    write(log, LogWrite::Purge(at(4, 20)));
    let gone = LogBounds { purged: Some(at(4, 20)), last: Some(at(4, 20)) };
    assert_eq!(log.bounds().unwrap(), gone);
    write(log, LogWrite::Append(records(4, 21..22)));
    assert_eq!(log.read(21, 99, usize::MAX).unwrap(), records(4, 21..22));
    write(log, LogWrite::TruncateAfter(None));
    assert_eq!(log.bounds().unwrap(), gone);
}

#[test]
fn both_kinds_of_log_keep_the_contract() {
    check_log(&MemoryLog::new(Arc::new(StorageHealth::new(None))));
    let dir = tempfile::tempdir().unwrap();
    check_log(&open(dir.path()));
}

#[test]
fn writes_are_answered_in_the_order_in_which_they_were_handed_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let (sender, done) = channel();
    for index in 0..500 {
        let sender = sender.clone();
        let answer = move |result: Result<(), Error>| sender.send((index, result.is_ok())).unwrap();
        log.write(LogWrite::Append(vec![record(1, index, 100)]), Box::new(answer));
    }
    for index in 0..500 {
        assert_eq!(done.recv_timeout(WAIT_MAX).unwrap(), (index, true));
    }
}

#[test]
fn what_was_answered_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    write(&log, LogWrite::Append(records(1, 0..2_000)));
    write(&log, LogWrite::Vote(b"vote".to_vec()));
    write(&log, LogWrite::Purge(at(1, 1_500)));
    drop(log);

    let log = open(dir.path());

    let bounds = LogBounds { purged: Some(at(1, 1_500)), last: Some(at(1, 1_999)) };
    assert_eq!(log.bounds().unwrap(), bounds);
    assert_eq!(log.read(1_501, 9_999, usize::MAX).unwrap(), records(1, 1_501..2_000));
    assert_eq!(log.vote().unwrap().as_deref(), Some(&b"vote"[..]));
}

#[test]
fn a_purge_of_many_records_is_done_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    write(&log, LogWrite::Append(records(1, 0..5_000)));
    let full = log.bytes().unwrap();
    write(&log, LogWrite::Purge(at(1, 4_990)));
    // Each write takes a part of the purge along.
    for index in 5_000..5_010 {
        write(&log, LogWrite::Append(vec![record(1, index, 10)]));
    }
    assert!(log.bytes().unwrap() < full / 10, "{} of {full} bytes", log.bytes().unwrap());
    assert_eq!(read(&log).first().map(|first| first.position.index), Some(4_991));
}

#[test]
fn readers_see_whole_batches_while_the_log_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    std::thread::scope(|scope| {
        let log = &log;
        for _ in 0..2 {
            scope.spawn(move || {
                let mut seen = 0;
                while seen < 300 {
                    let found = read(log);
                    assert!(
                        found.len() >= seen && found.len().is_multiple_of(3),
                        "{}",
                        found.len()
                    );
                    seen = found.len();
                }
            });
        }
        for batch in 0..100 {
            write(log, LogWrite::Append(records(1, batch * 3..batch * 3 + 3)));
        }
    });
}

/// A log file with some records, opened once and closed.
fn some_log() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    write(&log, LogWrite::Append(records(1, 0..60)));
    write(&log, LogWrite::Append((60..64).map(|index| record(1, index, 9_000)).collect()));
    write(&log, LogWrite::Vote(b"vote".to_vec()));
    drop(log);
    let file = dir.path().join("log/data.mdb");
    (dir, file)
}

#[test]
fn a_torn_tail_is_refused_with_a_message() {
    let (dir, file) = some_log();
    let good = fs::read(&file).unwrap();
    for cut in [1, 4_096, 10_000, good.len() - 1] {
        fs::write(&file, &good[..good.len() - cut]).unwrap();
        let error = LogEnv::open(&open_for_test(dir.path())).err().expect("it is cut");
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.report().contains("damaged"), "{}", error.report());
    }
}

/// Goal: a flipped bit of the log is refused, or changes nothing that is read.
#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let (dir, file) = some_log();
    let good = fs::read(&file).unwrap();
    let log = open(dir.path());
    let want = (read(&log), log.vote().unwrap(), log.bounds().unwrap());
    drop(log);
    let mut outcomes = BTreeMap::new();
    let mut state = 7_u64;
    for _ in 0..120 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let bit = (state >> 20) as usize % (good.len() * 8);
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &bytes).unwrap();
        let opened = LogEnv::open(&open_for_test(dir.path()));
        *outcomes.entry(opened.is_ok()).or_insert(0) += 1;
        if let Ok(log) = opened {
            let got = (
                log.read(0, u64::MAX, usize::MAX).unwrap(),
                log.vote().unwrap(),
                log.bounds().unwrap(),
            );
            assert_eq!(got, want, "bit {bit}");
        }
    }
    assert_eq!(outcomes.len(), 2, "some are refused, some are harmless: {outcomes:?}");
}

/// Goal: no flipped bit makes an older commit pass for the newest, which would lose the newest.
/// Method: flip each bit of the commit numbers of both meta pages, after each of several commits.
#[test]
fn a_flipped_commit_number_is_refused_or_changes_nothing() {
    const COMMIT_NUMBER: [usize; 2] = [144, 4_096 + 144];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log/data.mdb");
    for index in 0..4 {
        let log = open(dir.path());
        write(&log, LogWrite::Append(records(1, index..index + 1)));
        let want = read(&log);
        drop(log);
        let good = fs::read(&file).unwrap();
        for (place, bit) in COMMIT_NUMBER.iter().flat_map(|place| (0..64).map(move |b| (place, b)))
        {
            let mut bytes = good.clone();
            bytes[place + bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &bytes).unwrap();
            if let Ok(log) = LogEnv::open(&open_for_test(dir.path())) {
                let got = log.read(0, u64::MAX, usize::MAX).unwrap();
                assert_eq!(got, want, "commit {index}, byte {place}, bit {bit}");
            }
        }
        fs::write(&file, &good).unwrap();
    }
}
