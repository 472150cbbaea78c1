//! Requests that nobody means well with: too long, too deep, torn, or not even text.
//!
//! *Goal*: each is answered with what is wrong, the process lives, nothing is half done, and jobs
//! go on firing.
//!
//! *Method*: a daemon holds a few jobs. After each request its list of jobs must be, to the byte,
//! what it was; at the end its log must be without a panic, and a new job must fire.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use dkron_e2e::daemon::Daemon;
use dkron_e2e::http::{Answer, Http};
use dkron_e2e::wait::wait_for;
use serde_json::{Value, json};

/// Longer than anything here takes, on a loaded machine.
const BOUND: Duration = Duration::from_secs(30);

/// Connections that are opened and left half open: more than the daemon has threads.
const IDLE_CONNECTIONS: usize = 200;

/// A daemon under attack.
struct Siege {
    daemon: Daemon,
    http: Http,
    /// The list of jobs, to the byte.
    jobs: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Siege {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path());
        let mut http = daemon.http();
        for job in [
            json!({"name": "parent", "schedule": "@manually", "executor": "shell",
                   "executor_config": {"command": "true"}, "metadata": {"team": "ops"}}),
            json!({"name": "child", "parent_job": "parent", "executor": "shell"}),
        ] {
            assert_eq!(http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
        }
        let jobs = http.get("/v1/jobs").unwrap().body;
        Self { daemon, http, jobs, _folder: folder }
    }

    /// Sends bytes; they must be answered with `status` and a text that holds `wanted`.
    #[track_caller]
    fn check_bytes(&mut self, what: &str, request: &[u8], status: u16, wanted: &str) {
        let answer = Http::new(self.daemon.address()).send_bytes(request);
        let answer = answer.unwrap_or_else(|error| panic!("{what}: no answer: {error}"));
        self.check_answer(what, &answer, status, wanted);
    }

    /// As [`Siege::check_bytes`], of a job write with this body.
    #[track_caller]
    fn check_job(&mut self, what: &str, body: impl AsRef<[u8]>, wanted: &str) {
        let answer = self.http.post("/v1/jobs", body).unwrap();
        self.check_answer(what, &answer, 400, wanted);
    }

    #[track_caller]
    fn check_answer(&mut self, what: &str, answer: &Answer, status: u16, wanted: &str) {
        let text: String = answer.text().chars().take(300).collect();
        assert_eq!(answer.status, status, "{what}: {text}");
        assert!(text.contains(wanted), "{what}: {text}");
        let jobs = self.http.get("/v1/jobs").unwrap().body;
        assert!(jobs == self.jobs, "{what} changed the jobs: {}", String::from_utf8_lossy(&jobs));
    }

    /// The daemon has not panicked, and does what it is there for.
    fn end(mut self) {
        let job = json!({"name": "after", "schedule": "* * * * * *", "executor": "shell",
                         "executor_config": {"command": "echo alive"}});
        assert_eq!(self.http.post("/v1/jobs", job.to_string()).unwrap().status, 201);
        let execution = wait_for("a job that fires", BOUND, || {
            let list = self.http.get("/v1/jobs/after/executions").unwrap().json();
            list.as_array().unwrap().iter().find(|one| one["success"] == true).cloned()
        });
        assert_eq!(execution["output"], "alive\n");
        let ended = self.daemon.terminate(BOUND);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
        assert!(!ended.log.contains("panic"), "{}", ended.log);
    }
}

/// A job with one more field.
fn job_with(field: &str, value: &str) -> String {
    format!("{{\"name\":\"x\",\"schedule\":\"@daily\",\"{field}\":{value}}}")
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    open.repeat(levels) + "1" + &close.repeat(levels)
}

fn map_of(entries: usize, value: &str) -> String {
    let entries: Vec<String> = (0..entries).map(|n| format!("\"k{n}\":{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

#[test]
fn hostile_jobs_are_refused_with_what_is_wrong() {
    let mut siege = Siege::begin();
    let deep = nested("[", "]", 100_000);
    let deep_map = nested("{\"a\":", "}", 100_000);
    let long = format!("\"{}\"", "x".repeat(2 << 20));
    let digits = "9".repeat(1 << 20);
    for (field, value, wanted) in [
        ("whatever", deep.as_str(), "exceeded max depth"),
        ("tags", deep_map.as_str(), "exceeded max depth"),
        ("processors", deep_map.as_str(), "exceeded max depth"),
        ("tags", map_of(100_000, "\"x:1\"").as_str(), "tags has 100000 entries"),
        ("metadata", map_of(100_000, "\"x\"").as_str(), "metadata has 100000 entries"),
        ("processors", map_of(100_000, "{}").as_str(), "processors has 100000 entries"),
        ("executor_config", map_of(100_000, "\"x\"").as_str(), "has 100000 entries"),
        ("owner", long.as_str(), "owner has 2097152 bytes"),
        ("executor_config", format!("{{\"command\":{long}}}").as_str(), "at most 1048576"),
        ("schedule", long.as_str(), "longer than 4096"),
        ("timezone", long.as_str(), "time zone"),
        ("retries", "1e400", "number 1e400"),
        ("retries", "-1", "number -1"),
        ("retries", "18446744073709551616", "number 18446744073709551616"),
        ("retries", "4294967295", "retries must be within"),
        ("retries", digits.as_str(), "cannot unmarshal number 999"),
        ("success_count", digits.as_str(), "cannot unmarshal number 999"),
        ("retention", "{\"executions\":4294967295}", "retention.executions must be within"),
        ("timeout", "\"99999999999999h\"", "timeout must be a duration"),
        ("schedule", "\"@every 99999999999999h\"", "invalid duration"),
        ("schedule", "\"@at 99999-01-01T00:00:00Z\"", "parsing time"),
        ("schedule", "\"\\u0000\"", "expected exactly 6 fields"),
        ("timezone", "\"../../../etc/passwd\"", "invalid location name"),
        ("starts_at", "\"\\u0000\"", "parsing time"),
        ("name", "\"a\\u0000b\"", "illegal character"),
        ("name", "\"\\ud800\"", "illegal character"),
        ("name", "\"../../etc\"", "illegal character"),
        ("name", format!("\"{}\"", "x".repeat(256)).as_str(), "at most 255"),
        ("parent_job", "\"x\"", "itself as parent"),
    ] {
        siege.check_job(field, job_with(field, value), wanted);
    }
    for (what, body, wanted) in [
        ("no UTF-8 in a name", &b"{\"name\":\"\xff\xfe\",\"schedule\":\"@daily\"}"[..], "illegal"),
        ("half a character", b"{\"name\":\"\xe2\x82\",\"schedule\":\"@daily\"}", "illegal"),
        ("a null byte", b"{\"name\":\"a\x00b\"}", "'\\x00' in string literal"),
        ("null bytes alone", &[0; 4_096], "'\\x00' looking for beginning of value"),
        ("UTF-16", b"\xff\xfe{\x00}\x00", "looking for beginning of value"),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "'\\x1f' looking for"),
        ("nothing", b"", "EOF"),
    ] {
        siege.check_job(what, body, wanted);
    }
    siege.end();
}

#[test]
fn a_job_cut_at_any_byte_is_refused() {
    let mut siege = Siege::begin();
    let whole = json!({"name": "cut", "schedule": "@daily", "retries": 12, "disabled": true,
                       "tags": {"server": "true:1"}, "metadata": {"a": "grüße \u{1f980}\n"},
                       "executor": "shell", "executor_config": {"command": "true"}})
    .to_string();
    for end in 0..whole.len() {
        let what = format!("cut after {end} bytes");
        siege.check_job(&what, &whole.as_bytes()[..end], "Unable to parse payload");
    }
    siege.end();
}

#[test]
fn hostile_paths_and_queries_are_refused_or_find_nothing() {
    let mut siege = Siege::begin();
    let path = |name: &str| format!("/v1/jobs/{name}");
    let long = "x".repeat(50_000);
    for name in ["%00", "%ff%fe", "%e2%82", "..", "%2e%2e", "%F0%9F%A6%80", long.as_str()] {
        for (method, rest) in [
            ("GET", ""),
            ("GET", "/executions"),
            ("GET", "/executions/1-x"),
            ("POST", ""),
            ("POST", "/run"),
            ("POST", "/toggle"),
            ("DELETE", ""),
            ("DELETE", "/executions"),
        ] {
            let answer = siege.http.send(method, &(path(name) + rest), &[], b"").unwrap();
            let what: String = format!("{method} {rest} {name}").chars().take(80).collect();
            siege.check_answer(&what, &answer, 404, "");
        }
    }
    for (what, path, status) in [
        ("a name of 10 MB", path(&"x".repeat(10 << 20)), 431),
        ("a name of 200 KB", path(&"x".repeat(200_000)), 414),
        ("broken percent-encoding", path("%zz"), 400),
        ("a query of 10 MB", format!("/v1/jobs?q={}", "x".repeat(10 << 20)), 431),
        ("a query of 200 KB", format!("/v1/jobs?q={}", "x".repeat(200_000)), 414),
        ("an unknown order", "/v1/jobs?_sort=%00".to_owned(), 400),
    ] {
        let answer = siege.http.send("GET", &path, &[], b"").unwrap();
        siege.check_answer(what, &answer, status, "");
    }
    for (what, request) in [
        ("no UTF-8 in a path", &b"GET /v1/jobs/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n"[..]),
        ("no UTF-8 in a query", b"GET /v1/jobs?q=\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("a null byte in a path", b"GET /v1/jobs/\x00 HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        siege.check_bytes(what, request, 400, "");
    }
    // What says nothing about these jobs finds none of them; what is no number is 0, as in Dkron.
    for query in ["q=%ff%fe", "metadata[%00]=%00", "_start=99999999999999999999", "_end=-1"] {
        let answer = siege.http.get(&format!("/v1/jobs?{query}")).unwrap();
        siege.check_answer(query, &answer, 200, "[]");
    }
    let many: Vec<String> = (0..3_000).map(|n| format!("metadata[k{n}]=1")).collect();
    let answer = siege.http.get(&format!("/v1/jobs?{}", many.join("&"))).unwrap();
    siege.check_answer("many filters", &answer, 200, "[]");
    siege.end();
}

#[test]
fn requests_that_are_no_http_are_answered_and_cut_off() {
    let mut siege = Siege::begin();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: x\r\n";
    let with = |rest: &str| format!("{head}{rest}").into_bytes();
    let flood = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = format!("x: {}\r\n\r\n", "y".repeat(1 << 20));
    for (what, request, status, wanted) in [
        ("200 headers", with(&(flood(200) + "\r\n")), 431, ""),
        ("100,000 headers", with(&(flood(100_000) + "\r\n")), 431, ""),
        ("a header of a megabyte", with(&long), 431, ""),
        ("two lengths", with("content-length: 2\r\ncontent-length: 4\r\n\r\n{}  "), 400, ""),
        ("a length below zero", with("content-length: -3\r\n\r\n{}"), 400, ""),
        ("a length that is none", with("content-length: 99999999999999999999\r\n\r\n{}"), 400, ""),
        ("three terabytes", with("content-length: 3000000000000\r\n\r\n{}"), 413, "at most"),
        ("a broken chunk", with("transfer-encoding: chunked\r\n\r\nzz\r\n{}"), 400, "the body"),
        ("a header of null bytes", with("x\x00: \x00\r\n\r\n"), 400, ""),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, ""),
        ("noise", b"\xde\xad\xbe\xef\r\n\r\n".to_vec(), 400, ""),
    ] {
        siege.check_bytes(what, &request, status, wanted);
    }
    siege.end();
}

/// Goal: who sends all of a request before reading anything gets the answer, whoever refuses it.
/// Method: bodies that fit into no buffer on the way; a write that fails is a failure.
#[test]
fn a_body_that_nobody_wants_is_taken_and_answered() {
    let mut siege = Siege::begin();
    let long = vec![b' '; 32 << 20];
    let kind = |kind: &'static str| [("content-type", kind)];
    let form = kind("multipart/form-data; boundary=BB");
    let refused_form = [form_head(), b"[{}, ", &*long].concat();
    for (what, method, path, headers, body, status) in [
        ("too long", "POST", "/v1/jobs", &[][..], &long, 413),
        ("no such route", "POST", "/v1/nothing", &[], &long, 404),
        ("no such method", "PUT", "/health", &[], &long, 404),
        ("broken path", "POST", "/v1/jobs/%zz", &[], &long, 400),
        ("no such job", "DELETE", "/v1/jobs/nobody", &[], &long, 404),
        ("a body of a GET", "GET", "/health", &[], &long, 200),
        ("no form", "POST", "/v1/restore", &kind("text/plain"), &long, 404),
        ("a refused file", "POST", "/v1/restore", &form, &refused_form, 400),
    ] {
        let answer = Http::new(siege.daemon.address()).send(method, path, headers, body);
        let answer = answer.unwrap_or_else(|error| panic!("{what}: no answer: {error}"));
        siege.check_answer(what, &answer, status, "");
        let answer = siege.http.send(method, path, headers, body).unwrap();
        siege.check_answer(what, &answer, status, "");
    }
    assert_eq!(siege.http.post("/v1/pause", "").unwrap().status, 200);
    let answer = siege.http.post("/v1/jobs", &long).unwrap();
    siege.check_answer("while it is paused", &answer, 503, "paused");
    assert_eq!(siege.http.post("/v1/unpause", "").unwrap().status, 200);
    siege.end();
}

#[test]
fn a_body_that_ends_early_is_called_that() {
    let mut siege = Siege::begin();
    let mut stream = TcpStream::connect(siege.daemon.address()).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let request = "POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\n{\"name\":\"x\"";

    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();

    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(text.contains("Unable to parse payload: the body"), "{text}");
    let answer = siege.http.get("/v1/jobs").unwrap();
    siege.check_answer("a short body", &answer, 200, "");
    siege.end();
}

#[test]
fn connections_that_say_nothing_keep_nobody_waiting() {
    let mut siege = Siege::begin();
    let begun = |n: usize| {
        let mut stream = TcpStream::connect(siege.daemon.address()).unwrap();
        let part = ["", "POST /v1/jobs HT", "POST /v1/jobs HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"];
        stream.write_all(part[n % part.len()].as_bytes()).unwrap();
        stream
    };
    let idle: Vec<TcpStream> = (0..IDLE_CONNECTIONS).map(begun).collect();

    let answer = siege.daemon.http().get("/v1/jobs").unwrap();

    siege.check_answer("another connection", &answer, 200, "parent");
    drop(idle);
    siege.end();
}

/// A form with one file.
fn form(content: &[u8]) -> Vec<u8> {
    [form_head(), content, b"\r\n--BB--\r\n"].concat()
}

/// What stands before the file of a form.
fn form_head() -> &'static [u8] {
    b"--BB\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
}

#[test]
fn broken_backups_are_refused_and_nothing_of_them_is_restored() {
    let mut siege = Siege::begin();
    let good = "{\"name\":\"good\",\"schedule\":\"@daily\"}";
    let deep = format!("[{good},{}]", job_with("x", &nested("[", "]", 100_000)));
    let long = format!("[{good},{}]", job_with("owner", &format!("\"{}\"", "x".repeat(5 << 20))));
    let tags = format!("[{good},{}]", job_with("tags", &map_of(100_000, "\"x\"")));
    let no_array = "not a JSON array";
    for (what, content, wanted) in [
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(), no_array),
        ("zip", [&b"PK\x03\x04"[..], &[0; 1_000]].concat(), no_array),
        ("nothing", Vec::new(), no_array),
        ("null bytes", vec![0; 1 << 20], no_array),
        ("one job and no list", good.into(), no_array),
        ("cut between two jobs", format!("[{good},").into(), no_array),
        ("cut in a job", format!("[{good},{{\"na").into(), no_array),
        ("noise behind it", format!("[{good}] x").into(), no_array),
        (
            "no UTF-8 in a name",
            b"[{\"name\":\"\xff\",\"schedule\":\"@daily\"}]".to_vec(),
            "illegal",
        ),
        ("100,000 levels", deep.into(), no_array),
        ("100,000 levels of lists", "[".repeat(100_000).into(), no_array),
        ("a job of 5 MB", long.into(), "a job has at most"),
        ("100,000 tags", tags.into(), "tags has 100000 entries"),
        ("a huge number", format!("[{good},{}]", job_with("retries", "1e400")).into(), "1e400"),
        ("a wrong schedule", format!("[{good},{}]", job_with("schedule", "\"x\"")).into(), "field"),
        (
            "a missing parent",
            format!("[{good},{}]", job_with("parent_job", "\"y\"")).into(),
            "\"y\"",
        ),
        ("a number among them", format!("[{good},1]").into(), "number"),
    ] {
        let answer = siege.http.post_file("/v1/restore", "file", &content).unwrap();
        siege.check_answer(what, &answer, 400, wanted);
    }

    let whole = form(format!("[{good}]").as_bytes());
    let kind = "multipart/form-data; boundary=BB";
    let huge = "x".repeat(10_000);
    let other = format!("multipart/form-data; boundary={huge}");
    let headers: String = (0..20_000).map(|n| format!("x{n}: y\r\n")).collect();
    let flooded = format!("--BB\r\n{headers}\r\n[{good}]\r\n--BB--\r\n").into_bytes();
    for (what, kind, body, status) in [
        ("a form cut in its file", kind, &whole[..whole.len() - 12], 400),
        ("a form cut in its head", kind, &whole[..20], 404),
        ("noise for a form", kind, &[0xff; 5_000], 404),
        ("another boundary", other.as_str(), &whole, 404),
        ("no boundary", "multipart/form-data", &whole, 404),
        ("no form", "application/json", &whole, 404),
        ("20,000 headers of a part", kind, &flooded, 404),
    ] {
        let answer =
            siege.http.send("POST", "/v1/restore", &[("content-type", kind)], body).unwrap();
        siege.check_answer(what, &answer, status, "");
    }
    siege.end();
}

#[test]
fn a_run_that_cannot_be_started_says_why_and_ends_nothing_else() {
    let mut siege = Siege::begin();
    for (name, config, wanted) in [
        ("null-argument", json!({"command": "echo a\u{0}b"}), "nul byte"),
        ("null-script", json!({"command": "echo a\u{0}b", "shell": "true"}), "nul byte"),
        ("null-program", json!({"command": "\u{0}"}), "not found"),
        ("null-variable", json!({"command": "true", "env": "A=\u{0}"}), "nul byte"),
        ("null-folder", json!({"command": "true", "cwd": "/\u{0}"}), "NUL"),
        ("null-user", json!({"command": "true", "su": "\u{0}"}), "unknown user"),
        ("long-argument", json!({"command": format!("true {}", "x".repeat(900_000))}), "too long"),
        ("many-arguments", json!({"command": "true ".repeat(200_000)}), "too long"),
        ("no-base64", json!({"command": "cat", "payload": "\u{0}"}), "illegal base64"),
    ] {
        let job = json!({"name": name, "schedule": "@manually", "executor": "shell",
                         "executor_config": config});
        assert_eq!(siege.http.post("/v1/jobs", job.to_string()).unwrap().status, 201, "{name}");
        assert_eq!(siege.http.post(&format!("/v1/jobs/{name}"), "").unwrap().status, 200, "{name}");
        let runs: Value = siege.http.get(&format!("/v1/jobs/{name}/executions")).unwrap().json();
        assert_eq!((runs.as_array().unwrap().len(), &runs[0]["success"]), (1, &json!(false)));
        assert!(runs[0]["output"].as_str().unwrap().contains(wanted), "{name}: {runs}");
    }
    siege.end();
}
