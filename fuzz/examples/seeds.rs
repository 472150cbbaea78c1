//! Writes the seeds that are no text: sample log entries and snapshots of what they lead to.
//!
//! `cargo run -p dkron-fuzz --example seeds`, after a change of a format. Seeds of older formats
//! stay: they must be read, or refused, as well.

use std::fs;
use std::path::Path;

use dkron_core::kernel::state::{MemoryTables, apply, encode_entry};
use dkron_fuzz::{snapshot, world};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let (entries, snapshots) = (folder.join("log-entry"), folder.join("snapshot"));
    fs::create_dir_all(&entries)?;
    fs::create_dir_all(&snapshots)?;

    let mut tables = MemoryTables::new();
    for (number, entry) in world::samples().iter().enumerate() {
        fs::write(entries.join(format!("v1-{number:02}")), encode_entry(entry))?;
        apply(&mut tables, entry, &mut Vec::new()).expect("a sample applies");
        let stream = world::snapshot(&tables);
        fs::write(snapshots.join(format!("v1-bodies-{number:02}")), snapshot::bodies(&stream))?;
    }
    let raw = [&[snapshot::RAW][..], &world::snapshot(&tables)].concat();
    fs::write(snapshots.join("v1-raw"), raw)
}
