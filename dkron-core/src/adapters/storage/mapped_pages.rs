//! The pages of a mapped file that count as this process's memory, and letting go of them.
//!
//! LMDB reads its file through a map. Each page that was touched once counts as memory of the
//! process until the system wants it back, so that one walk over a long history, as a snapshot
//! makes it, shows up as the size of the history from then on. Letting go takes nothing from
//! anybody: the pages stay in the system's cache, and the next touch maps them again, 16 at a time,
//! without the disk.
//!
//! Where there is no `/proc/self/maps` nothing is let go of.
//!
//! Invariant: only what is mapped of this very file, and only before its map is closed: another
//! map may take its place, and would lose its contents.

use std::fs;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::mman::{MmapAdvise, madvise};

/// How often a node looks whether it is time to let go.
const INTERVAL: Duration = Duration::from_secs(5);

/// The map of one file, as long as it is open.
pub struct MappedPages {
    map: Mutex<Option<Map>>,
}

/// Address and length of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Map {
    start: usize,
    bytes: usize,
}

impl MappedPages {
    /// Finds the map of a file that this process has mapped, from its beginning.
    pub fn of(file: &Path) -> Self {
        Self { map: Mutex::new(find(file)) }
    }

    /// Lets go of the pages that were touched. May be called at any time, from any thread; whoever
    /// reads meanwhile reads on.
    pub fn let_go(&self) {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Map { start, bytes }) = *map else { return };
        let Some(start) = NonNull::new(std::ptr::with_exposed_provenance_mut(start)) else {
            return;
        };
        // SAFETY: the lock keeps the map from being closed. It is a shared map of a file, so that
        // what it shows does not change; its pages are only ever read through it.
        #[expect(unsafe_code, reason = "advice about an address range")]
        let advised = unsafe { madvise(start, bytes, MmapAdvise::MADV_DONTNEED) };
        if let Err(error) = advised {
            tracing::debug!(error = error.desc(), "let go of mapped pages");
        }
    }

    /// Forgets the map; call before it is closed.
    pub fn close(&self) {
        *self.map.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Milestones {
    /// What the newest snapshot covers.
    pub snapshot_index: Option<u64>,
    /// What is applied.
    pub applied_index: Option<u64>,
}

/// Lets go of what is mapped after the start, which reads the log; after a snapshot, which reads
/// the state; and while nothing happens.
///
/// Not at other times: who is busy needs the pages again, and mapping a few hundred of them makes
/// the next runs half a millisecond late.
///
/// *Owner*: the node's runtime. *Ends* with the node.
pub async fn let_go_at_times(files: Vec<Arc<MappedPages>>, reached: impl Fn() -> Milestones) {
    let mut before = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = reached();
        if is_time(before.replace(now), now) {
            files.iter().for_each(|file| file.let_go());
        }
    }
}

/// Decides, given how far the node had come at the look before, if there was one.
fn is_time(before: Option<Milestones>, now: Milestones) -> bool {
    before.is_none_or(|before| {
        now.snapshot_index != before.snapshot_index || now.applied_index == before.applied_index
    })
}

/// Looks for the map of a file, see proc_pid_maps(5).
fn find(file: &Path) -> Option<Map> {
    let file = fs::canonicalize(file).ok()?;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| parse(line, file.to_str()?))
}

/// Reads `start-end rights offset device inode path`, if it is the map of the beginning of a file.
/// Device and inode are not compared: of some file systems others are shown here than elsewhere.
fn parse(line: &str, file: &str) -> Option<Map> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let (rights, offset) = (words.next()?, words.next()?);
    let (_device, _inode, path) = (words.next()?, words.next()?, words.next()?);
    let is_it = rights.starts_with("r-")
        && rights.ends_with('s')
        && u64::from_str_radix(offset, 16) == Ok(0)
        && path.trim_start() == file;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    is_it.then_some(Map { start, bytes: end.checked_sub(start)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::storage::data_dir::open_for_test;
    use crate::adapters::storage::health::StorageHealth;
    use crate::adapters::storage::state_env::LmdbState;
    use crate::kernel::state::{Table, TableError, Tables, TablesMut};
    use crate::ports::Change;

    /// Writes a large value.
    struct Fill(Vec<u8>);

    impl Change for Fill {
        type Output = ();

        fn make(&mut self, tables: &mut impl TablesMut) -> Result<(), TableError> {
            tables.put(Table::Outputs, b"a", &self.0)
        }
    }

    /// Returns how many KiB of a map count as memory of this process, if the system says so.
    fn resident_kib(map: Map) -> Option<u64> {
        let maps = fs::read_to_string("/proc/self/smaps").ok()?;
        let from = maps.split_once(&format!("{:x}-{:x} ", map.start, map.start + map.bytes))?.1;
        let line = from.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    #[test]
    fn what_was_read_counts_as_memory_until_it_is_let_go_of_and_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let health = Arc::new(StorageHealth::new(None));
        let state = LmdbState::open(&open_for_test(dir.path()), health).unwrap();
        let value = vec![b'o'; 4 << 20];
        state.update(&mut Fill(value.clone())).unwrap();
        let read = || {
            let view = state.read().unwrap();
            view.get_with(Table::Outputs, b"a", <[u8]>::to_vec).unwrap()
        };
        assert!(read() == Some(value.clone()));
        let Some(map) = *state.pages().map.lock().unwrap() else {
            println!("skipped: pages that are let go of, no /proc/self/maps here");
            return;
        };
        let before = resident_kib(map);

        state.pages().let_go();

        assert!(before >= Some(4 << 10), "{before:?}");
        assert_eq!(resident_kib(map), Some(0));
        assert!(read() == Some(value));
        let pages = Arc::clone(state.pages());
        drop(state);
        assert_eq!(*pages.map.lock().unwrap(), None);
    }

    #[test]
    fn pages_are_let_go_of_after_the_start_after_a_snapshot_and_at_rest() {
        let reached = |snapshot, applied| Milestones {
            snapshot_index: Some(snapshot),
            applied_index: Some(applied),
        };
        assert!(is_time(None, reached(1, 10)), "the first look after a start");
        assert!(!is_time(Some(reached(1, 10)), reached(1, 11)), "busy");
        assert!(is_time(Some(reached(1, 11)), reached(11, 12)), "a snapshot was written");
        assert!(is_time(Some(reached(11, 12)), reached(11, 12)), "at rest");
        assert!(is_time(Some(Milestones::default()), Milestones::default()), "nothing yet");
    }

    #[test]
    fn the_map_of_a_file_is_found_by_its_name() {
        let check = |line: &str, want: Option<(usize, usize)>| {
            let want = want.map(|(start, bytes)| Map { start, bytes });
            assert_eq!(parse(line, "/data dir/log/data.mdb"), want, "{line}");
        };
        let file = "/data dir/log/data.mdb";
        let line = |rights: &str, offset: &str, file: &str| {
            format!("7f0000001000-7f0000004000 {rights} {offset} fe:00 77      {file}")
        };
        check(&line("r--s", "00000000", file), Some((0x7f00_0000_1000, 0x3000)));
        check(&line("rw-s", "00000000", file), None);
        check(&line("r--p", "00000000", file), None);
        check(&line("r--s", "00001000", file), None);
        check(&line("r--s", "00000000", "/data dir/log/lock.mdb"), None);
        check("7ffd1c9f0000-7ffd1ca11000 rw-p 00000000 00:00 0                [stack]", None);
        check("7ffd1c9f0000-7ffd1ca11000 rw-p 00000000 00:00 0", None);
        check("", None);
    }
}
