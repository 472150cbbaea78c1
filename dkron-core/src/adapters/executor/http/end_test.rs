//! How requests end where it is hard: floods, silence in the middle of a handshake, odd answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::HttpExecutor;
use super::server_test::{Reply, Server, answer};
use super::tls_test::{authority, issued_by, server};
use crate::adapters::executor::kit_test::{TestRun, assert_output, check_flood, ended, is_alone};
use crate::ports::RunOutcome;

/// The longest wait for anything.
const BOUND: Duration = Duration::from_secs(30);

fn request(url: &str, keys: &[(&str, &str)]) -> TestRun {
    let mut all = vec![("url", url), ("method", "GET")];
    all.extend(keys);
    TestRun::new(Arc::new(HttpExecutor::new()), &all)
}

/// Goal: a body that never lets up does not keep anybody from looking at the clock.
/// Method: a server on a thread of its own that writes faster than the body is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_holds_off_neither_a_timeout_nor_a_cancellation() {
    let server = Server::start(|_| Reply::Flood(1 << 28, "")).await;
    let url = server.url("/");
    let timed = request(&url, &[("timeout", "1")]);
    let want = format!(
        "Get \"{url}\": context deadline exceeded (Client.Timeout or context cancellation while \
         reading body)"
    );
    check_flood(timed, &want, request(&url, &[]), "cancelled: request abandoned").await;
}

#[tokio::test]
async fn silence_in_the_middle_of_a_handshake_ends_with_the_timeout_or_a_cancellation() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let want = format!(
        "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    );
    let timed = request(&url, &[("timeout", "1")]);
    assert_eq!(timed.end().await, ended(RunOutcome::Failed, &want));
    drop(listener.accept().await.unwrap());

    let cancelled = request(&url, &[]);
    let end = cancelled.start();
    let (_silent, _) = timeout(BOUND, listener.accept()).await.unwrap().unwrap();
    cancelled.context.cancel.cancel();

    let end = timeout(BOUND, end).await.unwrap().unwrap();
    assert_eq!(end, ended(RunOutcome::Cancelled, "cancelled: request abandoned"));
}

#[tokio::test]
async fn a_cancelled_request_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let run = request(&format!("http://{}/", listener.local_addr().unwrap()), &[]);
    let end = run.start();
    let (mut stream, _) = timeout(BOUND, listener.accept()).await.unwrap().unwrap();
    run.context.cancel.cancel();
    assert_eq!(timeout(BOUND, end).await.unwrap().unwrap().outcome, RunOutcome::Cancelled);

    let mut sent = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut sent);

    // Closed, in order or not: nothing is waited for any more.
    let _ = timeout(BOUND, read).await.expect("the connection is closed");
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_whatever_its_length_says() {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let server = Server::start(|_| Reply::Stall(reply.to_vec())).await;
    let run = request(&server.url("/"), &[("method", "HEAD"), ("expectCode", "200")]);
    assert_output(&run.output().await, "");
}

/// Goal: an answer that is not the last, or opens something else, keeps nobody waiting.
#[tokio::test]
async fn interim_answers_are_passed_over_and_upgrades_are_ends() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (method, reply, code, want) in [
        ("GET", format!("{hint}{whole}"), "200", "ok"),
        ("GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), "101", ""),
        ("CONNECT", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), "200", ""),
    ] {
        let server = Server::start(move |_| Reply::Stall(reply.clone().into_bytes())).await;
        let run = request(&server.url("/"), &[("method", method), ("expectCode", code)]);
        assert_output(&run.output().await, want);
    }
}

/// Goal: settings are made ready for each stop on the way, and what is wrong is told once.
#[tokio::test]
async fn a_redirect_to_https_is_believed_by_the_jobs_own_roots_and_warned_of_once() {
    let dir = tempfile::tempdir().unwrap();
    let (roots, absent) = (dir.path().join("ca.pem"), dir.path().join("absent.pem"));
    let authority = authority();
    std::fs::write(&roots, authority.pem()).unwrap();
    let safe = server(&issued_by(&authority), None).await;
    let location = format!("Location: https://{}/\r\n", safe.address);
    let plain = Server::start(move |_| answer(302, &location, "")).await;
    let keys = [
        ("tlsRootCAsFile", roots.to_str().unwrap()),
        ("tlsCertificateFile", absent.to_str().unwrap()),
    ];

    let output = request(&plain.url("/"), &keys).output().await;

    let absent = absent.display();
    assert_output(
        &output,
        &format!("Warning: tlsCertificateFile {absent}: tlsCertificateKeyFile is missing.\nok"),
    );
}

/// Goal: a node that asks for years has no more files open than on its first day.
#[tokio::test]
async fn no_connection_is_left_by_any_kind_of_end() {
    if !is_alone(module_path!(), "no_connection_is_left_by_any_kind_of_end", "") {
        return;
    }
    let server = Server::start(|seen| match seen.target() {
        "/stall" => Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun\n".to_vec()),
        "/short" => Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        "/again" => answer(302, "Location: /\r\n", "not wanted"),
        _ => answer(200, "", "ok"),
    })
    .await;
    let one_of_each = async || {
        for target in ["/", "/again", "/short"] {
            request(&server.url(target), &[]).end().await;
        }
        request("http://127.0.0.1:1/", &[]).end().await;
        let mut timed = request(&server.url("/stall"), &[]);
        timed.context.timeout = Some(Duration::from_millis(20));
        timed.end().await;
        let cancelled = request(&server.url("/stall"), &[]);
        let end = cancelled.start();
        cancelled.line("begun").await;
        cancelled.context.cancel.cancel();
        end.await.unwrap();
    };
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let settled = async |most: usize| {
        while files() > most {
            tokio::task::yield_now().await;
        }
    };
    let before = files();

    for _ in 0..5 {
        one_of_each().await;
    }

    // The server's side of each connection ends a moment after this one's.
    timeout(BOUND, settled(before)).await.expect("all connections are closed");
}
