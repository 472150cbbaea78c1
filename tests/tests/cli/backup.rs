//! Jobs are exported, restored, and taken over from a Go Dkron.

use std::fs;

use dkron_e2e::daemon::Daemon;
use serde_json::{Value, json};

use crate::kit::{by_hand, create, dkron, dkron_in, job};

/// A daemon with a job that has run, and a child of it.
fn filled(folder: &std::path::Path) -> Daemon {
    let daemon = Daemon::start(folder);
    create(&daemon, &by_hand("a", "true"));
    create(
        &daemon,
        &json!({"name": "b", "parent_job": "a", "executor": "shell",
                            "executor_config": {"command": "true"}}),
    );
    dkron(&daemon, &["job", "run", "a"]).done();
    daemon
}

#[test]
fn a_backup_restores_the_jobs_with_their_counters() {
    let folder = tempfile::tempdir().unwrap();
    let old = filled(&folder.path().join("old"));
    let new = Daemon::start(&folder.path().join("new"));

    let written = dkron_in(&old, folder.path(), &["job", "export", "backup.json"], "").done();
    let printed = dkron(&old, &["job", "export"]).done();
    let restored = dkron_in(&new, folder.path(), &["job", "import", "backup.json"], "").done();
    let again = dkron_in(&new, folder.path(), &["job", "import", "-"], &printed).done();

    assert!(written.starts_with("2 jobs written to ") && written.ends_with("backup.json\n"));
    assert_eq!(fs::read_to_string(folder.path().join("backup.json")).unwrap(), printed);
    assert_eq!((restored.as_str(), again.as_str()), ("2 jobs written\n", "2 jobs written\n"));
    assert_eq!(job(&new, "a"), job(&old, "a"));
    assert_eq!(job(&new, "a").unwrap()["success_count"], 1);
}

#[test]
fn a_backup_that_is_not_accepted_changes_nothing_and_why_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let import = |text: &str| dkron_in(&daemon, folder.path(), &["job", "import", "-"], text);

    let jobs = json!([{"name": "a", "schedule": "@daily"}, {"name": "B", "schedule": "@daily"}]);
    import(&jobs.to_string()).refused(&["restore the jobs", "400", "job \"B\" (number 2)"]);
    import("{").refused(&["400"]);
    dkron(&daemon, &["job", "import", "/no/such/file"]).refused(&["read /no/such/file"]);
    let unwritable = ["job", "export", "/no/such/folder/backup.json"];
    dkron(&daemon, &unwritable).refused(&["write /no/such/folder/backup.json"]);

    assert_eq!(job(&daemon, "a"), None);
}

#[test]
fn a_backup_goes_to_a_device_without_replacing_it() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());

    dkron(&daemon, &["job", "export", "/dev/full"]).refused(&["write /dev/full: no space left"]);

    let kind = fs::metadata("/dev/full").unwrap().file_type();
    assert!(!kind.is_file());
}

#[test]
fn the_jobs_of_another_dkron_are_taken_over_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let old = filled(&folder.path().join("old"));
    let new = Daemon::start(&folder.path().join("new"));
    let from = format!("http://{}", old.address());
    let import = |more: &[&str]| dkron(&new, &[&["import", "--from", &from][..], more].concat());

    let dry = import(&["--dry-run"]).done();
    assert_eq!(job(&new, "a"), None, "a dry run writes nothing");
    let first = import(&[]).done();
    let jobs = [job(&new, "a"), job(&new, "b")];
    let second = import(&[]).done();

    assert_eq!(dry, "2 jobs would be written, 0 not carried over\n");
    assert_eq!((first.as_str(), second.as_str()), ("2 jobs written\n", "2 jobs written\n"));
    assert_eq!(jobs, [job(&old, "a"), job(&old, "b")]);
    assert_eq!([job(&new, "a"), job(&new, "b")], jobs);
    let itself = format!("http://{}", new.address());
    dkron(&new, &["import", "--from", &itself]).refused(&["is the node that the jobs would be"]);
}

#[test]
fn what_cannot_be_carried_over_is_told_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data"));
    let jobs: Value = json!([
        {"name": "good", "schedule": "@daily", "dependent_jobs": ["ghost"], "command": "true"},
        {"name": "queue", "schedule": "@daily", "executor": "kafka"},
        {"name": "never", "schedule": "0 0 0 30 2 *"},
        {"name": "below", "parent_job": "never"},
    ]);
    let file = folder.path().join("jobs.json");
    fs::write(&file, jobs.to_string()).unwrap();

    let said = dkron(&daemon, &["import", "--from", file.to_str().unwrap()]);

    let out = said.refused(&[
        "Note: job \"good\": the key \"command\" means nothing here",
        "Note: job \"good\": it lists \"ghost\"",
        "Note: job \"queue\": this version has no executor \"kafka\"",
        "Error: job \"never\" is not carried over: ",
        "Error: job \"below\" is not carried over: its parent \"never\"",
    ]);
    assert_eq!(out, "2 jobs written\n");
    let is_there = |name: &str| job(&daemon, name).is_some();
    assert_eq!(["good", "queue", "never", "below"].map(is_there), [true, true, false, false]);
    fs::write(&file, "no jobs").unwrap();
    dkron(&daemon, &["import", "--from", file.to_str().unwrap()])
        .refused(&["it is no JSON array of jobs"]);
}
