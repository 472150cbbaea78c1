//! Which files are jobs, and what is said of those that are not.

use std::fs;

use serde_json::json;

use super::*;

/// Reads one file of that name.
fn read_file(name: &str, text: &str, owner: Option<&str>) -> Result<Vec<JobDocument>, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read(&[path.to_str().unwrap()], owner)
}

#[track_caller]
fn refused(name: &str, text: &str, want: &str) {
    let faults = read_file(name, text, None).unwrap_err().join("\n");
    assert!(faults.contains(want) && faults.contains(name), "{faults}");
}

fn names(jobs: &[JobDocument]) -> Vec<&str> {
    jobs.iter().map(|job| job.name.as_str()).collect()
}

#[test]
fn yaml_and_json_say_the_same() {
    let yaml = "name: a\nschedule: '@daily'\nretries: 3\ndisabled: true\nowner: 007\n\
                executor: shell\nexecutor_config: {command: 0022, timeout: 30s}\n\
                retention: {executions: 5, age: 24h}\n";
    let json = json!({"name": "a", "schedule": "@daily", "retries": 3, "disabled": true,
                      "owner": "007", "executor": "shell",
                      "executor_config": {"command": "0022", "timeout": "30s"},
                      "retention": {"executions": 5, "age": "24h"}});

    let of_yaml = read_file("jobs.yaml", yaml, None).unwrap();
    let of_json = read_file("jobs.json", &json.to_string(), None).unwrap();

    assert_eq!(of_yaml[0].written, json);
    assert_eq!(of_yaml[0].shown, of_json[0].shown);
    assert_eq!(of_json[0].shown["concurrency"], "allow", "as after a write");
}

#[test]
fn one_file_holds_many_jobs_in_either_way() {
    let list = r#"[{"name":"a","schedule":"@daily"},{"name":"b","schedule":"@daily"}]
                  {"name":"c","schedule":"@daily"}"#;
    let documents = "name: a\nschedule: '@daily'\n---\n- {name: b, schedule: '@daily'}\n\
                     - {name: c, schedule: '@daily'}\n";
    for (name, text) in
        [("jobs.json", list), ("jobs.yml", documents), ("jobs", documents), ("jobs", list)]
    {
        assert_eq!(names(&read_file(name, text, None).unwrap()), ["a", "b", "c"], "{name}");
    }
}

#[test]
fn a_folder_gives_the_jobs_of_its_files_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("b.yml", "{name: b, schedule: '@daily'}");
    write("a.json", r#"{"name":"a","schedule":"@daily"}"#);
    write("README.md", "no job");
    let path = folder.path().to_str().unwrap();
    assert_eq!(names(&read(&[path], None).unwrap()), ["a", "b"]);

    let empty = tempfile::tempdir().unwrap();
    let faults = read(&[empty.path().to_str().unwrap()], None).unwrap_err();
    assert!(faults[0].contains("no .json, .yaml or .yml file"), "{faults:?}");
    assert!(read(&["/no/such/file"], None).unwrap_err()[0].starts_with("read /no/such/file: "));
}

#[test]
fn parents_come_before_their_children() {
    let jobs = "{name: c, parent_job: b}\n---\n{name: b, parent_job: a}\n---\n\
                {name: a, schedule: '@daily'}\n---\n{name: d, parent_job: elsewhere}\n";
    assert_eq!(names(&read_file("jobs.yml", jobs, None).unwrap()), ["a", "d", "b", "c"]);
    refused("jobs.yml", "[{name: a, parent_job: b}, {name: b, parent_job: a}]", "its own ancestor");
}

#[test]
fn every_fault_is_told_with_its_place() {
    let jobs = "{name: a, shedule: '@daily'}\n---\n{name: b, schedule: never}\n---\n\
                {name: c, schedule: '@daily'}\n---\n{name: c, schedule: '@daily'}\n---\n\
                just a text\n";
    let faults = read_file("jobs.yml", jobs, None).unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:#?}");
    assert!(
        faults[0].contains("line 1, job 1: unknown key \"shedule\"; did you mean \"schedule\"?")
    );
    assert!(faults[1].contains("line 2, job 1: "), "{faults:#?}");
    assert!(faults[2].contains("must be a map"), "{faults:#?}");
    assert!(faults[3].contains("job \"c\" stands in "), "{faults:#?}");
    refused("jobs.json", "{\"name\": \"a\",}", "line 1 column");
    refused("jobs.yaml", "name: [a\n", "line ");
    refused("jobs.yaml", "schedule: '@daily'\n", "it has no name");
    refused(
        "jobs.yaml",
        "{name: a, schedule: '@daily', retries: many}",
        "Job.retries of type uint",
    );
}

#[test]
fn an_owner_declares_the_jobs_unless_they_are_declared_otherwise() {
    let of = |text| read_file("jobs.yaml", text, Some("web"));
    assert_eq!(of("{name: a, schedule: '@daily'}").unwrap()[0].owner, "web");
    assert_eq!(of("{name: a, schedule: '@daily', declared_by: web}").unwrap()[0].owner, "web");
    let faults = of("{name: a, schedule: '@daily', declared_by: db}").unwrap_err();
    assert!(faults[0].contains("declared_by is \"db\", not the owner \"web\""), "{faults:?}");
}

/// Goal: the list of keys is that of the API, and stays so.
/// Method: a known key with a value of no type is refused, an unknown one is skipped; and what a
/// job with everything set shows is in the list.
#[test]
fn the_keys_are_those_that_the_api_reads() {
    for key in KEYS {
        let body = format!("{{\"{key}\":[[7]]}}");
        assert!(JobBody::decode(body.as_bytes()).is_err(), "{key} is none");
    }
    assert!(JobBody::decode(br#"{"no_such_key":[[7]]}"#).is_ok());
    let full = json!({"name": "a", "schedule": "@daily", "catch_up": "latest", "dst": "wall",
                      "lost_run": "rerun", "misfire_deadline": "1m", "placement": "one",
                      "retry_backoff": "fixed:1s", "timeout": "1m", "declared_by": "x",
                      "retention": {"executions": 5}});
    let jobs = read_file("jobs.json", &full.to_string(), None).unwrap();
    for (key, _) in jobs[0].shown.as_object().unwrap() {
        assert!(is_known(key), "{key} is missing in the list");
    }
    assert_eq!(jobs[0].shown.as_object().unwrap().len(), KEYS.len());
}
