//! A history that is damaged, or large, holds up nothing but itself.

use std::fs;
use std::path::Path;

use super::*;
use crate::adapters::storage::StorageCondition;
use crate::adapters::storage::data_dir::{DataDir, open_for_test};
use crate::adapters::storage::state_env::{DIR_NAME, LmdbState, SUSPECT_NAME};
use crate::kernel::state::{Tables, TablesMut};
use crate::ports::Change;

/// Writes a job, and so many executions: pages enough for a tree.
struct Fill(u16);

impl Change for Fill {
    type Output = ();

    fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
        tables.put(Table::Jobs, b"job", b"definition")?;
        for number in 0..self.0 {
            tables.put(Table::Executions, &number.to_be_bytes(), &[b'e'; 200])?;
        }
        Ok(())
    }
}

/// Opens however small it is with its history still to be checked.
fn open_early(data_dir: &Arc<DataDir>, health: &Arc<StorageHealth>) -> Result<LmdbState, Error> {
    LmdbState::open_checking(data_dir, Arc::clone(health), 0)
}

/// A state with a history; one bit of each execution is another if it is to be damaged.
fn filled(dir: &Path, is_damaged: bool) -> Arc<DataDir> {
    let health = Arc::new(StorageHealth::new(None));
    LmdbState::open(&open_for_test(dir), health).unwrap().update(&mut Fill(1_000)).unwrap();
    if is_damaged {
        let file = dir.join(DIR_NAME).join("data.mdb");
        let mut bytes = fs::read(&file).unwrap();
        // Pages that were split hold copies that nobody reads.
        for at in 0..bytes.len() - 200 {
            if bytes[at..].starts_with(&[b'e'; 200]) {
                bytes[at + 199] ^= 4;
            }
        }
        fs::write(&file, bytes).unwrap();
    }
    open_for_test(dir)
}

fn read(state: &LmdbState, table: Table, key: &[u8]) -> Result<bool, TableError> {
    Ok(state.read().unwrap().get_with(table, key, |_| ())?.is_some())
}

#[test]
fn a_history_is_read_and_written_once_it_was_checked() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = filled(dir.path(), false);
    let health = Arc::new(StorageHealth::new(None));

    let state = open_early(&data_dir, &health).unwrap();

    assert_eq!(read(&state, Table::Jobs, b"job"), Ok(true));
    state.update(&mut Fill(1_100)).unwrap();
    assert_eq!(read(&state, Table::Executions, &1_099_u16.to_be_bytes()), Ok(true));
    assert_eq!(*health.subscribe().borrow(), StorageCondition::Good);
    assert!(!dir.path().join(SUSPECT_NAME).exists());
}

#[test]
fn a_damaged_history_ends_the_node_and_the_next_start_finds_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = filled(dir.path(), true);
    let health = Arc::new(StorageHealth::new(None));

    let state = open_early(&data_dir, &health).unwrap();

    let path = dir.path().join(DIR_NAME);
    let wanted = format!("{} is damaged: start the node anew", path.display());
    let found = read(&state, Table::Executions, &7_u16.to_be_bytes()).unwrap_err();
    assert!(found.to_string().contains(&wanted), "{found}");
    let written = state.update(&mut Fill(1)).unwrap_err();
    assert!(written.report().contains(&wanted), "{}", written.report());
    assert_eq!(read(&state, Table::Jobs, b"job"), Ok(true), "all else can be read");
    let condition = health.subscribe().borrow().clone();
    assert!(
        matches!(&condition, StorageCondition::Failed(reason) if reason.contains(&wanted)),
        "{condition:?}"
    );
    drop(state);

    let error = open_early(&data_dir, &health).err().unwrap();
    assert!(error.report().contains("of table \"executions\""), "{}", error.report());
}

#[test]
fn a_damaged_history_of_a_small_state_is_found_before_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = filled(dir.path(), true);

    let error = LmdbState::open(&data_dir, Arc::new(StorageHealth::new(None))).err().unwrap();

    assert!(is_damage(&error), "{}", error.report());
}

#[test]
fn whoever_waits_for_a_check_that_is_given_up_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = filled(dir.path(), false);
    let health = Arc::new(StorageHealth::new(None));
    health.close();

    let state = open_early(&data_dir, &health).unwrap();

    let error = read(&state, Table::Executions, &7_u16.to_be_bytes()).unwrap_err();
    assert!(error.to_string().contains("the node stops"), "{error}");
    assert!(!dir.path().join(SUSPECT_NAME).exists());
}
