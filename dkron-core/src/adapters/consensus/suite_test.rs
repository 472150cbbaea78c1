//! openraft's own suite for logs and state machines, over both kinds of storage.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::apply_thread::ApplyThread;
use super::handle::EntryEvents;
use super::log_budget::{LogBudget, LogGrowth};
use super::log_storage::LogStorage;
use super::machine::{Machine, MachineOver};
use super::raft_types::TypeConfig;
use super::state_machine::StateMachine;
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::kernel::model::NodeName;

/// Makes empty stores.
struct Builder {
    is_on_disk: bool,
}

/// What goes when a store of the suite does.
struct Guard {
    _dir: TempDir,
    _applied: mpsc::Receiver<EntryEvents>,
}

impl StoreBuilder<TypeConfig, LogStorage, StateMachine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, LogStorage, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let storage = if self.is_on_disk {
            let config = DataDirConfig {
                path: dir.path().to_owned(),
                node: NodeName::parse("0").unwrap(),
                allow_network_file_system: false,
            };
            Storage::open(&config).unwrap()
        } else {
            Storage::in_memory()
        };
        let log = LogStorage::open(Arc::clone(&storage.log)).unwrap();
        let machine: Arc<dyn Machine> = Arc::new(MachineOver { state: storage.state });
        let (sender, applied) = mpsc::channel(1 << 10);
        let apply = ApplyThread::start(Arc::clone(&machine), Arc::clone(log.tail()), sender);
        let budget = LogBudget { bytes_max: u64::MAX, bytes_ceiling: u64::MAX, records_kept: 0 };
        let growth = LogGrowth::new(budget, 0, 0, CancellationToken::new());
        let state_machine =
            StateMachine::new(apply.unwrap(), machine, storage.snapshots, Arc::new(growth));
        Ok((Guard { _dir: dir, _applied: applied }, log, state_machine))
    }
}

async fn check(is_on_disk: bool) {
    Suite::test_all(Builder { is_on_disk }).await.unwrap();
}

#[test]
fn the_log_on_disk_passes_openrafts_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(check(true));
}

#[test]
fn the_log_in_memory_passes_openrafts_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(check(false));
}
