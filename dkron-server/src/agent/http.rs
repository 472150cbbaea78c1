//! The socket of the API, and serving on it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener as _;
use dkron_core::limits::{HTTP_HEAD_WAIT_MAX, HTTP_TAKE_WAIT_MAX};
use dkron_core::{Error, ErrorKind};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::connections::{BoundedListener, affordable};
use super::stall::StallLimited;

/// How long clients are waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For the head of a request.
    head_max: Duration,
    /// For the next bytes of an answer to be taken.
    take_max: Duration,
}

/// A socket that is bound; connections wait until it is served.
pub(super) struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl HttpServer {
    /// Binds the API's address; an empty host means every address of the machine.
    ///
    /// # Errors
    ///
    /// What could not be bound, and why, in words.
    pub(super) async fn bind((host, port): &(String, u16)) -> Result<Self, String> {
        let bound = if host.is_empty() {
            // Of both versions of IP, or of the fourth alone where there is no sixth.
            match TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).await
                }
                bound => bound,
            }
        } else {
            TcpListener::bind((host.as_str(), *port)).await
        };
        let refused = |error: io::Error| {
            format!("bind the HTTP address {host}:{port}: {error}; choose another with --http-addr")
        };
        let listener = bound.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Returns the address, with the port that the system chose if none was asked for.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to answer.
    pub(super) fn serve(self, router: Router) -> Served {
        let patience = Patience { head_max: HTTP_HEAD_WAIT_MAX, take_max: HTTP_TAKE_WAIT_MAX };
        self.serve_within(router, patience)
    }

    /// Begins to answer those who send, and take, in time.
    fn serve_within(self, router: Router, patience: Patience) -> Served {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = BoundedListener::new(self.listener, affordable());
        let task = tokio::spawn(accept(listener, router, patience, stopped));
        Served { stop, task }
    }
}

/// Takes connections and answers their requests until it is stopped; then lets those that are under
/// way finish.
async fn accept(
    mut listener: BoundedListener,
    router: Router,
    patience: Patience,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head_max);
    let open = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            connection = listener.accept() => connection,
            _ = &mut stopped => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(StallLimited::new(stream, patience.take_max));
        let connection = open.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            // The client went away, or sent no request in time, or takes no answer: nobody is left
            // to tell.
            if let Err(error) = connection.await {
                let message = format!("serve the connection from {peer}");
                let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
                tracing::debug!(error = error.report(), "api: a connection was cut off");
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// An API that answers.
///
/// Owner: the agent. Inputs: the socket. Ends when it is stopped.
pub(super) struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    /// Takes no more connections and lets those that are open finish, within `grace`.
    pub(super) async fn stop(self, grace: Duration) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(grace, self.task).await.is_err() {
            abort.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::{Body, Bytes};
    use dkron_core::limits::HTTP_BODY_BYTES_FREE;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::api::{Api, Bodies};

    const BOUND: Duration = Duration::from_secs(20);

    /// What a client is waited for here.
    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_taken_address_is_refused_with_a_message() {
        let first = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let taken = ("127.0.0.1".to_owned(), first.address().port());
        let error = HttpServer::bind(&taken).await.err().unwrap();
        assert!(error.contains("--http-addr"), "{error}");
    }

    /// Sends the beginning of a request and returns all that comes back until the connection is
    /// closed.
    async fn answer_to(address: SocketAddr, begun: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = client.read_to_string(&mut answer);
        let ended = tokio::time::timeout(BOUND, read).await.expect("the connection ends");
        // Who is refused in the middle of a body may be hung up on behind the answer.
        assert!(ended.is_ok() || !answer.is_empty(), "{ended:?}");
        answer
    }

    #[tokio::test]
    async fn who_sends_no_request_in_time_is_let_go() {
        let server = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let address = server.address();
        let router = Router::new().fallback(async || "hello");
        let served = server.serve_within(router, Patience { head_max: SHORT, take_max: BOUND });

        for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost:"] {
            assert!(!answer_to(address, begun).await.contains("hello"), "{begun:?}");
        }
        let whole = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert!(answer_to(address, whole).await.contains("hello"), "and it is closed when idle");
        served.stop(BOUND).await;
    }

    #[tokio::test]
    async fn who_does_not_go_on_with_a_body_is_told_so_and_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut api = Api::in_memory(folder.path()).await;
        api.bodies = Bodies::new(SHORT, 1 << 20);
        let cluster = api.cluster.clone();
        let server = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let address = server.address();
        let served = server.serve(crate::api::router(api));

        let length = "content-length: 1000\r\n\r\n";
        let chunks = "transfer-encoding: chunked\r\n\r\n1\r\n";
        let part = "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n[";
        let form = format!("content-type: multipart/form-data; boundary=B\r\n{length}{part}");
        let all = [
            ("jobs", format!("{length}{{\"name\":")),
            ("jobs", length.to_owned()),
            ("jobs", format!("{chunks}{{\r\n")),
            ("restore", form),
        ];
        // Together: each is given some seconds to go on behind its answer.
        let answers = all.map(async |(path, rest)| {
            let begun = format!("POST /v1/{path} HTTP/1.1\r\nhost: a\r\n{rest}");
            (answer_to(address, &begun).await, begun)
        });
        for (answer, begun) in futures_util::future::join_all(answers).await {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{begun:?}: {answer}");
            assert!(answer.contains("does not go on"), "{begun:?}: {answer}");
        }
        assert_eq!(cluster.jobs_count().unwrap(), 0);
        served.stop(BOUND).await;
        cluster.shutdown().await.unwrap();
    }
    /// Says when it is dropped.
    struct Guard(Option<oneshot::Sender<()>>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.take().map(|gone| gone.send(()));
        }
    }

    /// Goal: who asks for a long answer and does not read it holds no place for ever.
    /// Method: an answer without end, which is dropped with its connection.
    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_is_let_go() {
        let server = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let address = server.address();
        let (gone, is_gone) = oneshot::channel();
        let guard = Arc::new(Mutex::new(Some(Guard(Some(gone)))));
        let answer = move || {
            let pieces = stream::unfold(guard.lock().unwrap().take(), async |guard| {
                Some((Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 1 << 16])), guard))
            });
            std::future::ready(Body::from_stream(pieces))
        };
        let router = Router::new().fallback(answer);
        let served = server.serve_within(router, Patience { head_max: BOUND, take_max: SHORT });

        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();

        let let_go = tokio::time::timeout(BOUND, is_gone).await;
        let_go.expect("nobody takes the answer, and it is still held").unwrap();
        drop(client);
        served.stop(BOUND).await;
    }

    #[tokio::test]
    async fn an_answer_that_has_nothing_to_say_is_not_cut_off() {
        let server = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let address = server.address();
        let (say, said) = tokio::sync::mpsc::unbounded_channel::<&str>();
        let said = Arc::new(Mutex::new(Some(said)));
        let answer = move || {
            let pieces = stream::unfold(said.lock().unwrap().take(), async |said| {
                let mut said = said?;
                Some((Ok::<_, io::Error>(said.recv().await?), Some(said)))
            });
            std::future::ready(Body::from_stream(pieces))
        };
        let router = Router::new().fallback(answer);
        let served = server.serve_within(router, Patience { head_max: BOUND, take_max: SHORT });

        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        say.send("first").unwrap();
        let mut answer = String::new();
        let ended = tokio::time::timeout(3 * SHORT, client.read_to_string(&mut answer)).await;
        assert!(ended.is_err(), "it is cut off: {answer}");
        say.send("second").unwrap();
        drop(say);

        let mut rest = String::new();
        let read = tokio::time::timeout(BOUND, client.read_to_string(&mut rest)).await;
        read.expect("it ends").unwrap();
        assert!(rest.contains("second") || answer.contains("second"), "{answer} {rest}");
        served.stop(BOUND).await;
    }

    #[tokio::test]
    async fn a_long_job_for_which_there_is_no_room_is_told_to_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut api = Api::in_memory(folder.path()).await;
        api.bodies = Bodies::new(BOUND, 100 << 10);
        let (cluster, bodies) = (api.cluster.clone(), api.bodies.clone());
        let server = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let address = server.address();
        let served = server.serve(crate::api::router(api));
        let post = async |owner_bytes: usize| {
            let owner = "x".repeat(owner_bytes);
            let job =
                format!("{{\"name\":\"a\",\"schedule\":\"@manually\",\"owner\":\"{owner}\"}}");
            let head = "POST /v1/jobs HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length:";
            answer_to(address, &format!("{head} {}\r\n\r\n{job}", job.len())).await
        };

        let (_, room) = bodies.receive(Body::from(vec![b' '; 90 << 10])).await.unwrap();
        let refused = post(30 << 10).await;
        let short = post(HTTP_BODY_BYTES_FREE / 2).await;
        drop(room);
        let accepted = post(30 << 10).await;

        assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
        assert!(refused.contains("try again"), "{refused}");
        assert!(short.starts_with("HTTP/1.1 201 "), "{short}");
        assert!(accepted.starts_with("HTTP/1.1 201 "), "{accepted}");
        served.stop(BOUND).await;
        cluster.shutdown().await.unwrap();
    }
}
