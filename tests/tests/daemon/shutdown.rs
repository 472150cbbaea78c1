//! Every way to end: SIGTERM, SIGINT, a request; in order and in a hurry. The second start, and two
//! daemons on one data directory.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::Answer;
use dkron_e2e::wait::wait_until;
use serde_json::json;

const END_BOUND: Duration = Duration::from_secs(30);

/// A job that runs by hand: in the background of the request that asks for it.
fn job(name: &str, command: &str) -> String {
    json!({"name": name, "schedule": "@manually", "executor": "shell",
           "executor_config": {"command": command, "shell": "true"}})
    .to_string()
}

/// Starts a run without waiting for its end, and returns once it runs, with whom the answer comes
/// to: at the end of the run, or not at all.
fn start_run(daemon: &Daemon, job: &str) -> JoinHandle<io::Result<Answer>> {
    let mut http = daemon.http();
    let path = format!("/v1/jobs/{job}");
    let answer = std::thread::spawn(move || http.post(&path, ""));
    let mut http = daemon.http();
    wait_until("the run", END_BOUND, || http.get("/v1/busy").unwrap().text().contains(job));
    answer
}

/// A way to ask a daemon for its end.
type Ask = fn(&Daemon);

const SIGNALS: [(&str, Ask); 2] =
    [("terminated", Daemon::ask_to_end), ("interrupt", Daemon::interrupt)];

#[test]
fn a_signal_waits_for_running_jobs_and_keeps_their_results() {
    for (name, ask) in SIGNALS {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path());
        daemon.http().post("/v1/jobs", job("short", "sleep 1; echo finished")).unwrap();
        let answer = start_run(&daemon, "short");

        ask(&daemon);
        let ended = daemon.wait_for_end(END_BOUND);
        let again = Daemon::start(folder.path());
        let executions = again.http().get("/v1/jobs/short/executions").unwrap().json();

        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        assert!(ended.log.contains(&format!("caught signal {name}")), "{}", ended.log);
        assert_eq!(answer.join().unwrap().unwrap().status, 200, "{name}");
        assert_eq!(executions.as_array().unwrap().len(), 1, "{executions}");
        assert_eq!(executions[0]["success"], true);
        assert_eq!(executions[0]["output"], "finished\n");
        again.terminate(END_BOUND);
    }
}

/// Goal: who is in a hurry leaves nobody behind, whatever the commands make of signals.
/// Method: a tree that heeds none, one of its processes in a session of its own, and one that a
/// command left to itself when it ended: that one is nobody's business.
#[test]
fn a_second_signal_ends_the_process_at_once_and_what_it_runs() {
    for (name, ask) in SIGNALS {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(&folder.path().join("data"));
        let left = folder.path().join("left");
        let leave = format!("(sleep 600 >/dev/null 2>&1 & echo $! > {})", left.display());
        daemon.http().post("/v1/jobs", job("leaves", &leave)).unwrap();
        daemon.http().post("/v1/jobs/leaves", "").unwrap();
        let stubborn =
            "trap '' TERM INT; (setsid sh -c \"trap '' TERM; sleep 600; :\") & sleep 600; :";
        daemon.http().post("/v1/jobs", job("endless", stubborn)).unwrap();
        start_run(&daemon, "endless");
        wait_until("its processes", END_BOUND, || {
            daemon.processes().iter().filter(|(_, command)| command.contains("sleep 600")).count()
                >= 4
        });

        ask(&daemon);
        daemon.wait_for_log("waiting for jobs to finish", END_BOUND);
        ask(&daemon);
        let begun = Instant::now();
        let (ended, survivors) = daemon.wait_for_end_alone(END_BOUND);
        let took = begun.elapsed();

        assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
        assert!(ended.log.contains(&format!("{name} again: ended at once")), "{}", ended.log);
        assert!(took < Duration::from_secs(5), "{took:?}\n{}", ended.log);
        let left: i32 = std::fs::read_to_string(left).unwrap().trim().parse().unwrap();
        let survivors: Vec<i32> = survivors.list().into_iter().map(|(pid, _)| pid).collect();
        assert_eq!(survivors, [left], "{}", ended.log);
    }
}

#[test]
fn sigterm_is_bounded_and_ends_what_does_not_end_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(folder.path()).args(&["--shutdown-timeout=1s"]).start();
    // A tree of processes that does not listen to SIGTERM.
    let stubborn = "trap '' TERM; (trap '' TERM; sleep 600) & sleep 600";
    daemon.http().post("/v1/jobs", job("endless", stubborn)).unwrap();
    start_run(&daemon, "endless");

    let begun = Instant::now();
    let ended = daemon.terminate(END_BOUND);
    let took = begun.elapsed();
    let again = Daemon::start(folder.path());
    let executions = again.http().get("/v1/jobs/endless/executions").unwrap().json();

    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(took < Duration::from_secs(15), "{took:?}\n{}", ended.log);
    assert_eq!(executions[0]["success"], false, "{executions}");
    assert_ne!(executions[0]["finished_at"], "0001-01-01T00:00:00Z", "it is known to have ended");
    again.terminate(END_BOUND);
}

#[test]
fn a_signal_during_the_start_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    // A start that takes for ever: whoever opens a pipe waits for who writes to it.
    nix::unistd::mkfifo(&folder.path().join("outbox"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let starting = Daemon::at(folder.path()).spawn_only();
    starting.wait_for_log("Dkron agent starting", END_BOUND);

    let ended = starting.terminate(END_BOUND);

    assert_eq!(ended.status.code(), Some(1), "{}", ended.log);
    assert!(ended.log.contains("caught signal terminated during the start"), "{}", ended.log);
}

#[test]
fn a_standard_output_that_nobody_reads_ends_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::at(folder.path()).stdout_unread().start();

    let answer = daemon.http().post("/v1/jobs", job("kept", "echo once")).unwrap();
    let ended = daemon.terminate(END_BOUND);

    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}

#[test]
fn a_second_daemon_on_the_same_data_ends_with_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let first = Daemon::start(folder.path());

    let refused = Daemon::at(folder.path()).try_start().err().expect("the second must not start");

    assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
    assert!(refused.log.contains("in use by process"), "{}", refused.log);
    assert!(refused.log.contains(folder.path().to_str().unwrap()), "{}", refused.log);
    assert_eq!(first.http().get("/v1/isleader").unwrap().status, 200);
    first.terminate(END_BOUND);
}

#[test]
fn a_start_goes_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let first = Daemon::start(folder.path());
    first.http().post("/v1/jobs", job("kept", "echo once")).unwrap();
    assert_eq!(first.http().post("/v1/jobs/kept", "").unwrap().status, 200);
    let (jobs, executions) = {
        let mut http = first.http();
        (http.get("/v1/jobs").unwrap(), http.get("/v1/jobs/kept/executions").unwrap())
    };
    first.terminate(END_BOUND);

    let second = Daemon::start(folder.path());
    let mut http = second.http();

    assert_eq!(http.get("/v1/jobs").unwrap().text(), jobs.text());
    assert_eq!(http.get("/v1/jobs/kept/executions").unwrap().text(), executions.text());
    second.terminate(END_BOUND);
}

#[test]
fn a_request_to_leave_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());

    let answer = daemon.http().post("/v1/leave", "").unwrap();

    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(daemon.wait_for_end(END_BOUND).status.code(), Some(0));
}

#[test]
fn a_pause_and_the_id_of_a_member_outlast_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let member = |daemon: &Daemon| daemon.http().get("/v1/members").unwrap().json()[0].clone();
    let daemon = Daemon::start(directory.path());
    let id = member(&daemon)["id"].clone();
    assert_eq!(daemon.http().post("/v1/pause", "").unwrap().status, 200);
    daemon.terminate(END_BOUND);

    let daemon = Daemon::start(directory.path());

    assert_eq!(member(&daemon)["id"], id);
    assert_eq!(member(&daemon)["id"], id, "at each request");
    assert_eq!(daemon.http().get("/v1/pause").unwrap().json(), json!({"paused": true}));
    assert_eq!(daemon.http().post("/v1/jobs", "{").unwrap().status, 503);
}

#[test]
fn a_hangup_reads_the_configuration_anew_and_says_what_takes_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.yml");
    let data = directory.path().join("data");
    std::fs::write(&file, "log-level: info\nregion: global\n").unwrap();
    let config = file.to_str().unwrap();
    let args = ["--disable-usage-stats", "--config", config];
    let daemon = Daemon::at(&data).args(&args).start();

    std::fs::write(&file, "log-level: debug\nregion: eu\nregoin: eu\n").unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.wait_for_log("log-level is debug from now on", END_BOUND);
    daemon.wait_for_log("region has changed, which takes a restart", END_BOUND);
    daemon.wait_for_log("line 3 is no option and ignored; did you mean region?", END_BOUND);
    daemon.run_in_shell("a", json!({"command": "true"}));
    daemon.wait_for_log("level=debug msg=", END_BOUND);

    std::fs::write(&file, "log-level: [\n").unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.wait_for_log("read anew on a hangup and refused; nothing has changed", END_BOUND);
    assert_eq!(daemon.http().get("/health").unwrap().status, 200);
}
