//! The socket of the API, and serving on it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::connections::{BoundedListener, affordable};

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
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = BoundedListener::new(self.listener, affordable());
        let serving = axum::serve(listener, router).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "api: the HTTP server has ended");
            }
        });
        Served { stop, task }
    }
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
    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_refused_with_a_message() {
        let first = HttpServer::bind(&("127.0.0.1".to_owned(), 0)).await.unwrap();
        let taken = ("127.0.0.1".to_owned(), first.address().port());
        let error = HttpServer::bind(&taken).await.err().unwrap();
        assert!(error.contains("--http-addr"), "{error}");
    }
}
