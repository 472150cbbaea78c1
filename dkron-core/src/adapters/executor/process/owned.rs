//! Which children of this process somebody here will reap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Children whose exit status a run waits for, each with the `NAME=value` that only processes of
/// its run have in their environment. One list per process, as children are.
static OWNED: Mutex<BTreeMap<i32, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Tells the reaper of orphans that this child is waited for, for as long as the value lives.
pub(crate) struct OwnedChild {
    pid: i32,
}

impl OwnedChild {
    /// Claims a child, which leads a process group, for the run with this marker.
    pub(crate) fn claim(pid: i32, marker: &str) -> Self {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, marker.into());
        Self { pid }
    }

    /// Returns the children of the runs with these markers.
    pub(super) fn claimed_for(markers: &BTreeSet<Vec<u8>>) -> BTreeSet<i32> {
        let owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = owned.iter().filter(|(_, marker)| markers.contains(*marker));
        wanted.map(|(pid, _)| *pid).collect()
    }

    /// Returns whether somebody waits for this child.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "orphans are reaped on Linux"))]
    pub(super) fn is_claimed(pid: i32) -> bool {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&pid)
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}
