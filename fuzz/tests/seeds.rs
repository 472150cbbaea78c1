//! Replays every seed through its target.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dkron_fuzz::TARGETS;

fn seeds() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

#[test]
fn every_target_has_a_folder_of_seeds_and_every_folder_a_target() {
    let folders = fs::read_dir(seeds()).unwrap().map(|entry| entry.unwrap().file_name());
    let folders: BTreeSet<String> = folders.map(|name| name.into_string().unwrap()).collect();

    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();

    assert_eq!(folders, targets);
}

#[test]
fn no_seed_breaks_a_promise() {
    for target in TARGETS {
        let mut replayed = 0;
        for entry in fs::read_dir(seeds().join(target.name)).unwrap() {
            let path = entry.unwrap().path();
            // Shown only if the target panics.
            println!("{}", path.display());
            (target.run)(&fs::read(&path).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "{} has no seed", target.name);
    }
}
