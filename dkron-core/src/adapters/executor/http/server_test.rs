//! A web server under test's control: it answers with the bytes it is told to, and remembers what
//! it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Request line and headers, without the empty line.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    /// Returns the path with its query.
    pub(super) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// Returns the values of all headers of this name, in order.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

/// What the server does with a request.
pub(super) enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes and then nothing more.
    Stall(Vec<u8>),
    /// Writes a head, so many bytes `x`, and this end.
    Flood(u64, &'static str),
}

/// Makes a whole answer.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Said So\r\nContent-Length: {length}\r\n{headers}\r\n");
    Reply::Bytes(format!("{head}{body}").into_bytes())
}

/// A server on a port of its own, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server.
    pub(super) async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, reply).await
    }

    /// Starts a server that speaks TLS.
    pub(super) async fn start_tls(
        config: ServerConfig,
        reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config))), reply).await
    }

    async fn start_with(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, seen_here) = (Arc::new(reply), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (reply, seen, tls) = (Arc::clone(&reply), Arc::clone(&seen_here), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &*reply, &seen).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &*reply, &seen).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, seen, task: task.abort_handle() }
    }

    /// Returns what was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the address of a path of this server.
    pub(super) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }
}

/// Reads one request and answers it; `None` once the other side is gone.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    reply: &(impl Fn(&Seen) -> Reply + ?Sized),
    seen: &Mutex<Vec<Seen>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut request = Seen { head, body: bytes.split_off(head_end + 4) };
    let length = request.header("content-length").first().map_or(0, |text| text.parse().unwrap());
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    seen.lock().unwrap().push(request.clone());
    match reply(&request) {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            // Until the other side goes.
            while stream.read(&mut [0]).await.ok()? > 0 {}
        }
        Reply::Flood(count, end) => {
            let length = count + end.len() as u64;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            let piece = vec![b'x'; 1 << 16];
            let mut left = count;
            while left > 0 {
                let now = left.min(piece.len() as u64) as usize;
                stream.write_all(&piece[..now]).await.ok()?;
                left -= now as u64;
            }
            stream.write_all(end.as_bytes()).await.ok()?;
        }
    }
    stream.shutdown().await.ok()
}
