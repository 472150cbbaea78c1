//! Files say which jobs there are.

use std::fs;

use dkron_e2e::daemon::Daemon;
use serde_json::json;

use crate::kit::{by_hand, create, dkron, dkron_in, job};

/// Two jobs in YAML, the child first.
const JOBS: &str = "\
# The nightly backup.
name: report
parent_job: backup
executor: shell
executor_config:
  command: echo report
---
name: backup
schedule: '0 30 2 * * *'
timezone: Europe/Berlin
retries: 2
executor: shell
executor_config:
  command: |
    umask 0022
    echo backup
  timeout: 30s
";

#[test]
fn a_file_is_applied_parents_first_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let file = folder.path().join("jobs.yaml");
    fs::write(&file, JOBS).unwrap();
    let apply = |more: &[&str]| {
        dkron(&daemon, &[&["job", "apply", file.to_str().unwrap()][..], more].concat())
    };

    let dry = apply(&["--dry-run"]).done();
    assert_eq!(job(&daemon, "backup"), None, "a dry run writes nothing");
    let first = apply(&[]).done();
    let second = apply(&[]).done();
    fs::write(&file, JOBS.replace("retries: 2", "retries: 3")).unwrap();
    let difference = apply(&["--dry-run"]).done();
    let as_json = apply(&["--dry-run", "-o", "json"]).json();
    let third = apply(&[]).done();

    assert_eq!(dry, "job \"backup\" would be created\njob \"report\" would be created\n");
    assert_eq!(first, "job \"backup\" created\njob \"report\" created\n");
    assert_eq!(second, "job \"backup\" unchanged\njob \"report\" unchanged\n");
    let line = "  retries: 2 -> 3\njob \"report\" unchanged\n";
    assert_eq!(difference, format!("job \"backup\" would be changed\n{line}"));
    assert_eq!(third, format!("job \"backup\" changed\n{line}"));
    assert_eq!(
        as_json[0],
        json!({"job": "backup", "action": "change",
               "differences": [{"key": "retries", "from": 2, "to": 3}]})
    );
    let backup = job(&daemon, "backup").unwrap();
    assert_eq!(backup["executor_config"]["command"], "umask 0022\necho backup\n");
    assert_eq!((&backup["retries"], &backup["dependent_jobs"]), (&json!(3), &json!(["report"])));
}

#[test]
fn a_fault_anywhere_keeps_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let input = "{name: good, schedule: '@daily'}\n---\n{name: bad, shedule: '@daily'}\n";

    let said = dkron_in(&daemon, folder.path(), &["job", "apply", "-"], input);

    said.refused(&["unknown key \"shedule\"", "did you mean \"schedule\"?", "nothing was applied"]);
    assert_eq!(job(&daemon, "good"), None);
    let said = dkron(&daemon, &["job", "apply", "/no/such/file"]);
    said.refused(&["read /no/such/file"]);
}

#[test]
fn what_an_owner_no_longer_declares_is_pruned_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data"));
    create(&daemon, &by_hand("by-hand", "true"));
    create(&daemon, &json!({"name": "of-db", "schedule": "@daily", "declared_by": "db"}));
    let jobs = folder.path().join("jobs");
    fs::create_dir(&jobs).unwrap();
    fs::write(jobs.join("a.yml"), "{name: a, schedule: '@daily'}").unwrap();
    fs::write(
        jobs.join("b.json"),
        r#"[{"name":"b","schedule":"@daily"},{"name":"c","parent_job":"b"}]"#,
    )
    .unwrap();
    let apply = |more: &[&str]| {
        dkron_in(&daemon, folder.path(), &[&["job", "apply", "jobs"][..], more].concat(), "")
    };

    apply(&["--owner", "web"]).done();
    fs::remove_file(jobs.join("b.json")).unwrap();
    apply(&["--prune"]).refused(&["--owner"]);
    let kept = apply(&["--owner", "web"]).done();
    let dry = apply(&["--owner", "web", "--prune", "--dry-run"]).done();
    let pruned = apply(&["--owner", "web", "--prune"]).done();

    assert_eq!(kept, "job \"a\" unchanged\n");
    assert!(dry.ends_with("job \"c\" would be deleted\njob \"b\" would be deleted\n"), "{dry}");
    assert_eq!(pruned, "job \"a\" unchanged\njob \"c\" deleted\njob \"b\" deleted\n");
    for (name, is_left) in
        [("a", true), ("b", false), ("c", false), ("by-hand", true), ("of-db", true)]
    {
        assert_eq!(job(&daemon, name).is_some(), is_left, "{name}");
    }
    fs::write(jobs.join("a.yml"), "# nothing any more\n").unwrap();
    apply(&["--owner", "web", "--prune"]).refused(&["the files hold no job"]);
    fs::write(jobs.join("a.yml"), "{name: of-db, schedule: '@hourly'}").unwrap();
    apply(&["--owner", "web"]).refused(&["is declared by \"db\""]);
    assert_eq!(job(&daemon, "of-db").unwrap()["schedule"], "@daily");
}

#[test]
fn a_node_that_refuses_a_job_is_heard_and_how_far_it_came_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let input = "{name: a, schedule: '@daily'}\n---\n{name: b, parent_job: none}\n";

    let said = dkron_in(&daemon, folder.path(), &["job", "apply", "-"], input);

    let out =
        said.refused(&["write job \"b\"", "parent job not found", "1 of 2 jobs were applied"]);
    assert_eq!(out, "job \"a\" created\n");
    daemon.http().post("/v1/pause", "").unwrap();
    let input = "{name: a, schedule: '@hourly'}";
    let said = dkron_in(&daemon, folder.path(), &["job", "apply", "-"], input);
    said.refused(&["503", "submissions are currently paused", "0 of 1"]);
}
