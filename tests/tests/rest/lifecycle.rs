//! How the daemon starts, refuses to, and stops.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::wait::{wait_for, wait_until};
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

fn create(daemon: &Daemon, job: &Value) {
    let answer = daemon.http().post("/v1/jobs", job.to_string()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// Creates a job that runs a command of the shell when it is asked to.
fn create_by_hand(daemon: &Daemon, name: &str, command: &str) {
    create(
        daemon,
        &json!({
            "name": name, "schedule": "@manually", "executor": "shell",
            "executor_config": {"command": command, "shell": "true"},
        }),
    );
}

fn executions(daemon: &Daemon, job: &str) -> Vec<Value> {
    let answer = daemon.http().get(&format!("/v1/jobs/{job}/executions")).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn the_first_request_of_the_guide_runs() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    create(
        &daemon,
        &json!({
            "name": "job1", "schedule": "@every 10s", "timezone": "Europe/Berlin",
            "owner": "Platform Team", "owner_email": "platform@example.com", "disabled": false,
            "tags": {"server": "true:1"}, "concurrency": "allow", "executor": "shell",
            "executor_config": {"command": "date"},
        }),
    );

    let execution = wait_for("a successful execution", Duration::from_secs(11), || {
        executions(&daemon, "job1").into_iter().find(|execution| execution["success"] == true)
    });

    assert!(execution["output"].as_str().unwrap().contains("20"), "{execution}");
}

#[test]
fn old_guides_write_the_tag_of_servers_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    create(
        &daemon,
        &json!({
            "name": "a", "schedule": "@manually", "tags": {"dkron_server": "true:1"},
            "executor": "shell", "executor_config": {"command": "true"},
        }),
    );

    assert_eq!(daemon.http().post("/v1/jobs/a", "").unwrap().status, 200);
    assert_eq!(executions(&daemon, "a").len(), 1);
}

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
        (&["--retry-join=10.0.0.1", "--encrypt=x"], "--encrypt is not available"),
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

#[test]
fn a_stop_waits_for_running_jobs_and_keeps_their_results() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    create_by_hand(&daemon, "slow", "sleep 1; echo done");
    let mut http = daemon.http();
    let run = std::thread::spawn(move || http.post("/v1/jobs/slow", ""));
    wait_until("the run", BOUND, || daemon.http().get("/v1/busy").unwrap().json() != json!([]));

    let ended = daemon.terminate(BOUND);

    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert_eq!(run.join().unwrap().unwrap().status, 200);
    let daemon = Daemon::start(directory.path());
    let execution = &executions(&daemon, "slow")[0];
    assert_eq!((&execution["success"], &execution["output"]), (&json!(true), &json!("done\n")));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    create(
        &daemon,
        &json!({
            "name": "long", "schedule": "@manually", "executor": "shell",
            "executor_config": {"command": "sleep 1000"},
        }),
    );
    assert_eq!(daemon.http().post("/v1/jobs/long?async", "").unwrap().status, 200);
    wait_until("the run", BOUND, || daemon.http().get("/v1/busy").unwrap().json() != json!([]));

    daemon.ask_to_end();
    daemon.wait_for_log("waiting for jobs to finish", BOUND);
    daemon.ask_to_end();

    daemon.wait_for_log("ended at once", Duration::from_secs(5));
}

/// Goal: the answer to a run by hand means that all of it is over, unless `async` asks not to wait.
/// Method: a job that fails at first, and a job that follows it; then one that waits for a file.
#[test]
fn a_run_by_hand_answers_when_all_it_set_off_is_over_or_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&directory.path().join("data"));
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    for (name, parent, retries, command) in [
        ("parent", "", 1, "[ $DKRON_ATTEMPT -gt 1 ]"),
        ("child", "parent", 0, "sleep 0.3; echo done"),
        ("patient", "", 0, &wait),
    ] {
        let schedule = if parent.is_empty() { "@manually" } else { "" };
        let config = json!({"command": command, "shell": "true"});
        let job = json!({"name": name, "schedule": schedule, "parent_job": parent,
                         "retries": retries, "executor": "shell", "executor_config": config});
        create(&daemon, &job);
    }

    assert_eq!(daemon.http().post("/v1/jobs/parent", "").unwrap().status, 200);
    let attempts: Vec<Value> =
        executions(&daemon, "parent").iter().map(|run| run["success"].clone()).collect();
    assert_eq!(attempts, [json!(true), json!(false)]);
    let child = executions(&daemon, "child");
    assert_eq!((child.len(), &child[0]["output"]), (1, &json!("done\n")));

    assert_eq!(daemon.http().post("/v1/jobs/patient?async", "").unwrap().status, 200);
    assert!(executions(&daemon, "patient").iter().all(|run| run["success"] == false));
    std::fs::write(&gate, "").unwrap();
    wait_until("its end", BOUND, || {
        executions(&daemon, "patient").iter().any(|run| run["success"] == true)
    });
}

#[test]
fn a_request_to_leave_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());

    let answer = daemon.http().post("/v1/leave", "").unwrap();

    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(daemon.wait_for_end(BOUND).status.code(), Some(0));
}

#[test]
fn hostile_bodies_are_refused_and_nothing_else_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut http = daemon.http();
    let tags: Vec<String> = (0..100_000).map(|n| format!("\"t{n}\":\"x\"")).collect();
    for (body, status) in [
        (format!("{{\"name\":\"{}\"}}", "x".repeat(10 << 20)).into_bytes(), 413),
        (format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes(), 400),
        ("[".repeat(1 << 20).into_bytes(), 400),
        (b"{\"name\":\"a\",\"schedule\":\"@daily\",\"owner\":\"\xff\xfe\"}".to_vec(), 201),
        (
            format!("{{\"name\":\"a\",\"schedule\":\"@daily\",\"tags\":{{{}}}}}", tags.join(","))
                .into_bytes(),
            400,
        ),
        (b"\x00\x01\x02".to_vec(), 400),
        (Vec::new(), 400),
    ] {
        let start: Vec<u8> = body.iter().copied().take(60).collect();
        let answer = http.post("/v1/jobs", body).unwrap();
        let start = String::from_utf8_lossy(&start).into_owned();
        assert_eq!(answer.status, status, "{start}: {}", answer.text());
        assert!(!answer.body.is_empty(), "{start}");
    }
    let jobs = http.get("/v1/jobs").unwrap().json();
    assert_eq!(jobs.as_array().unwrap().len(), 1);
    assert_eq!(jobs[0]["owner"], "\u{fffd}\u{fffd}");
}

#[test]
fn a_pause_and_the_id_of_a_member_outlast_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let member = |daemon: &Daemon| daemon.http().get("/v1/members").unwrap().json()[0].clone();
    let daemon = Daemon::start(directory.path());
    let id = member(&daemon)["id"].clone();
    assert_eq!(daemon.http().post("/v1/pause", "").unwrap().status, 200);
    daemon.terminate(BOUND);

    let daemon = Daemon::start(directory.path());

    assert_eq!(member(&daemon)["id"], id);
    assert_eq!(member(&daemon)["id"], id, "at each request");
    assert_eq!(daemon.http().get("/v1/pause").unwrap().json(), json!({"paused": true}));
    assert_eq!(daemon.http().post("/v1/jobs", "{").unwrap().status, 503);
}

#[test]
fn a_busy_execution_shows_the_end_of_its_output() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let command = "head -c 10000 /dev/zero | tr '\\0' x; echo; echo end; sleep 1000";
    create_by_hand(&daemon, "talks", command);
    assert_eq!(daemon.http().post("/v1/jobs/talks?async", "").unwrap().status, 200);

    let output = wait_for("the end of what it has written", BOUND, || {
        let busy = daemon.http().get("/v1/busy").unwrap().json();
        busy[0]["output"].as_str().filter(|text| text.ends_with("x\nend\n")).map(str::to_owned)
    });

    assert_eq!(output.len(), 4_096);
}

#[test]
fn a_hangup_is_answered_with_a_word_and_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(directory.path()).args(&["--disable-usage-stats"]).start();

    let pid = nix::unistd::Pid::from_raw(daemon.pid().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();

    daemon.wait_for_log("reading the configuration anew is not available", BOUND);
    assert_eq!(daemon.http().get("/health").unwrap().status, 200);
}
