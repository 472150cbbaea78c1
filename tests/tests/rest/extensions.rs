//! What the API has beyond Dkron's: cancelling, runs that are not waited for, schedules explained,
//! and conditional writes.

use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::{Answer, Http};
use dkron_e2e::wait::wait_for;
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

fn job(name: &str, command: &str) -> String {
    let config = json!({"command": command});
    json!({"name": name, "schedule": "@manually", "executor": "shell", "executor_config": config})
        .to_string()
}

#[track_caller]
fn created(http: &mut Http, body: &str) -> Answer {
    let answer = http.post("/v1/jobs", body).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer
}

#[test]
fn a_run_that_is_not_waited_for_is_found_and_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut http = daemon.http();
    created(&mut http, &job("long", "sleep 1000"));

    let run = http.post("/v1/jobs/long/run?wait=false", "").unwrap();
    assert_eq!(run.status, 202, "{}", run.text());
    let (location, started) = (run.header("location").unwrap().to_owned(), run.json());
    let id = started["executions"][0].as_str().unwrap();
    assert_eq!(started["job_name"], "long");
    assert_eq!(location, format!("/v1/jobs/long/executions/{id}"));
    let running = http.get(&location).unwrap().json();
    assert_eq!((&running["id"], &running["group"]), (&json!(id), &started["group"]));
    assert_eq!(running["finished_at"], "0001-01-01T00:00:00Z");

    let asked = http.post(&format!("{location}/cancel"), "").unwrap();
    assert_eq!((asked.status, asked.header("location")), (202, Some(&*location)));
    let ended = wait_for("its end", BOUND, || {
        let execution = http.get(&location).unwrap().json();
        (execution["finished_at"] != "0001-01-01T00:00:00Z").then_some(execution)
    });
    assert_eq!(ended["success"], false, "{ended}");

    let again = http.post(&format!("{location}/cancel"), "").unwrap();
    assert_eq!((again.status, again.text()), (409, format!("execution \"{id}\" is over")));
    for unknown in ["long/executions/1-nobody", "long/executions/x", "nobody/executions/1-n"] {
        let answer = http.post(&format!("/v1/jobs/{unknown}/cancel"), "").unwrap();
        assert_eq!(answer.status, 404, "{unknown}");
        assert!(answer.text().contains("has no execution"), "{}", answer.text());
    }
}

#[test]
fn a_run_that_cannot_start_is_refused_as_if_it_was_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut http = daemon.http();
    created(&mut http, &job("a", "true"));
    assert_eq!(http.post("/v1/jobs/a/toggle", "").unwrap().json()["disabled"], true);

    for (path, status) in [
        ("/v1/jobs/a/run?wait=false", 404),
        ("/v1/jobs/nobody/run?wait=false", 404),
        ("/v1/jobs/a/run?wait=perhaps", 400),
    ] {
        assert_eq!(http.post(path, "").unwrap().status, status, "{path}");
    }
    assert_eq!(http.get("/v1/jobs/a/executions").unwrap().json(), json!([]));
}

#[test]
fn a_schedule_is_explained_with_its_next_instants() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let ask = |query: &str| {
        let answer = daemon.http().get(&format!("/v1/schedule?{query}")).unwrap();
        (answer.status, answer)
    };

    let berlin = "expr=30+2+*+*+*&tz=Europe/Berlin&n=2&from=2026-03-28T00:00:00Z";
    let (status, answer) = ask(berlin);
    assert_eq!(status, 200, "{}", answer.text());
    let explained = answer.json();
    assert_eq!(explained["explanation"], "At 02:30:00 every day, in Europe/Berlin");
    assert_eq!(explained["expression"], "0 30 2 * * *");
    assert_eq!(explained["zone"], "Europe/Berlin");
    let next = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00"];
    assert_eq!(explained["next"], json!(next));

    let by_the_wall = ask(&format!("{berlin}&dst=wall")).1.json();
    assert_eq!(by_the_wall["next"][1], "2026-03-30T02:30:00+02:00");
    let many = ask("expr=@every+1s&n=1000").1.json();
    assert_eq!(many["next"].as_array().unwrap().len(), 1_000);

    let (status, refused) = ask("expr=0+0+25+*+*+*");
    let refused = refused.json();
    assert_eq!((status, &refused["at"]), (400, &json!(4)), "{refused}");
    assert!(refused["error"].is_string() && refused["hint"].is_string(), "{refused}");
    for query in ["", "expr=@daily&n=1001", "expr=@daily&tz=Mars/Base", "expr=@daily&dst=x"] {
        assert_eq!(ask(query).0, 400, "{query}");
    }
}

/// Goal: of two who change a job they have read, the second is told.
#[test]
fn a_write_on_a_condition_changes_only_what_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut http = daemon.http();
    let (body, other) = (job("a", "true"), job("a", "false"));
    let mut send = |method: &str, path: &str, header: (&str, &str), body: &str| {
        let answer = http.send(method, path, &[header], body.as_bytes()).unwrap();
        (answer.status, answer)
    };
    let tag_of = |answer: &Answer| answer.header("etag").unwrap().to_owned();
    let create = ("if-none-match", "*");

    let (status, first) = send("POST", "/v1/jobs", create, &body);
    assert_eq!(status, 201);
    assert_eq!(send("POST", "/v1/jobs", create, &other).0, 412);
    let tag = tag_of(&first);
    let read = send("GET", "/v1/jobs/a", ("if-none-match", &tag), "").1;
    assert_eq!((read.status, tag_of(&read)), (200, tag.clone()), "counters are always shown");

    let (status, second) =
        send("PUT", "/v1/jobs/a", ("if-match", &format!("\"0\", {tag}")), &other);
    assert_eq!(status, 201);
    assert_ne!(tag_of(&second), tag);
    for (method, path) in [
        ("PUT", "/v1/jobs/a"),
        ("POST", "/v1/jobs"),
        ("PATCH", "/v1/jobs"),
        ("POST", "/v1/jobs/a/toggle"),
        ("DELETE", "/v1/jobs/a"),
    ] {
        let (status, refused) = send(method, path, ("if-match", &tag), &body);
        assert_eq!(status, 412, "{method} {path}");
        let says = format!("the job has the tag {}", tag_of(&second));
        assert!(refused.text().starts_with(&says), "{}", refused.text());
        assert_eq!(send(method, path, ("if-match", "7"), &body).0, 400, "{method} {path}");
    }
    let now: Value = send("GET", "/v1/jobs/a", ("accept", "*/*"), "").1.json();
    assert_eq!(now["executor_config"]["command"], "false");

    let (status, toggled) = send("POST", "/v1/jobs/a/toggle", ("if-match", &tag_of(&second)), "");
    assert_eq!((status, &toggled.json()["disabled"]), (200, &json!(true)));
    let weak = format!("W/{}", tag_of(&toggled));
    assert_eq!(send("DELETE", "/v1/jobs/a", ("if-match", &weak), "").0, 412);
    assert_eq!(send("DELETE", "/v1/jobs/a", ("if-match", &tag_of(&toggled)), "").0, 200);
    assert_eq!(send("DELETE", "/v1/jobs/a", ("if-match", "*"), "").0, 404);
    assert_eq!(send("POST", "/v1/jobs", ("if-match", "*"), &body).0, 412);
}
