//! Damaged pages are found, whatever is damaged, and nothing else is.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::adapters::storage::data_dir::{DataDir, open_for_test};
use crate::adapters::storage::health::StorageHealth;
use crate::adapters::storage::state_env::{LmdbState, SUSPECT_NAME};
use crate::kernel::state::{Order, Table, TableError, Tables, TablesMut};
use crate::ports::Change;

/// A plain generator: the seed is all there is to know.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// One transaction of puts and deletes; made from a number, so that it may be made twice.
struct Churn(u64);

impl Change for Churn {
    type Output = ();

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
        let mut random = Random(self.0);
        if random.below(40) == 0 {
            tables.clear(Table::Due)?;
        }
        for _ in 0..random.below(200) {
            let table = [Table::Jobs, Table::Due, Table::Outputs][random.below(3) as usize];
            let key_bytes = [4, 40, 400, 511][random.below(4) as usize];
            let mut key = random.below(3_000).to_be_bytes().to_vec();
            key.resize(key_bytes.max(8), 7);
            if random.below(3) == 0 {
                tables.delete(table, &key)?;
            } else {
                let size = [0, 30, 700, 1_990, 2_100, 9_000, 70_000][random.below(7) as usize];
                let size = if table == Table::Outputs { size } else { size.min(700) };
                let words = size / 8 + random.below(8);
                let value = random.bytes(words);
                tables.put(table, &key, &value.repeat(8))?;
            }
        }
        Ok(())
    }
}

fn churn(state: &LmdbState, random: &mut Random, transactions: usize) {
    for _ in 0..transactions {
        state.update(&mut Churn(random.0)).unwrap();
        random.below(1);
    }
}

fn open(data_dir: &Arc<DataDir>) -> Result<LmdbState, crate::Error> {
    LmdbState::open(data_dir, Arc::new(StorageHealth::new(None)))
}

/// Opens however small it is with its history still to be checked.
fn open_early(data_dir: &Arc<DataDir>) -> Result<LmdbState, crate::Error> {
    LmdbState::open_checking(data_dir, Arc::new(StorageHealth::new(None)), 0)
}

fn check(path: &Path) -> io::Result<()> {
    let verify = |_: &[u8], key: &[u8], stored: &[u8]| {
        let sum = crate::adapters::storage::crc32::verified(key, stored);
        sum.map(|_| ()).ok_or_else(|| "checksum".to_owned())
    };
    let left = check_pages(path, PageCheck { verify, skips_big_values_of: None, leaves: &[] })?;
    left.map_or(Ok(()), |none| none.walk(|| true))
}

fn seed() -> u64 {
    std::env::var("DKRON_TEST_SEED").map_or(42, |seed| seed.parse().unwrap())
}

/// Goal: no file that LMDB wrote is refused.
/// Method: check it after each of many transactions of all kinds, seeded. More of them with
/// `DKRON_TEST_ROUNDS=<n>`, another history with `DKRON_TEST_SEED=<seed>`.
#[test]
fn what_lmdb_wrote_is_accepted() {
    let rounds = std::env::var("DKRON_TEST_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data_dir = open_for_test(dir.path());
    let file = dir.path().join("state/data.mdb");
    let mut random = Random(seed());
    let mut state = open(&data_dir).unwrap();
    for round in 0..rounds {
        churn(&state, &mut random, 3);
        check(&file).unwrap_or_else(|error| panic!("seed {}, round {round}: {error}", seed()));
        if round % 20 == 19 {
            drop(state);
            // It is written to while its history is being checked.
            state = open_early(&data_dir).unwrap();
        }
    }
}

/// A file with some contents, and where it is.
fn some_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = open_for_test(dir.path());
    let state = open(&data_dir).unwrap();
    churn(&state, &mut Random(seed()), 6);
    drop(state);
    let file = dir.path().join("state/data.mdb");
    (dir, file)
}

#[test]
fn a_file_that_was_cut_is_refused_and_nothing_panics() {
    let (_dir, file) = some_file();
    let good = fs::read(&file).unwrap();
    for length in [1, 100, 4_095, 4_096, 8_191, 8_192, 12_288, good.len() / 2, good.len() - 4_096] {
        fs::write(&file, &good[..length]).unwrap();
        let error = check(&file).expect_err("it is cut");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "cut to {length}: {error}");
    }
}

/// As many bits would be taken as memory, and the next pages written behind the last.
#[test]
fn more_pages_than_the_free_list_could_name_are_refused() {
    let (_dir, file) = some_file();
    let good = fs::read(&file).unwrap();
    // In each meta page the number of the last page stands before that of the commit.
    let txn = |meta: usize| u64::from_ne_bytes(good[meta + 144..][..8].try_into().unwrap());
    let newest = if txn(0) > txn(4_096) { 0 } else { 4_096 };

    for bit in (good.len() / 8).ilog2() as usize + 1..64 {
        let mut bytes = good.clone();
        bytes[newest + 136 + bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &bytes).unwrap();
        let error = check(&file).unwrap_err().to_string();
        assert!(error.contains("is claimed"), "bit {bit}: {error}");
    }
}

#[test]
fn noise_is_refused_and_nothing_panics() {
    let (_dir, file) = some_file();
    let good = fs::read(&file).unwrap();
    let mut random = Random(seed());
    for _ in 0..200 {
        let mut bytes = good.clone();
        // Everything but the meta pages, which would hide what follows.
        let at = 8_192 + random.below((good.len() - 8_192 - 512) as u64) as usize;
        for byte in &mut bytes[at..at + 512] {
            *byte = random.below(256) as u8;
        }
        fs::write(&file, &bytes).unwrap();
        let _ = check(&file);
    }
    fs::write(&file, random.bytes(40_960)).unwrap();
    check(&file).unwrap_err();
}

/// Reads everything that a damaged file still shows; whatever it is, it must be what was written.
fn read_all(state: &LmdbState) -> Result<usize, TableError> {
    let mut rows = 0;
    let view = state.read().map_err(|error| TableError::Store {
        action: "read",
        table: "all",
        reason: error.report(),
    })?;
    for table in Table::ALL {
        let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        view.walk(table, everything, Order::Ascending, |_, _| {
            rows += 1;
            std::ops::ControlFlow::Continue(())
        })?;
    }
    Ok(rows)
}

/// Goal: a flipped bit anywhere is either refused, or harmless to everything LMDB does afterwards;
/// also while the history is still being checked.
/// Method: flip one bit of a file at random; if it is accepted, write on, read everything, and
/// write again. A bit that slips through may end the process, and so the test. More of them with
/// `DKRON_TEST_ROUNDS=<n>`.
fn check_flips(open: impl Fn(&Arc<DataDir>) -> Result<LmdbState, crate::Error>) {
    let rounds = std::env::var("DKRON_TEST_ROUNDS").map_or(150, |rounds| rounds.parse().unwrap());
    let (dir, file) = some_file();
    let good = fs::read(&file).unwrap();
    let mut random = Random(seed());
    let (mut refused, mut harmless, mut found_later) = (0, 0, 0);
    for _ in 0..rounds {
        let mut bytes = good.clone();
        let bit = random.below(good.len() as u64 * 8) as usize;
        // Half of the flips hit what is small and matters most.
        let bit = if random.below(2) == 0 { bit % (8 * 8_192) } else { bit };
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &bytes).unwrap();
        let _ = fs::remove_file(dir.path().join(SUSPECT_NAME));
        let data_dir = open_for_test(dir.path());
        let Ok(state) = open(&data_dir) else {
            refused += 1;
            continue;
        };
        let written = state.update(&mut Churn(seed() + 1));
        match read_all(&state) {
            Err(TableError::Store { reason, .. }) => {
                assert!(reason.contains("is damaged"), "bit {bit}: {reason}");
                assert!(dir.path().join(SUSPECT_NAME).exists(), "bit {bit}");
                found_later += 1;
            }
            read => {
                assert!(matches!(read, Ok(_) | Err(TableError::Corrupt { .. })), "bit {bit}");
                written.unwrap();
                churn(&state, &mut Random(seed() + 1), 1);
                harmless += 1;
            }
        }
    }
    println!("{refused} refused, {found_later} found later, {harmless} harmless");
    assert!(refused > 0 && harmless > 0, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    check_flips(open);
}

#[test]
fn a_flipped_bit_is_refused_or_found_behind_the_start_or_harmless() {
    check_flips(open_early);
}
