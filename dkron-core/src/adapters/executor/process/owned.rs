//! Which children of this process somebody here will reap.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Children whose exit status a run waits for. One list per process, as children are.
static OWNED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Tells the reaper of orphans that this child is waited for, for as long as the value lives.
pub(crate) struct OwnedChild {
    pid: i32,
}

impl OwnedChild {
    /// Claims a child.
    pub(crate) fn claim(pid: i32) -> Self {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Self { pid }
    }

    /// Returns whether somebody waits for this child.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "orphans are reaped on Linux"))]
    pub(super) fn is_claimed(pid: i32) -> bool {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}
