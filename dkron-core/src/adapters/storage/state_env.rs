//! The state on disk: every table a database of one LMDB environment.
//!
//! Opens it, begins views and commits changes; `state_tables` reads and writes rows within them.
//! The last commit may be lost with the power (`NO_META_SYNC`): the log has it. Readers never wait
//! for the writer, nor it for them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::data_dir::DataDir;
use super::env::{EnvConfig, OpenEnv, file_bytes, io_error, is_map_full};
use super::health::{StorageHealth, Writer};
#[cfg(test)]
use super::history_check::HistoryHold;
use super::history_check::{HISTORY, HistoryCheck, HistoryParts};
use super::mapped_pages::MappedPages;
use super::page_walk::PageCheck;
use super::state_tables::{Handles, LmdbUpdate, LmdbView, TABLES, note_damage, verify_record};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Table, TableError};
use crate::ports::Change;

/// The directory of the state within the data dir.
pub const DIR_NAME: &str = "state";
/// The file within the data dir that says that a record of the state was found damaged: the next
/// start reads everything.
pub const SUSPECT_NAME: &str = "state.suspect";
/// How much the state can hold. Address space, not memory.
const MAP_BYTES_MAX: usize = 1 << 40;

/// A state of up to this size is checked whole before it is opened, so that damage in its history,
/// too, is mended by the start that finds it: 16 MiB take some 20 ms. Of a larger one the history
/// is checked behind the start.
const CHECKED_WHOLE_BYTES_MAX: u64 = 16 << 20;

/// The open state of a data dir.
pub struct LmdbState {
    /// Has a view of the environment: ends before it.
    history: HistoryCheck,
    env: OpenEnv<TABLES>,
    health: Arc<StorageHealth>,
    suspect: PathBuf,
}

impl LmdbState {
    /// Opens or makes the state in a data dir.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it is damaged or cannot be opened.
    pub fn open(data_dir: &Arc<DataDir>, health: Arc<StorageHealth>) -> Result<Self, Error> {
        Self::open_checking(data_dir, health, CHECKED_WHOLE_BYTES_MAX)
    }

    /// As [`LmdbState::open`], with another size up to which it is checked whole.
    pub(super) fn open_checking(
        data_dir: &Arc<DataDir>,
        health: Arc<StorageHealth>,
        whole_bytes_max: u64,
    ) -> Result<Self, Error> {
        let config = EnvConfig {
            name: DIR_NAME,
            map_bytes_max: MAP_BYTES_MAX,
            may_lose_last_commit: true,
            tables: Table::ALL.map(Table::as_str),
        };
        // Outputs on pages of their own are verified when they are read: there may be gigabytes of
        // them. Unless a record was found damaged before.
        let suspect = data_dir.path().join(SUSPECT_NAME);
        let is_suspect = suspect.exists();
        let skips_big_values_of = Some(Table::Outputs.as_str()).filter(|_| !is_suspect);
        // If the size is not to be had, opening says why.
        let is_small = file_bytes(data_dir, DIR_NAME).is_ok_and(|bytes| bytes <= whole_bytes_max);
        let leaves = if is_small || is_suspect { &[] } else { HISTORY };
        let check = PageCheck { verify: verify_record, skips_big_values_of, leaves };
        let (env, left) = OpenEnv::open(data_dir, &config, check)?;
        if is_suspect {
            // If it stays, the next start takes longer, and no more.
            let _ = fs::remove_file(&suspect);
        }
        let path = env.path().to_owned();
        let history = match left.filter(|_| !leaves.is_empty()) {
            None => HistoryCheck::passed(Arc::clone(&health)),
            Some(left) => {
                let view = env.env().clone().static_read_txn().map_err(|error| {
                    let message = format!("read the state in {}", path.display());
                    Error::new(ErrorKind::Storage, message).with_source(error)
                })?;
                let (suspect, health) = (suspect.clone(), Arc::clone(&health));
                HistoryCheck::start(HistoryParts { left, view, path, suspect, health })?
            }
        };
        Ok(Self { history, env, health, suspect })
    }

    /// Returns whether the pages of the history are still being checked.
    pub fn is_checking_history(&self) -> bool {
        self.history.is_under_way()
    }

    /// Begins a check of the history that goes on until the hold is dropped.
    #[cfg(test)]
    pub fn hold_history(&mut self) -> HistoryHold {
        let (history, hold) = HistoryCheck::held(Arc::clone(&self.health));
        self.history = history;
        hold
    }

    /// Returns what is mapped of its file.
    pub fn pages(&self) -> &Arc<MappedPages> {
        self.env.pages()
    }

    fn handles(&self) -> Handles<'_> {
        Handles { env: &self.env, history: &self.history }
    }

    /// Opens a view of what is committed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the environment has failed or has too many readers,
    /// [`ErrorKind::Stopped`] in a forked child.
    pub fn read(&self) -> Result<LmdbView<'_>, Error> {
        self.health.check_process()?;
        let txn = self.env.env().read_txn().map_err(|error| self.failed("read", error))?;
        Ok(LmdbView { txn, handles: self.handles(), suspect: &self.suspect })
    }

    /// Makes a change and commits it; waits while the disk is full. See
    /// [`Replica::update`](crate::ports::Replica::update).
    pub fn update<C: Change>(&self, change: &mut C) -> Result<C::Output, Error> {
        self.health.check_process()?;
        let mut tries = 0;
        loop {
            match self.try_update(change) {
                Ok(output) => {
                    self.health.set(Writer::State, false);
                    return Ok(output);
                }
                Err(Failure::Full) => {
                    self.health.set(Writer::State, true);
                    if !self.health.wait_for_retry(tries) {
                        let message = "write the state: the disk is full and the node stops";
                        return Err(Error::new(ErrorKind::Stopped, message));
                    }
                    tries += 1;
                }
                Err(Failure::Store(error)) => return Err(self.failed("write", error)),
                Err(Failure::Table(error)) => {
                    note_damage(&self.suspect, &error);
                    let message = format!("apply to the state in {}", self.env.path().display());
                    return Err(Error::new(ErrorKind::Storage, message).with_source(error));
                }
            }
        }
    }

    fn try_update<C: Change>(&self, change: &mut C) -> Result<C::Output, Failure> {
        let txn = self.env.env().write_txn().map_err(|error| self.classify(error))?;
        let mut tables = LmdbUpdate { txn, handles: self.handles(), failure: None };
        let made = change.make(&mut tables);
        // A change that could not be written whole must not be committed, whatever it answered.
        if let Some(error) = tables.failure.take() {
            return Err(self.classify(error));
        }
        let output = made.map_err(Failure::Table)?;
        tables.txn.commit().map_err(|error| self.classify(error))?;
        Ok(output)
    }

    fn classify(&self, error: heed::Error) -> Failure {
        let is_full =
            is_map_full(&error) || io_error(&error).is_some_and(|error| self.health.is_full(error));
        if is_full { Failure::Full } else { Failure::Store(error) }
    }

    fn failed(&self, action: &str, error: heed::Error) -> Error {
        let message = format!("{action} the state in {}", self.env.path().display());
        Error::new(ErrorKind::Storage, message).with_source(error)
    }
}

/// Why a change was not committed.
enum Failure {
    /// There was no space; it may be tried again.
    Full,
    /// The environment failed.
    Store(heed::Error),
    /// The change itself gave up.
    Table(TableError),
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::adapters::storage::data_dir::open_for_test;
    use crate::kernel::state::conformance::check_tables;
    use crate::kernel::state::{Tables, TablesMut};

    fn open(path: &Path) -> LmdbState {
        LmdbState::open(&open_for_test(path), Arc::new(StorageHealth::new(None))).unwrap()
    }

    /// Writes one record.
    struct Put<'a>(Table, &'a [u8], &'a [u8]);

    impl Change for Put<'_> {
        type Output = ();

        fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
            tables.put(self.0, self.1, self.2)
        }
    }

    fn get(state: &LmdbState, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        state.read().unwrap().get_with(table, key, <[u8]>::to_vec).unwrap()
    }

    #[test]
    fn the_state_on_disk_keeps_the_contract_of_tables() {
        let dir = tempfile::tempdir().unwrap();
        let mut made = 0;
        check_tables(|| {
            made += 1;
            // The suite takes tables that own themselves: the environments stay for the process.
            let state: &'static LmdbState =
                Box::leak(Box::new(open(&dir.path().join(made.to_string()))));
            let txn = state.env.env().write_txn().unwrap();
            LmdbUpdate { txn, handles: state.handles(), failure: None }
        });
    }

    /// Flips a bit of the one place in the file where `value` stands.
    fn flip_in(dir: &Path, value: &[u8]) {
        let file = dir.join(DIR_NAME).join("data.mdb");
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.windows(value.len()).position(|window| window == value).unwrap();
        bytes[at + value.len() / 2] ^= 4;
        fs::write(&file, bytes).unwrap();
    }

    #[test]
    fn a_damaged_large_job_is_found_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let value = [b'j'; 9_000];
        open(dir.path()).update(&mut Put(Table::Jobs, b"a", &value)).unwrap();
        flip_in(dir.path(), &value[..100]);

        let health = Arc::new(StorageHealth::new(None));
        let error = LmdbState::open(&open_for_test(dir.path()), health).err().unwrap();

        assert!(error.report().contains("of table \"jobs\""), "{}", error.report());
    }

    #[test]
    fn a_damaged_large_output_is_found_when_it_is_read_and_by_the_start_after_that() {
        let dir = tempfile::tempdir().unwrap();
        let value = [b'o'; 9_000];
        open(dir.path()).update(&mut Put(Table::Outputs, b"a", &value)).unwrap();
        flip_in(dir.path(), &value[..100]);

        let state = open(dir.path());
        let read = state.read().unwrap().get_with(Table::Outputs, b"a", |_| ());
        drop(state);

        assert!(matches!(read, Err(TableError::Corrupt { .. })), "{read:?}");
        let health = Arc::new(StorageHealth::new(None));
        let error = LmdbState::open(&open_for_test(dir.path()), health).err().unwrap();
        assert!(error.report().contains("of table \"outputs\""), "{}", error.report());
    }

    #[test]
    fn a_change_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        state.update(&mut Put(Table::Jobs, b"a", b"1")).unwrap();
        drop(state);

        let state = open(dir.path());

        assert_eq!(get(&state, Table::Jobs, b"a").as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn a_change_that_fails_leaves_nothing() {
        /// Writes, then gives up.
        struct GiveUp;

        impl Change for GiveUp {
            type Output = ();

            fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
                tables.put(Table::Jobs, b"a", b"1")?;
                Err(TableError::Corrupt { table: "jobs", reason: "so".to_owned() })
            }
        }

        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());

        let error = state.update(&mut GiveUp).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Storage);
        assert_eq!(get(&state, Table::Jobs, b"a"), None);
    }

    #[test]
    fn a_key_that_is_too_long_is_an_error_and_not_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        let error = state.update(&mut Put(Table::Jobs, &[b'x'; 512], b"1")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.report());
    }

    #[test]
    fn readers_see_what_was_committed_when_they_began() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        state.update(&mut Put(Table::Jobs, b"n", &0u64.to_be_bytes())).unwrap();

        std::thread::scope(|scope| {
            let state = &state;
            for _ in 0..4 {
                scope.spawn(move || {
                    let mut before = 0;
                    while before < 200 {
                        let view = state.read().unwrap();
                        let read = || {
                            let value = view.get_with(Table::Jobs, b"n", <[u8]>::to_vec).unwrap();
                            u64::from_be_bytes(value.unwrap().try_into().unwrap())
                        };
                        let now = read();
                        assert!(now >= before, "{now} after {before}");
                        assert_eq!(read(), now, "a view does not change");
                        before = now;
                    }
                });
            }
            for n in 1..=200u64 {
                state.update(&mut Put(Table::Jobs, b"n", &n.to_be_bytes())).unwrap();
            }
        });
    }
}
