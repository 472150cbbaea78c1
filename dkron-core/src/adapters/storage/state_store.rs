//! The state of a node, on disk or in memory, behind one type.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::health::StorageHealth;
use super::state_env::LmdbState;
use super::state_tables::LmdbView;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::{Job, JobName};
use crate::kernel::state::{KeyRange, MemoryTables, Order, StatusRow, Table, TableError, Tables};
use crate::ports::{Change, Replica, Store};

/// The state of a node.
pub enum StateStore {
    /// On disk.
    Lmdb(LmdbState),
    /// In memory: for clusters without a disk, and for tests.
    Memory(MemoryState),
}

/// The state in memory. A reader holds off the writer, and the writer all readers.
pub struct MemoryState {
    tables: RwLock<MemoryTables>,
    health: Arc<StorageHealth>,
}

/// A consistent view of the state; short-lived.
pub enum StateView<'a> {
    /// Of the state on disk.
    Lmdb(LmdbView<'a>),
    /// Of the state in memory.
    Memory(RwLockReadGuard<'a, MemoryTables>),
}

impl StateStore {
    /// Makes an empty state in memory.
    pub fn in_memory(health: Arc<StorageHealth>) -> Self {
        Self::Memory(MemoryState { tables: RwLock::default(), health })
    }

    /// Returns whether the pages of the history are still being checked: until then whoever reads
    /// or writes executions, outputs or skips waits.
    pub fn is_checking_history(&self) -> bool {
        match self {
            Self::Lmdb(state) => state.is_checking_history(),
            Self::Memory(_) => false,
        }
    }
}

impl Store for StateStore {
    type View<'a> = StateView<'a>;

    fn read(&self) -> Result<StateView<'_>, Error> {
        match self {
            Self::Lmdb(state) => state.read().map(StateView::Lmdb),
            Self::Memory(state) => {
                state.health.check_process()?;
                let tables = state.tables.read().unwrap_or_else(PoisonError::into_inner);
                Ok(StateView::Memory(tables))
            }
        }
    }
}

impl Replica for StateStore {
    fn update<C: Change>(&self, change: &mut C) -> Result<C::Output, Error> {
        match self {
            Self::Lmdb(state) => state.update(change),
            Self::Memory(state) => {
                state.health.check_process()?;
                let mut tables = state.tables.write().unwrap_or_else(PoisonError::into_inner);
                // Nothing here runs out of space, so a change fails only on records that do not
                // decode: the node stops then, and its memory with it. So nothing is undone.
                change.make(&mut *tables).map_err(|error| {
                    Error::new(ErrorKind::Internal, "apply to the state in memory")
                        .with_source(error)
                })
            }
        }
    }
}

impl Tables for StateView<'_> {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        match self {
            Self::Lmdb(view) => view.get_with(table, key, read),
            Self::Memory(tables) => tables.get_with(table, key, read),
        }
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        match self {
            Self::Lmdb(view) => view.walk(table, range, order, visit),
            Self::Memory(tables) => tables.walk(table, range, order, visit),
        }
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        match self {
            Self::Lmdb(view) => view.len(table),
            Self::Memory(tables) => tables.len(table),
        }
    }

    fn job(&self, name: &JobName) -> Result<Option<Arc<Job>>, TableError> {
        match self {
            Self::Lmdb(view) => view.job(name),
            Self::Memory(tables) => tables.job(name),
        }
    }

    fn status(&self, name: &JobName) -> Result<Option<StatusRow>, TableError> {
        match self {
            Self::Lmdb(view) => view.status(name),
            Self::Memory(tables) => tables.status(name),
        }
    }
}
