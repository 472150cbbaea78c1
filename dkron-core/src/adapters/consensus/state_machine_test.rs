//! Which failures of a snapshot end the node, and which are tried again.

use std::io::Write;
use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use super::super::log_budget::LogBudget;
use super::super::machine::AppliedEntry;
use super::*;

/// A state of which snapshots fail in turn, and are empty in the end.
struct Failing {
    failures: Mutex<Vec<Error>>,
}

impl Machine for Failing {
    fn applied(&self) -> Result<AppliedState, Error> {
        Ok(AppliedState::default())
    }

    fn apply(&self, _: &[RaftEntry]) -> Result<Vec<AppliedEntry>, Error> {
        Ok(Vec::new())
    }

    fn write_snapshot(&self, _: &dyn SnapshotStore, _: &CancellationToken) -> Result<bool, Error> {
        self.failures.lock().unwrap().pop().map_or(Ok(false), Err)
    }

    fn restore(&self, _: &dyn SnapshotStore) -> Result<AppliedState, Error> {
        Ok(AppliedState::default())
    }
}

/// A place on a disk.
struct Disk;

impl SnapshotStore for Disk {
    fn write(
        &self,
        _: LogPosition,
        _: &[u8],
        _: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn current(&self) -> Result<Option<StoredSnapshot>, Error> {
        Ok(None)
    }
}

/// Builds a snapshot of a state that fails like this, last first; returns what is left of that.
async fn build(failures: Vec<Error>) -> (Result<Snapshot, io::Error>, usize) {
    let machine = Arc::new(Failing { failures: Mutex::new(failures) });
    let budget = LogBudget { bytes_max: 1, bytes_ceiling: 1, records_kept: 0 };
    let growth = LogGrowth::new(budget, 0, 0, CancellationToken::new());
    let mut builder = SnapshotBuilder {
        machine: Arc::clone(&machine) as Arc<_>,
        snapshots: Arc::new(Disk),
        growth: Arc::new(growth),
    };
    let built = builder.build_snapshot().await;
    let left = machine.failures.lock().unwrap().len();
    (built, left)
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Storage, "write a snapshot").with_source(source)
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_for_which_there_is_no_space_is_tried_again() {
    let no_space = || failed(io::Error::from(io::ErrorKind::StorageFull));

    let (built, left) = build(vec![no_space(), no_space(), no_space()]).await;

    assert!(built.is_ok());
    assert_eq!(left, 0);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_damaged_state_ends_the_node_and_says_what_to_do() {
    let damage = || {
        let reason = "\"a\" does not match its checksum".to_owned();
        failed(TableError::Corrupt { table: "jobs", reason })
    };

    let (built, left) = build(vec![damage(), damage()]).await;

    let error = built.err().unwrap().to_string();
    assert_eq!(left, 1, "once is enough");
    for words in ["start the node anew", "jobs", "checksum"] {
        assert!(error.contains(words), "{words} in {error}");
    }
}
