//! What a start makes of its arguments and of what lies in its directory.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_is_told_nothing_forms_a_cluster_of_one_and_rejoins_it() {
    let directory = tempfile::tempdir().unwrap();
    let alone = ["--bootstrap-expect=0"];
    let daemon = Daemon::at(directory.path()).args(&alone).start();
    daemon.wait_for_log("formed a cluster of one", BOUND);
    assert_eq!(daemon.terminate(BOUND).status.code(), Some(0));

    let daemon = Daemon::at(directory.path()).args(&alone).start();
    daemon.wait_for_log("rejoined with its data", BOUND);
    assert!(!daemon.log().contains("formed a cluster of one"), "{}", daemon.log());
}

#[test]
fn a_new_volume_is_not_taken_for_data() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lost+found")).unwrap();
    let daemon = Daemon::at(directory.path()).args(&["--bootstrap-expect=0"]).start();
    daemon.wait_for_log("formed: this node alone", BOUND);
    daemon.wait_for_log("formed a cluster of one", BOUND);
}

#[test]
fn a_start_that_cannot_succeed_says_why_and_exits_with_1() {
    let taken = Daemon::start(tempfile::tempdir().unwrap().path());
    let http_addr = format!("--http-addr={}", taken.address());
    let broken = tempfile::tempdir().unwrap();
    let file = broken.path().join("dkron.yml");
    std::fs::write(&file, "server: [").unwrap();
    let config = format!("--config={}", file.display());
    for (args, wanted) in [
        (&[http_addr.as_str()][..], "bind the HTTP address"),
        (&["--server=false"], "--server"),
        (&["--tag=nonsense"], "invalid tag: 'nonsense'"),
        (&[config.as_str()], "dkron.yml"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let ended = match Daemon::at(directory.path()).args(args).try_start() {
            Err(ended) => ended,
            Ok(_) => panic!("{args:?} started"),
        };
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {}", ended.log);
        assert!(ended.log.contains(wanted), "{args:?}: {}", ended.log);
    }
}
