//! A view of the state that is opened when it is first read.
//!
//! Most news of the log only moves claims on, and the engine reads nothing for it. Where a reader
//! and the writer hold each other off, the engine then works while entries are applied.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Error;
use crate::kernel::model::{Job, JobName};
use crate::kernel::state::{KeyRange, Order, StatusRow, Table, TableError, Tables};
use crate::ports::Store;

/// One view for one step of the engine, or none.
pub(super) struct LateView<'a, S: Store> {
    store: &'a S,
    view: OnceCell<Result<S::View<'a>, Error>>,
}

impl<'a, S: Store> LateView<'a, S> {
    pub(super) const fn new(store: &'a S) -> Self {
        Self { store, view: OnceCell::new() }
    }

    /// Lets go of the view; returns why there was none, if it could not be opened.
    pub(super) fn close(self) -> Result<(), Error> {
        match self.view.into_inner() {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn open(&self) -> Result<&S::View<'a>, TableError> {
        let view = self.view.get_or_init(|| self.store.read());
        view.as_ref().map_err(|error| {
            let reason = error.report();
            TableError::Store { action: "read", table: "all", reason }
        })
    }
}

impl<S: Store> Tables for LateView<'_, S> {
    fn get_with<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        self.open()?.get_with(table, key, read)
    }

    fn walk(
        &self,
        table: Table,
        range: KeyRange<'_>,
        order: Order,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        self.open()?.walk(table, range, order, visit)
    }

    fn len(&self, table: Table) -> Result<u64, TableError> {
        self.open()?.len(table)
    }

    fn job(&self, name: &JobName) -> Result<Option<Arc<Job>>, TableError> {
        self.open()?.job(name)
    }

    fn status(&self, name: &JobName) -> Result<Option<StatusRow>, TableError> {
        self.open()?.status(name)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;
    use crate::kernel::state::MemoryTables;

    thread_local! {
        static OPENED: Cell<u32> = const { Cell::new(0) };
    }

    /// A store that counts its views, and gives none if it is broken.
    struct Counting {
        is_broken: bool,
    }

    impl Store for Counting {
        type View<'a> = MemoryTables;

        fn read(&self) -> Result<MemoryTables, Error> {
            OPENED.set(OPENED.get() + 1);
            match self.is_broken {
                true => Err(Error::new(ErrorKind::Stopped, "the disk is gone")),
                false => Ok(MemoryTables::new()),
            }
        }
    }

    #[test]
    fn it_is_opened_once_and_only_if_it_is_read() {
        let store = Counting { is_broken: false };
        assert!(LateView::new(&store).close().is_ok());
        assert_eq!(OPENED.get(), 0);

        let view = LateView::new(&store);
        for table in Table::ALL {
            assert_eq!(view.len(table), Ok(0));
        }
        assert!(view.close().is_ok());
        assert_eq!(OPENED.get(), 1);
    }

    #[test]
    fn why_it_could_not_be_opened_is_told_at_the_end() {
        let store = Counting { is_broken: true };
        let view = LateView::new(&store);
        assert!(matches!(view.len(Table::Due), Err(TableError::Store { .. })));
        assert_eq!(view.close().unwrap_err().kind(), ErrorKind::Stopped);
    }
}
