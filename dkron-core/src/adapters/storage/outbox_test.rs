//! What the outbox keeps, whatever happened to its file.

use std::path::Path;

use super::*;
use crate::adapters::storage::data_dir::open_for_test;
use crate::adapters::storage::outbox_records::RECORD_BYTES_MAX;
use crate::kernel::state::StoredOutput;

fn report(token: u64) -> Report {
    let output = StoredOutput { bytes_total: 2, packing: 0, bytes: b"ok".to_vec() };
    Report { output, ..Report::sample("backup", token) }
}

/// Opens the outbox as the next process would.
fn open(dir: &Path) -> FileOutbox {
    FileOutbox::open(&open_for_test(dir)).unwrap()
}

/// Reads everything, piece by piece, and returns the tokens.
fn tokens(outbox: &FileOutbox) -> Vec<u64> {
    let (mut found, mut mark) = (Vec::new(), OutboxMark::default());
    while let Some((reports, end)) = outbox.read(mark).unwrap() {
        assert!(end > mark, "a read gets on");
        found.extend(reports.iter().map(|report| report.token));
        mark = end;
    }
    found
}

#[test]
fn what_was_added_is_there_for_the_next_process_until_it_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    assert!(tokens(&open(dir.path())).is_empty());
    open(dir.path()).add(&[report(1), report(2)]).unwrap();
    open(dir.path()).add(&[report(3)]).unwrap();

    let outbox = open(dir.path());
    let (reports, _) = outbox.read(OutboxMark::default()).unwrap().unwrap();
    assert_eq!(reports, [report(1), report(2), report(3)]);
    outbox.clear().unwrap();
    assert!(tokens(&outbox).is_empty());
    assert_eq!(fs::metadata(dir.path().join(FILE_NAME)).unwrap().len(), 0);
    outbox.add(&[report(4)]).unwrap();
    assert_eq!(tokens(&outbox), [4]);
}

#[test]
fn what_is_added_behind_a_torn_record_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    open(dir.path()).add(&[report(1)]).unwrap();
    let whole = fs::read(&path).unwrap();
    open(dir.path()).add(&[report(2)]).unwrap();
    let both = fs::read(&path).unwrap();

    for length in whole.len()..both.len() {
        fs::write(&path, &both[..length]).unwrap();
        let outbox = open(dir.path());
        assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64, "cut at {length}");

        outbox.add(&[report(3)]).unwrap();
        drop(outbox);

        assert_eq!(tokens(&open(dir.path())), [1, 3], "cut at {length}");
    }
}

#[test]
fn a_damaged_record_costs_itself_alone_and_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let mut ends = Vec::new();
    for token in 1..=3 {
        open(dir.path()).add(&[report(token)]).unwrap();
        ends.push(fs::metadata(&path).unwrap().len() as usize);
    }
    let good = fs::read(&path).unwrap();

    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let outbox = open(dir.path());
        let hit = ends.iter().position(|end| at < *end).unwrap() as u64 + 1;
        let want: Vec<u64> = (1..=3).filter(|token| *token != hit).collect();
        assert_eq!(tokens(&outbox), want, "damaged at {at}");

        outbox.clear().unwrap();

        assert!(tokens(&outbox).is_empty());
        // A length that is too great looks like a torn end; that one was cut off.
        let is_cut = hit == 3 && !dir.path().join(DAMAGED_NAME).exists();
        if !is_cut {
            let aside = fs::read(dir.path().join(DAMAGED_NAME)).unwrap();
            assert_eq!(aside, bytes, "damaged at {at}");
            fs::remove_file(dir.path().join(DAMAGED_NAME)).unwrap();
        }
    }
}

#[test]
fn large_results_are_read_back_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let large = |token: u64| {
        let bytes = vec![token as u8; crate::limits::OUTPUT_BYTES_MAX];
        Report { output: StoredOutput { bytes_total: 0, packing: 0, bytes }, ..report(token) }
    };
    let reports: Vec<Report> = (0..40).map(large).collect();
    let outbox = open(dir.path());

    outbox.add(&reports).unwrap();

    let (first, _) = outbox.read(OutboxMark::default()).unwrap().unwrap();
    assert!(first.len() < 20, "{}", first.len());
    assert_eq!(tokens(&outbox), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(dir.path());
    outbox.add(&[report(1)]).unwrap();
    let bytes = vec![0; 2 * RECORD_BYTES_MAX];
    let huge = Report { output: StoredOutput { bytes_total: 0, packing: 0, bytes }, ..report(3) };

    assert!(outbox.add(&[report(2), huge]).is_err());

    assert_eq!(tokens(&outbox), [1]);
}
