//! What the first page of the documentation says, word for word.

use std::process::Command;
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::wait::wait_for;
use serde_json::Value;

/// The body of the first request in the documentation.
const JOB: &str = concat!(
    r#"{"name":"job1","schedule":"@every 10s","timezone":"Europe/Berlin","#,
    r#""owner":"Platform Team","owner_email":"platform@example.com","disabled":false,"#,
    r#""tags":{"server":"true:1"},"concurrency":"allow","executor":"shell","#,
    r#""executor_config":{"command":"date"}}"#,
);

/// From the request to a successful execution that can be read.
const FIRST_RUN_BOUND: Duration = Duration::from_secs(11);

#[test]
fn the_first_job_of_the_guide_has_run_within_eleven_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = daemon.http();

    let created = http.post("/v1/jobs", JOB).unwrap();
    let execution = wait_for("a successful execution", FIRST_RUN_BOUND, || {
        let answer = http.get("/v1/jobs/job1/executions").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let executions = answer.json();
        let succeeded = |execution: &&Value| execution["success"] == true;
        executions.as_array().unwrap().iter().find(succeeded).cloned()
    });

    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.json()["name"], "job1");
    let output = execution["output"].as_str().unwrap();
    let year = Command::new("date").arg("+%Y").output().unwrap().stdout;
    let year = String::from_utf8(year).unwrap();
    assert!(output.contains(year.trim()), "{output:?} is not what `date` prints");
    assert_eq!(execution["attempt"], 1);
    assert_eq!(execution["node_name"], "e2e");
    daemon.terminate(Duration::from_secs(20));
}

/// Returns whether there is a curl, and says so if there is none.
fn has_curl() -> bool {
    let is_there = Command::new("curl").arg("--version").output().is_ok();
    if !is_there {
        println!("skipped: the commands of the guides, curl is not installed");
    }
    is_there
}

#[test]
fn curl_and_a_tag_of_the_old_guides_do_as_well() {
    if !has_curl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let url = format!("{}/v1/jobs", daemon.address());
    let old = JOB.replace("\"server\":\"true:1\"", "\"dkron_server\":\"true:1\"");

    let curl = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "%{http_code}", "--output", "/dev/null"])
        .args([&url, "-XPOST", "-d", &old])
        .output()
        .unwrap();
    let run = daemon.http().post("/v1/jobs/job1", "").unwrap();

    assert_eq!(String::from_utf8_lossy(&curl.stdout), "201");
    assert_eq!(run.status, 200, "a node carries that tag too: {}", run.text());
    daemon.terminate(Duration::from_secs(20));
}

/// Goal: who copies the commands of the first page gets what it says.
/// Method: they are run as they stand, but for the port.
#[test]
fn the_requests_of_the_readme_are_answered_word_for_word() {
    if !has_curl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let readme = include_str!("../../../README.md");
    let requests: Vec<&str> =
        readme.lines().filter(|line| line.starts_with("curl localhost:8080")).collect();

    let answers = requests.iter().map(|request| {
        let request = request.replace("localhost:8080", &daemon.address().to_string());
        let ran = Command::new("sh").args(["-c", &request]).output().unwrap();
        assert!(ran.status.success(), "{request}: {ran:?}");
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{request}: {error}"))
    });
    let answers: Vec<Value> = answers.collect();

    let [created, executions] = answers.as_slice() else { panic!("two requests: {requests:?}") };
    assert_eq!(created["name"], "job1");
    assert!(executions.is_array(), "{executions}");
    let sent: Value = serde_json::from_str(JOB).unwrap();
    for (key, value) in sent.as_object().unwrap() {
        assert_eq!(&created[key], value, "{key}: the guide's request is that of these tests");
    }
    daemon.terminate(Duration::from_secs(20));
}
