//! Files of a data dir, and records within them: any bytes are read or refused.
//!
//! The first byte tells what they are taken for. A capital letter: as they are; a small one: as a
//! body for which the checksum is made, or as patches of a good file.

use dkron_core::fuzzed::consensus;
use dkron_core::fuzzed::storage::{Disk, sealed_snapshot_head, snapshot_head};
use tempfile::TempDir;

use crate::scratch;

thread_local! {
    static DISK: (TempDir, Disk) = {
        let directory = scratch::directory();
        let disk = Disk::new(directory.path());
        (directory, disk)
    };
}

/// Hands the bytes behind the first to the reader that the first one names.
pub fn check(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    DISK.with(|(_, disk)| match kind {
        b'P' => disk.page_file(data),
        b'p' => disk.patched_page_file(data),
        b'O' => disk.outbox(data),
        b'o' => disk.sealed_outbox(data),
        b'S' => disk.stamp(data),
        b's' => disk.sealed_stamp(data),
        b'H' => snapshot_head(data),
        b'h' => sealed_snapshot_head(data),
        b'C' => consensus::records(data),
        _ => {}
    });
}
