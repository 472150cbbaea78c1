//! Jobs in bodies: Dkron's texts byte for byte, and what was written read back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dkron_core::schedule::DstPolicy;
use dkron_core::{CatchUpPolicy, LostRunPolicy, PlacementPolicy, RetryBackoff, Timestamp};
use serde_json::Value;

use super::*;
use crate::api::job_json::{Moment, write_job};
use crate::go_json::{Layout, Writer};

/// What a server without other jobs would answer to the body of a write: the text of a refusal.
fn refusal(body: &[u8]) -> Option<String> {
    let mut body = match JobBody::decode(body) {
        Ok(body) => body,
        Err(error) => return Some(format!("Unable to parse payload: {error}.")),
    };
    body.default_concurrency();
    match body.check(Zone::UTC) {
        Ok(_) => None,
        Err(JobRefusal::Invalid(why)) => Some(format!("Job validation failed: {why}.")),
        Err(JobRefusal::NoParent) => Some("specified parent job not found".to_owned()),
    }
}

/// Fills in `{ns}` and repeats `{x*3}`, as the recordings' tool does.
fn fill_in(text: &str, ns: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let token = after.split_once('}').map(|(token, _)| token);
        let repeat = token.and_then(|token| token.split_once('*'));
        match (token, repeat.and_then(|(what, n)| Some((what, n.parse::<usize>().ok()?)))) {
            (Some("ns"), _) => filled.push_str(ns),
            (_, Some((what, count))) => filled.push_str(&what.repeat(count)),
            _ => {
                filled.push('{');
                rest = after;
                continue;
            }
        }
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled + rest
}

/// Goal: every refusal that Dkron was recorded with has its text, byte for byte.
/// Method: the bodies of all recorded job writes that were answered with a parse or validation
/// error. What we accept or word otherwise on purpose is listed.
#[test]
fn recorded_refusals_have_their_texts() {
    let golden =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/rest/golden.jsonl");
    let golden = std::fs::read_to_string(golden).unwrap();
    let mut checked = 0;
    for line in golden.lines().skip(1) {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap();
        let ns = id.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let steps = case["steps"].as_array().unwrap();
        if steps.iter().any(|step| step.get("par").is_some()) {
            continue;
        }
        for (step, answer) in steps.iter().zip(case["golden"].as_array().unwrap()) {
            let (Some(want), true) = (answer["text"].as_str(), step.get("b64").is_none()) else {
                continue;
            };
            if !want.starts_with("Unable to parse") && !want.starts_with("Job validation failed") {
                continue;
            }
            let body = match step.get("json") {
                Some(json) => json.to_string(),
                None => step["body"].as_str().unwrap_or_default().to_owned(),
            };
            let got = refusal(fill_in(&body, &ns).as_bytes());
            // Crontab lines are an extension of ours.
            if got.is_none() && want.contains("expected exactly 6 fields, found 5") {
                continue;
            }
            assert_eq!(got.as_deref(), Some(want), "{id}: {body}");
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked} refusals in the recordings");
}

/// Goal: of several faults Dkron's first one is told.
/// Method: a job with all of them; each is told, and put right, in turn.
#[test]
fn of_several_faults_the_first_in_dkrons_order_is_told() {
    let mut body = serde_json::json!({
        "name": "", "parent_job": "a", "schedule": "x", "concurrency": "x", "timezone": "Mars",
        "executor": "shell", "executor_config": {"timeout": "soon", "mem_limit": "1.2.3"},
    });
    let schedule = "can't parse job schedule: expected exactly 6 fields, found 1: [x]";
    let concurrency = "invalid concurrency policy value, use \"allow\" or \"forbid\"";
    let mem_limit = "Error parsing job memory limit value: invalid numeric value in memory limit: \
                     1.2.3";
    for (want, key, right) in [
        ("name cannot be empty", "/name", "a.b"),
        ("name contains illegal character '.'", "/name", "a"),
        ("the job can not have itself as parent", "/parent_job", "p"),
        (schedule, "/schedule", ""),
        (concurrency, "/concurrency", "forbid"),
        ("unknown time zone Mars", "/timezone", "UTC"),
        ("Error parsing job timeout value", "/executor_config/timeout", "1m"),
        (mem_limit, "/executor_config/mem_limit", "1.2KB"),
    ] {
        let text = refusal(body.to_string().as_bytes());
        assert_eq!(text, Some(format!("Job validation failed: {want}.")), "{body}");
        *body.pointer_mut(key).unwrap() = right.into();
    }
    assert_eq!(refusal(body.to_string().as_bytes()), None, "a child needs no schedule");
}

#[test]
fn what_dkron_does_not_look_at_is_accepted() {
    for more in [
        r#""executor":"no-such""#,
        r#""executor":"http","executor_config":{"timeout":"soon","url":"::","x":"y"}"#,
        r#""executor":"shell","executor_config":{"command":"'","no-such-key":"1"}"#,
        r#""tags":{"role":"web:many","":"","a:b":"c:d:e"}"#,
        r#""owner_email":"nobody""#,
        r#""starts_at":"2031-01-01T00:00:00Z","expires_at":"2030-01-01T00:00:00Z""#,
        r#""processors":{"no-such":{}}"#,
    ] {
        let body = format!(r#"{{"name":"a","schedule":"@daily",{more}}}"#);
        assert_eq!(refusal(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn numbers_that_cannot_be_stored_are_refused() {
    for (body, number) in [
        (r#"{"name":"a","schedule":"@daily","retries":4294967296}"#, "4294967296"),
        (r#"{"name":"a","schedule":"@daily","success_count":-1}"#, "-1"),
    ] {
        let text = refusal(body.as_bytes()).unwrap();
        assert!(text.contains(&format!("cannot unmarshal number {number} into")), "{text}");
    }
}

#[test]
fn a_parent_that_cannot_exist_is_told_after_everything_else() {
    let body = |more: &str| format!(r#"{{"name":"a","parent_job":"No Such"{more}}}"#);
    assert_eq!(refusal(body("").as_bytes()).unwrap(), "specified parent job not found");
    let text = refusal(body(r#","concurrency":"x""#).as_bytes()).unwrap();
    assert!(text.contains("invalid concurrency policy"), "{text}");
    let text = refusal(body(r#","schedule":"x""#).as_bytes()).unwrap();
    assert!(text.contains("can't parse job schedule"), "{text}");
}

#[test]
fn what_is_written_is_read_back() {
    let name = JobName::parse("a-ß").unwrap();
    let pair = |key: &str| (key.to_owned(), format!("<{key}>\u{2028}"));
    let map = BTreeMap::from([pair("a"), pair("b")]);
    let seconds = std::time::Duration::from_secs;
    let at = Timestamp::parse_rfc3339("2031-01-02T03:04:05.000000006Z").ok();
    let job = Job {
        displayname: "\"x\"\n".to_owned(),
        timezone: "Asia/Tokyo".to_owned(),
        schedule: "0 0 1 * * *".to_owned(),
        dst: DstPolicy::Wall,
        disabled: true,
        tags: map.clone(),
        placement: PlacementPolicy::One,
        metadata: map.clone(),
        retries: 3,
        retry_backoff: RetryBackoff::Exponential { initial: seconds(1), max: seconds(90) },
        parent_job: JobName::parse("p").ok(),
        processors: BTreeMap::from([("log".to_owned(), BTreeMap::new()), ("x".to_owned(), map)]),
        concurrency: ConcurrencyPolicy::Forbid,
        executor: "shell".to_owned(),
        ephemeral: true,
        starts_at: at,
        expires_at: at,
        catch_up: CatchUpPolicy::All { fires_max: 7 },
        misfire_deadline: Some(seconds(61)),
        lost_run: LostRunPolicy::Never,
        timeout: Some(seconds(3_600)),
        retention: Retention {
            executions_max: 5,
            age_max: Some(seconds(60)),
            output_bytes_max: Some(9),
        },
        declared_by: Some("program".to_owned()),
        ..Job::new(name)
    };
    let status = JobStatus {
        success_count: 5,
        error_count: 6,
        last_success: at,
        status: RunStatus::PartiallyFailed,
        ..JobStatus::default()
    };
    let view =
        dkron_core::JobView { job: job.clone(), status: status.clone(), children: Vec::new() };
    for layout in [Layout::Compact, Layout::Indented] {
        let mut json = Writer::new(layout);
        let moment = Moment { now: Timestamp::UNIX_EPOCH, server_zone: Zone::UTC };
        write_job(&mut json, &view, moment);
        let text = json.take();

        let read = JobBody::decode(text.as_bytes()).unwrap().check(Zone::UTC).unwrap();

        assert_eq!(read, CheckedJob { job: job.clone(), restored: Some(status.clone()) }, "{text}");
    }
}

/// A retention that is accepted.
#[track_caller]
fn check_retention(written: &str, executions_max: u32, output_bytes_max: Option<u64>) {
    let job = format!("{{\"name\":\"a\",\"schedule\":\"@daily\",\"retention\":{written}}}");
    let checked = JobBody::decode(job.as_bytes()).unwrap().check(Zone::UTC).unwrap();
    let want = Retention { executions_max, output_bytes_max, ..Retention::default() };
    assert_eq!(checked.job.retention, want, "{written}");
}

#[test]
fn a_retention_of_nothing_is_not_taken_for_one_that_says_nothing() {
    check_retention("{}", 100, None);
    check_retention("null", 100, None);
    check_retention("{\"executions\":null,\"output_bytes\":null,\"age\":\"\"}", 100, None);
    check_retention("{\"executions\":1,\"output_bytes\":0}", 1, Some(0));
    let none = b"{\"name\":\"a\",\"schedule\":\"@daily\",\"retention\":{\"executions\":0}}";
    let why = refusal(none).unwrap();
    assert!(why.contains("retention.executions must be within 1"), "{why}");
}

#[test]
fn a_fault_within_the_retention_names_its_field() {
    for (key, value, found, go_type) in [
        ("executions", "\"x\"", "string", "uint"),
        ("executions", "-1", "number -1", "uint"),
        ("age", "5", "number", "string"),
        ("output_bytes", "1.5", "number 1.5", "uint64"),
    ] {
        let body = format!("{{\"name\":\"a\",\"retention\":{{\"{key}\":{value}}}}}");
        assert_eq!(
            refusal(body.as_bytes()).unwrap(),
            format!(
                "Unable to parse payload: json: cannot unmarshal {found} into Go struct field \
                 Job.retention.{key} of type {go_type}."
            )
        );
    }
}

#[test]
fn a_status_is_one_of_dkrons_four_words() {
    for (status, word) in [
        (RunStatus::Untriggered, ""),
        (RunStatus::Success, "success"),
        (RunStatus::Failed, "failed"),
        (RunStatus::PartiallyFailed, "partially_failed"),
    ] {
        let view = dkron_core::JobView {
            job: Job::new(JobName::parse("a").unwrap()),
            status: JobStatus { status, ..JobStatus::default() },
            children: Vec::new(),
        };
        let mut json = Writer::new(Layout::Compact);
        write_job(&mut json, &view, Moment { now: Timestamp::UNIX_EPOCH, server_zone: Zone::UTC });
        assert!(json.take().contains(&format!("\"status\":\"{word}\"")), "{word}");
    }
}

#[test]
fn the_keys_of_dkron_stand_alone_where_nothing_else_was_asked_for() {
    let view = dkron_core::JobView {
        job: Job::new(JobName::parse("a").unwrap()),
        status: JobStatus::default(),
        children: Vec::new(),
    };
    let mut json = Writer::new(Layout::Compact);
    write_job(&mut json, &view, Moment { now: Timestamp::UNIX_EPOCH, server_zone: Zone::UTC });
    let text = json.take();
    assert_eq!(
        text,
        "{\"id\":\"a\",\"name\":\"a\",\"displayname\":\"\",\"timezone\":\"\",\"schedule\":\"\",\
         \"owner\":\"\",\"owner_email\":\"\",\"success_count\":0,\"error_count\":0,\
         \"last_success\":null,\"last_error\":null,\"disabled\":false,\"tags\":null,\
         \"metadata\":null,\"retries\":0,\"dependent_jobs\":null,\"parent_job\":\"\",\
         \"processors\":{},\"concurrency\":\"allow\",\"executor\":\"\",\"executor_config\":null,\
         \"status\":\"\",\"next\":\"0001-01-01T00:00:00Z\",\"ephemeral\":false,\
         \"starts_at\":null,\"expires_at\":null}"
    );
}
