//! Leaving, peers, documentation and configuration files.

use std::fs;
use std::process::Command;
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::launch::binary;

use crate::kit::{Said, dkron, run};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

#[test]
fn a_node_that_is_asked_to_leave_ends() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());

    let said = dkron(&daemon, &["leave"]);

    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert_eq!(said.err, "Left the cluster successfully\n");
    assert_eq!(daemon.wait_for_end(BOUND).status.code(), Some(0));
}

/// Goal: an address that leads to no API never makes another node leave.
#[test]
fn a_node_is_not_asked_by_an_address_for_other_nodes_that_is_not_its_own() {
    let leave = ["leave", "--rpc-addr", "127.0.0.1:1"];
    let mut command = Command::new(binary());
    run(command.args(leave).env_remove("DKRON_HTTP_ADDR"), "").refused(&["--http-addr"]);
}

#[test]
fn the_one_server_is_listed_and_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());

    let table = dkron(&daemon, &["raft", "list-peers"]).done();
    let listed = dkron(&daemon, &["raft", "list-peers", "--rpc-addr=x:1", "-o", "json"]).json();

    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("Node  ID   Address"), "{table}");
    assert!(lines[1].starts_with("e2e   e2e  ") && lines[1].ends_with("leader  true"), "{table}");
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&"e2e".into(), &"leader".into()));
    let remove = |id: &str| dkron(&daemon, &["raft", "remove-peer", "--peer-id", id]);
    remove("e2e").refused(&["it is the only server", "dkron leave"]);
    remove("n2").refused(&["there is none", "\"e2e\""]);
    assert_eq!(daemon.http().get("/v1/isleader").unwrap().status, 200);
}

#[test]
fn the_documentation_is_a_file_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/pages");

    run(Command::new(binary()).args(["doc", "--dir"]).arg(&pages), "").done();

    let agent = fs::read_to_string(pages.join("dkron_agent.md")).unwrap();
    assert!(agent.contains("| `--data-dir string` |"), "{agent}");
    assert!(pages.join("dkron_job_apply.md").is_file());
}

#[test]
fn a_configuration_file_is_checked_before_a_node_starts_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str| -> Said {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        run(Command::new(binary()).args(["config", "check"]).arg(&path), "")
    };

    let good = check("good.yml", "server: true\nregoin: eu\n");
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.out.ends_with("good.yml: ok\n"), "{good:?}");
    assert!(good.err.contains("good.yml line 2 is no option"), "{good:?}");
    assert!(good.err.ends_with("did you mean region?\n"), "{good:?}");
    check("bad.yml", "server: maybe\n\nrpc-port: x\n").refused(&[
        "server in ",
        "bad.yml line 1",
        "rpc-port in ",
        "bad.yml line 3",
    ]);
    check("broken.toml", "server = true\nregion = \n").refused(&["broken.toml", "line 2"]);
    check("broken.json", "{\n\"server\":}").refused(&["broken.json", "line 2"]);
    check("broken.yaml", "server: [true\n").refused(&["broken.yaml", "line "]);
    run(Command::new(binary()).args(["config", "check", "/no/such.yml"]), "")
        .refused(&["/no/such.yml"]);
}
