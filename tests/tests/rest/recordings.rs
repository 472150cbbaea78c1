//! The recordings of a Go Dkron, played against the daemon.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use dkron_e2e::daemon::Daemon;

/// Cases that are answered otherwise than recorded, each for a reason.
const DIFFERENT: [(&str, &str); 20] = [
    ("cluster/members-unknown-query", "a node of one has no gossip port in this version"),
    ("http/debug-vars", "not in this version"),
    ("parent/children-run-one-after-the-other", "dependents are listed by name"),
    ("parent/two-children-in-order", "dependents are listed by name"),
    ("schedule-bad/five-fields", "crontab lines are accepted"),
    ("ui/root-redirects-browsers", "no web UI in this version"),
    ("ui/unknown-path-is-index", "no web UI in this version"),
    ("ui/without-slash-redirects", "no web UI in this version"),
    ("update/next-can-be-pushed-ahead", "next is computed, never taken from a client"),
    ("validate/name-very-long", "a name has to fit a key"),
    ("web/child-after-success", "requests tell of their run in X-Dkron headers"),
    ("web/delete-method", "requests tell of their run in X-Dkron headers"),
    ("web/header-simple", "requests tell of their run in X-Dkron headers"),
    ("web/headers-empty-entry", "requests tell of their run in X-Dkron headers"),
    ("web/headers-not-json", "requests tell of their run in X-Dkron headers"),
    ("web/patch-method", "requests tell of their run in X-Dkron headers"),
    ("web/post-with-body", "requests tell of their run in X-Dkron headers"),
    ("web/put-json", "requests tell of their run in X-Dkron headers"),
    ("web/query-string", "requests tell of their run in X-Dkron headers"),
    ("web/redirect-followed", "requests tell of their run in X-Dkron headers"),
];

/// Cases that differ on some runs.
const DIFFERENT_AT_TIMES: [(&str, &str); 1] = [(
    "tick/forbid-skips-while-running",
    "a running execution shows the instant it was claimed for, which may be a whole second",
)];

/// Goal: every recorded answer is given as recorded, or better where Dkron's was wrong.
/// Method: the recordings' own tool, which needs Python 3 and no more, plays all cases against a
/// fresh daemon and compares; the cases it finds different must be exactly those listed above.
#[test]
fn recorded_answers_are_given() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(directory.path()).env("TZ", "UTC").start();
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus/rest");

    let played = Command::new("python3")
        .arg(corpus.join("rest_kit.py"))
        .args(["check", "--destructive", "--url", &format!("http://{}", daemon.address())])
        .arg("--golden")
        .arg(corpus.join("golden.jsonl"))
        .output()
        .unwrap();

    let report = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(matches!(played.status.code(), Some(0 | 1)), "{report}{played:?}");
    let is_free = |id: &&str| DIFFERENT_AT_TIMES.iter().any(|(free, _)| free == id);
    let failed: BTreeSet<&str> = report
        .lines()
        .filter_map(|line| line.strip_prefix("FAIL: ")?.split_whitespace().nth(1))
        .filter(|id| !is_free(id))
        .collect();
    let expected = DIFFERENT.iter().map(|(id, _)| *id).collect();
    assert_eq!(failed, expected, "{report}");
    assert!(report.contains("bug: 27 fixed, 0 open"), "{report}");
}
