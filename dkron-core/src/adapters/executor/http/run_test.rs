//! Requests to a real server: what is sent, what is kept, how the answer is judged.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::HttpExecutor;
use super::server_test::{Reply, Seen, Server, answer};
use crate::adapters::executor::kit_test::{
    TestRun, assert_output, ended, is_alone, resident_bytes,
};
use crate::ports::RunOutcome;

/// Prepares a request; `keys` come on top of `GET`.
fn request(url: &str, keys: &[(&str, &str)]) -> TestRun {
    let mut all = vec![("url", url), ("method", "GET")];
    all.extend(keys);
    TestRun::new(Arc::new(HttpExecutor::new()), &all)
}

async fn check(url: &str, keys: &[(&str, &str)], want: &str) {
    assert_output(&request(url, keys).output().await, want);
}

/// Answers `/status/N` with N, and everything else with `ok`.
async fn status_server() -> Server {
    Server::start(|seen| {
        let status =
            seen.target().strip_prefix("/status/").map_or(200, |text| text.parse().unwrap());
        answer(status, "", &format!("status {status}\n"))
    })
    .await
}

/// Sends a request to a server that answers `ok`; returns what it saw.
async fn sent(keys: &[(&str, &str)]) -> Seen {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    check(&server.url("/"), keys, "ok").await;
    server.seen().pop().unwrap()
}

#[tokio::test]
async fn url_and_method_are_needed() {
    let none = TestRun::new(Arc::new(HttpExecutor::new()), &[]);
    assert_eq!(none.end().await, ended(RunOutcome::Failed, "url is empty"));
    check("http://127.0.0.1:1", &[("method", "")], "method is empty\n").await;
}

#[tokio::test]
async fn the_output_is_the_body_of_the_answer() {
    let server = status_server().await;
    let run = request(&server.url("/status/206"), &[]);
    assert_eq!(run.end().await, ended(RunOutcome::Succeeded, ""));
    assert_output(&run.capture.finish(None), "status 206\n");
}

#[tokio::test]
async fn without_an_expected_code_any_status_is_a_success() {
    let server = status_server().await;
    for status in [200, 204, 304, 404, 500] {
        let end = request(&server.url(&format!("/status/{status}")), &[]).end().await;
        assert_eq!(end, ended(RunOutcome::Succeeded, ""), "{status}");
    }
}

#[tokio::test]
async fn an_expected_code_is_one_of_a_list() {
    let server = status_server().await;
    let check = async |status: u16, expect: &str, is_fine: bool| {
        let run = request(&server.url(&format!("/status/{status}")), &[("expectCode", expect)]);
        let want = match is_fine {
            true => ended(RunOutcome::Succeeded, ""),
            false => {
                let error = "received response code does not match the expected code";
                ended(RunOutcome::Failed, error)
            }
        };
        assert_eq!(run.end().await, want, "{status} {expect}");
    };

    check(200, "200", true).await;
    check(206, "200,206", true).await;
    check(206, "200, 206", true).await;
    check(200, "1200", true).await;
    check(500, "200", false).await;
    check(200, "20", false).await;
    check(200, "200;206", false).await;
    let run = request(&server.url("/status/500"), &[("expectCode", "200")]);
    assert_output(
        &run.output().await,
        "received response code does not match the expected code\nstatus 500\n",
    );
}

#[tokio::test]
async fn an_expected_body_is_a_pattern_searched_in_all_of_it() {
    let server = status_server().await;
    let mismatch = "received response body did not match the expected body\nstatus 200\n";
    let url = server.url("/");
    check(&url, &[("expectBody", "status 2\\d+")], "status 200\n").await;
    check(&url, &[("expectBody", "/status/")], mismatch).await;
    check(&url, &[("expectBody", "(")], mismatch).await;
    check(&url, &[("expectBody", "^status [0-9]+\\n$"), ("expectCode", "200")], "status 200\n")
        .await;
}

#[tokio::test]
async fn the_method_goes_out_as_it_is_written() {
    for method in ["GET", "DELETE", "PURGE", "get"] {
        let seen = sent(&[("method", method)]).await;
        assert_eq!(seen.head.lines().next(), Some(format!("{method} / HTTP/1.1").as_str()));
    }
}

#[tokio::test]
async fn the_body_goes_out_with_its_length() {
    for method in ["POST", "PUT", "PATCH", "GET", "DELETE"] {
        let seen = sent(&[("method", method), ("body", "a=1&b=ü")]).await;
        assert_eq!(seen.body, "a=1&b=ü".as_bytes());
        assert_eq!(seen.header("content-length"), ["8"], "{method}");
    }
    assert_eq!(sent(&[("method", "POST")]).await.header("content-length"), ["0"]);
    assert_eq!(sent(&[("method", "GET")]).await.header("content-length"), [""; 0]);
}

#[tokio::test]
async fn headers_go_out_whole_and_all_of_one_name() {
    let headers = r#"["", "X-Link: http://a/b", "X-At:12:30:45", "X-One: 1", "x-one: 2"]"#;
    let seen = sent(&[("headers", headers)]).await;
    assert_eq!(seen.header("x-link"), ["http://a/b"]);
    assert_eq!(seen.header("x-at"), ["12:30:45"]);
    assert_eq!(seen.header("x-one"), ["1", "2"]);
}

#[tokio::test]
async fn host_user_agent_and_connection_may_be_set() {
    let headers = r#"["Host: other.example", "User-Agent: me", "Connection: keep-alive"]"#;
    let seen = sent(&[("headers", headers)]).await;
    assert_eq!(seen.header("host"), ["other.example"]);
    assert_eq!(seen.header("user-agent"), ["me"]);
    assert_eq!(seen.header("connection"), ["keep-alive"]);
}

#[tokio::test]
async fn a_plain_request_carries_no_more_than_it_needs() {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    let run = request(&server.url("/a?b=c%20d"), &[]);
    run.end().await;

    let want = format!(
        "GET /a?b=c%20d HTTP/1.1\r\nHost: {}\r\nUser-Agent: dkron/{}\r\nConnection: close\r\n\
         X-Dkron-Job: backup\r\nX-Dkron-Execution-Id: {}\r\n\
         X-Dkron-Fire-Time: 2026-03-01T04:05:06Z\r\nX-Dkron-Attempt: 2\r\nX-Dkron-Token: 77",
        server.address,
        env!("CARGO_PKG_VERSION"),
        run.context.execution,
    );
    assert_eq!(server.seen()[0].head, want);
}

#[tokio::test]
async fn the_headers_of_the_run_give_way_to_the_jobs_own() {
    let seen = sent(&[("headers", r#"["X-Dkron-Job: mine"]"#)]).await;
    assert_eq!(seen.header("x-dkron-job"), ["mine"]);
    assert_eq!(seen.header("x-dkron-token"), ["77"]);
}

#[tokio::test]
async fn credentials_of_the_address_are_sent_and_its_password_not_shown() {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    let url = format!("http://user:secret@{}/", server.address);
    check(&url, &[], "ok").await;
    assert_eq!(server.seen()[0].header("authorization"), ["Basic dXNlcjpzZWNyZXQ="]);

    let output = request("http://user:secret@127.0.0.1:1/", &[]).output().await;
    let text = String::from_utf8(output.bytes).unwrap();
    assert!(text.starts_with("Get \"http://user:***@127.0.0.1:1/\": dial tcp"), "{text}");
}

#[tokio::test]
async fn headers_that_are_no_list_are_warned_of_and_the_request_goes_out() {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    let want = "Error: parsing headers failed\nok";
    check(&server.url("/"), &[("headers", "X-One: 1")], want).await;
    assert_eq!(server.seen()[0].header("x-one"), [""; 0]);
}

#[tokio::test]
async fn a_header_without_a_colon_fails_its_run_and_no_other() {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    let executor = Arc::new(HttpExecutor::new());
    let (url, method) = (server.url("/"), "GET");
    let bad = [("url", url.as_str()), ("method", method), ("headers", r#"["NoColonHere"]"#)];
    assert_output(
        &TestRun::new(executor.clone(), &bad).output().await,
        "headers: \"NoColonHere\" has no colon; write each entry as \"Name: value\"\n",
    );
    assert_output(&TestRun::new(executor, &bad[..2]).output().await, "ok");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_timeout_ends_the_wait_for_the_answer() {
    let server = Server::start(|_| Reply::Stall(Vec::new())).await;
    let url = server.url("/slow");
    let started = Instant::now();
    check(
        &url,
        &[("timeout", "1")],
        &format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting \
             headers)\n"
        ),
    )
    .await;
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_timeout_ends_a_body_that_stalls_and_keeps_its_beginning() {
    let stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun";
    let server = Server::start(|_| Reply::Stall(stalled.to_vec())).await;
    let url = server.url("/");
    check(
        &url,
        &[("timeout", "1")],
        &format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout or context cancellation \
             while reading body)\nbegun"
        ),
    )
    .await;
}

#[tokio::test]
async fn the_jobs_own_timeout_counts_if_it_is_the_earlier() {
    let server = Server::start(|_| Reply::Stall(Vec::new())).await;
    let url = server.url("/");
    let mut run = request(&url, &[("timeout", "20")]);
    run.context.timeout = Some(Duration::from_millis(200));
    let want = format!("Get \"{url}\": the job's timeout of 200ms was exceeded\n");
    assert_output(&run.output().await, &want);
}

#[tokio::test]
async fn an_invalid_timeout_is_warned_of_every_time() {
    let server = status_server().await;
    let executor = Arc::new(HttpExecutor::new());
    let url = server.url("/status/200");
    let keys = [("url", url.as_str()), ("method", "GET"), ("timeout", "soon")];
    for _ in 0..3 {
        assert_output(
            &TestRun::new(executor.clone(), &keys).output().await,
            "Warning: invalid timeout value: \"soon\" not understood (strconv.Atoi: parsing \
             \"soon\": invalid syntax), using default value of 30.\nstatus 200\n",
        );
    }
}

#[tokio::test]
async fn debug_shows_the_configuration_before_the_body() {
    let server = status_server().await;
    let url = server.url("/status/200");
    let want = format!(
        "Config: map[string]string{{\"debug\":\"true\", \"method\":\"GET\", \"url\":\"{url}\"}}\n\
         status 200\n"
    );
    check(&url, &[("debug", "true")], &want).await;
}

#[tokio::test]
async fn a_refused_connection_is_told_with_method_and_address() {
    check(
        "http://127.0.0.1:1/x",
        &[],
        "Get \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused\n",
    )
    .await;
}

#[tokio::test]
async fn what_is_no_web_address_is_told() {
    check("gopher://a/", &[], "unsupported protocol scheme \"gopher\"\n").await;
    check("/a/b", &[], "parse \"/a/b\": relative URL without a base\n").await;
}

#[tokio::test]
async fn answers_that_are_none_are_told() {
    for (reply, reason) in [
        ("", "EOF: the connection was closed before the answer was complete"),
        ("HTTP/1.1 200", "EOF: the connection was closed before the answer was complete"),
        ("gibberish\r\n\r\n", "invalid HTTP version parsed"),
    ] {
        let server = Server::start(move |_| Reply::Bytes(reply.into())).await;
        let url = server.url("/");
        check(&url, &[], &format!("Get \"{url}\": {reason}\n")).await;
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_fails_and_is_kept() {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let server = Server::start(|_| Reply::Bytes(reply.to_vec())).await;
    let url = server.url("/");
    let output = request(&url, &[]).output().await;
    let text = String::from_utf8(output.bytes).unwrap();
    assert!(text.starts_with(&format!("Get \"{url}\": ")) && text.ends_with("\nhalf"), "{text}");
}

#[tokio::test]
async fn chunked_bodies_and_bodies_up_to_the_end_are_read() {
    for reply in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nabc",
    ] {
        let server = Server::start(move |_| Reply::Bytes(reply.into())).await;
        check(&server.url("/"), &[("expectBody", "^abc$")], "abc").await;
    }
}

/// Redirects `/from/<status>/<left>` `left` times, then says what it was asked.
async fn redirecting_server() -> Server {
    Server::start(|seen| {
        let mut parts = seen.target().split('/').skip(2);
        let (status, left) = (parts.next().unwrap(), parts.next().unwrap().parse::<u32>().unwrap());
        if left == 0 {
            let method = seen.head.split(' ').next().unwrap();
            return answer(200, "", &format!("{method} {}", String::from_utf8_lossy(&seen.body)));
        }
        let location = format!("Location: /from/{status}/{}\r\n", left - 1);
        answer(status.parse().unwrap(), &location, "you are being sent on")
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_with_the_method_they_ask_for() {
    let server = redirecting_server().await;
    let post = [("method", "POST"), ("body", "data"), ("headers", r#"["X-One: 1"]"#)];
    for (status, want) in
        [(301, "GET "), (302, "GET "), (303, "GET "), (307, "POST data"), (308, "POST data")]
    {
        check(&server.url(&format!("/from/{status}/1")), &post, want).await;
        let seen = server.seen().pop().unwrap();
        assert_eq!((seen.header("x-one"), seen.header("x-dkron-token")), (vec!["1"], vec!["77"]));
        assert_eq!(seen.header("connection"), ["close"]);
    }
}

#[tokio::test]
async fn ten_redirects_are_followed_and_not_eleven() {
    let server = redirecting_server().await;
    check(&server.url("/from/302/10"), &[], "GET ").await;
    let last = server.url("/from/302/0");
    check(
        &server.url("/from/302/11"),
        &[],
        &format!("Get \"{last}\": stopped after 10 redirects\n"),
    )
    .await;
}

/// Goal: were it used, it would be read from the environment; nothing answers there.
#[tokio::test]
async fn the_environments_proxy_is_not_used() {
    let proxies = "export http_proxy=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 \
                   ALL_PROXY=http://127.0.0.1:1";
    if is_alone(module_path!(), "the_environments_proxy_is_not_used", proxies) {
        let server = Server::start(|_| answer(200, "", "direct")).await;
        check(&server.url("/"), &[], "direct").await;
    }
}

#[tokio::test]
async fn a_cancelled_request_is_abandoned_at_once() {
    let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun\n";
    let server = Server::start(|_| Reply::Stall(begun.to_vec())).await;
    let run = request(&server.url("/"), &[]);
    let started = Instant::now();

    let (end, _) = tokio::join!(run.end(), async {
        run.line("begun").await;
        run.context.cancel.cancel();
    });

    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: request abandoned"));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_output(
        &run.capture.finish(end.error.as_deref()),
        "cancelled: request abandoned\nbegun\n",
    );
}

#[tokio::test]
async fn a_request_cancelled_before_its_start_is_never_sent() {
    let server = Server::start(|_| answer(200, "", "ok")).await;
    let run = request(&server.url("/"), &[]);
    run.context.cancel.cancel();
    assert_eq!(run.end().await, ended(RunOutcome::Cancelled, "cancelled: before it started"));
    assert!(server.seen().is_empty());
}

/// Goal: memory does not follow the body, and the pattern is searched to its very end.
#[tokio::test]
async fn a_large_body_runs_in_flat_memory_and_keeps_its_end() {
    let size: u64 = 64 << 20;
    let server = Server::start(move |_| Reply::Flood(size, "the end")).await;
    let run = request(&server.url("/"), &[("expectBody", "xthe end$")]);
    let before = resident_bytes();

    let end = run.end().await;

    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "grew by {grown} bytes");
    assert_eq!(end, ended(RunOutcome::Succeeded, ""));
    let output = run.capture.finish(None);
    assert_eq!((output.bytes.len(), output.bytes_total), (256_000, size + 7));
    assert!(output.bytes.ends_with(b"xxthe end"));
}
