//! Every directory is synced after what is in it was made. A crash of the machine cannot be had in
//! a test; that the call was made, and when, can.

use std::cell::RefCell;
use std::path::PathBuf;

use super::*;
use crate::adapters::storage::{DataDirConfig, Storage};
use crate::kernel::model::NodeName;
use crate::kernel::state::Report;
use crate::ports::LogPosition;

thread_local! {
    /// The directories that this thread has synced, in turn.
    pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// Returns which of `names`, below `root`, `work` has synced.
fn synced<R>(root: &Path, names: &[&str], work: impl FnOnce() -> R) -> (Vec<bool>, R) {
    SYNCED.with_borrow_mut(Vec::clear);
    let done = work();
    let was = |name: &&str| SYNCED.with_borrow(|synced| synced.contains(&root.join(name)));
    (names.iter().map(was).collect(), done)
}

fn open(path: &Path) -> Storage {
    let node = NodeName::parse("n1").unwrap();
    let path = path.to_owned();
    Storage::open(&DataDirConfig { path, node, allow_network_file_system: false }).unwrap()
}

#[test]
fn every_directory_is_synced_after_something_new_was_made_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let names = ["", "a", "a/data", "a/data/log", "a/data/state"];

    let (first, storage) = synced(&root, &names, || open(&root.join("a/data")));
    assert_eq!(first, [true; 5], "{names:?}");
    let is_data = |path: &PathBuf| *path == root.join("a/data");
    let last_of_data = SYNCED.with_borrow(|synced| synced.iter().rposition(is_data));
    let is_env = |path: &PathBuf| path.starts_with(root.join("a/data")) && !is_data(path);
    let last_of_env = SYNCED.with_borrow(|synced| synced.iter().rposition(is_env));
    assert!(last_of_data > last_of_env, "what is in the data dir is synced after it was made");

    let (outbox, ()) = synced(&root, &["a/data"], || {
        storage.outbox.add(&[Report::sample("a", 1)]).unwrap();
    });
    assert_eq!(outbox, [true], "a new outbox");
    let (snapshot, ()) = synced(&root, &["a/data/snapshots"], || {
        let position = LogPosition { term: 1, index: 1 };
        storage.snapshots.write(position, b"", &mut |_| Ok(())).unwrap();
    });
    assert_eq!(snapshot, [true], "a snapshot under its own name");

    drop(storage);
    let (again, _storage) = synced(&root, &["a/data"], || open(&root.join("a/data")));
    assert_eq!(again, [true], "the stamp is replaced at every start");
}
