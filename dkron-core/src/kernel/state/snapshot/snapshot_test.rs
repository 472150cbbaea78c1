//! Snapshots: round trips, and every kind of damage.

use super::chunk::CHUNK_BYTES;
use super::{SnapshotError, SnapshotReader, SnapshotWriter, state_hash};
use crate::kernel::model::{Job, JobName};
use crate::kernel::state::{
    Command, Entry, Envelope, JobWrite, MemoryTables, Table, Tables, TablesMut, apply, keys,
};
use crate::kernel::time::Timestamp;

/// Jobs of some size, so that there are several chunks.
fn filled() -> MemoryTables {
    let mut tables = MemoryTables::new();
    let write = |number: u32| {
        let mut job = Job::new(JobName::parse(&format!("job-{number}")).unwrap());
        job.schedule = "@every 1m".to_owned();
        job.metadata.insert("text".to_owned(), "x".repeat(900));
        let first = Some(Timestamp::UNIX_EPOCH);
        let write = JobWrite::new(job, first);
        Envelope { request: None, command: Command::SetJob(Box::new(write)) }
    };
    let commands = (0..1_000).map(write).collect();
    apply(&mut tables, &Entry { at: Timestamp::UNIX_EPOCH, commands }, &mut Vec::new()).unwrap();
    tables
}

fn chunks(tables: &MemoryTables) -> Vec<Vec<u8>> {
    let mut writer = SnapshotWriter::new();
    let mut chunks = Vec::new();
    while let Some(chunk) = writer.next_chunk(tables).unwrap() {
        chunks.push(chunk);
    }
    chunks
}

fn restore(tables: &mut MemoryTables, stream: &[u8], step: usize) -> Result<(), SnapshotError> {
    let mut reader = SnapshotReader::new(tables);
    for bytes in stream.chunks(step) {
        reader.push(bytes)?;
    }
    reader.finish()
}

#[test]
fn a_snapshot_replaces_what_was_there_however_its_stream_is_cut() {
    let tables = filled();
    let chunks = chunks(&tables);
    assert!(chunks.len() > 5, "{} chunks", chunks.len());
    assert!(chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
    let stream = chunks.concat();

    for step in [1, 7, 4_096, stream.len()] {
        let mut restored = MemoryTables::new();
        restored.put(Table::Jobs, b"stale", b"row").unwrap();
        restored.put(Table::Running, b"stale", b"row").unwrap();
        restored.put(Table::Meta, keys::PAUSED, &[1]).unwrap();
        restore(&mut restored, &stream, step).unwrap();
        assert!(restored == tables, "step {step}");
        assert_eq!(state_hash(&restored), state_hash(&tables));
    }
}

#[test]
fn keys_of_the_log_adapter_stay_where_they_are() {
    let mut tables = filled();
    let hash = state_hash(&tables);
    tables.put(Table::Meta, b"applied", b"here").unwrap();
    assert_eq!(state_hash(&tables), hash);
    let mut restored = MemoryTables::new();
    restored.put(Table::Meta, b"applied", b"there").unwrap();

    restore(&mut restored, &chunks(&tables).concat(), 999).unwrap();

    let applied = restored.get_with(Table::Meta, b"applied", <[u8]>::to_vec).unwrap();
    assert_eq!(applied.as_deref(), Some(&b"there"[..]));
}

#[test]
fn an_empty_state_has_a_snapshot() {
    let stream = chunks(&MemoryTables::new()).concat();
    let mut restored = filled();

    restore(&mut restored, &stream, 5).unwrap();

    assert_eq!(restored, MemoryTables::new());
}

#[test]
fn a_torn_end_is_found_wherever_it_is() {
    let stream = chunks(&filled()).concat();
    for length in (0..stream.len()).step_by(stream.len() / 200) {
        let torn = restore(&mut MemoryTables::new(), &stream[..length], 4_096);
        assert!(matches!(torn, Err(SnapshotError::Truncated { .. })), "{length}: {torn:?}");
    }
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let mut small = MemoryTables::new();
    small.put(Table::Meta, keys::PAUSED, &[1]).unwrap();
    let stream = chunks(&small).concat();
    for bit in 0..stream.len() * 8 {
        let mut flipped = stream.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(restore(&mut MemoryTables::new(), &flipped, 4_096).is_err(), "bit {bit}");
    }
}

#[test]
fn missing_repeated_and_swapped_chunks_are_found() {
    let chunks = chunks(&filled());
    let check = |order: &[usize]| {
        let stream: Vec<u8> = order.iter().flat_map(|i| chunks[*i].clone()).collect();
        assert!(restore(&mut MemoryTables::new(), &stream, 4_096).is_err(), "{order:?}");
    };
    let all: Vec<usize> = (0..chunks.len()).collect();
    let last = chunks.len() - 1;
    check(&[&all[..2], &all[3..]].concat());
    check(&[&all[..3], &all[2..]].concat());
    check(&[&all[1..]].concat());
    check(&[0, last]);
    check(&[0, 2, 1]);
    check(&[&all[..], &[last]].concat());
    check(&[&all[..], &[0]].concat());
}

#[test]
fn rows_that_nobody_wrote_are_refused() {
    for (table, key) in [
        (Table::Jobs, &b"job"[..]),
        (Table::Jobs, b"NO NAME"),
        (Table::Due, b"x"),
        (Table::Running, b"a\0short"),
        (Table::Requests, b"i"),
        (Table::Children, b"parent"),
        (Table::Meta, b"state.unknown"),
    ] {
        let mut foreign = MemoryTables::new();
        foreign.put(table, key, b"junk").unwrap();
        let refused = restore(&mut MemoryTables::new(), &chunks(&foreign).concat(), 4_096);
        assert!(matches!(refused, Err(SnapshotError::Corrupt { .. })), "{table:?}");
    }
}

/// Goal: random bytes never do anything but fail.
#[test]
fn noise_is_refused() {
    let mut state = 1_u64;
    for case in 0..2_000 {
        let mut noise = Vec::new();
        for _ in 0..case % 64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.push((state >> 56) as u8);
        }
        assert!(restore(&mut MemoryTables::new(), &noise, 16).is_err(), "case {case}");
    }
}
