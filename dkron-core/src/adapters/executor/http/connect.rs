//! Opens a connection to where an address leads.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;
use url::{Host, Url};

use crate::adapters::executor::error_text;

/// How long one address of several is tried before the next one is tried beside it.
const ATTEMPT_STAGGER: Duration = Duration::from_millis(300);

/// Resolves the host and connects to the first of its addresses that answers.
///
/// # Errors
///
/// What went wrong, in the words users know from Dkron: `dial tcp …`.
pub(super) async fn connect(url: &Url) -> Result<TcpStream, String> {
    let host = url.host().ok_or("no Host in request URL")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses: Vec<SocketAddr> = match host {
        Host::Ipv4(address) => vec![(address, port).into()],
        Host::Ipv6(address) => vec![(address, port).into()],
        Host::Domain(name) => {
            let found = lookup_host((name, port)).await;
            found
                .map_err(|error| format!("dial tcp: lookup {name}: {}", no_host(&error)))?
                .collect()
        }
    };
    let stream = connect_any(addresses).await?;
    // A request is one small write after another.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Says that a name could not be resolved.
fn no_host(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(": ") {
        Some((_, reason)) => format!("no such host ({reason})"),
        None => text,
    }
}

/// Connects to the address that answers first; each has a start over the next.
async fn connect_any(addresses: Vec<SocketAddr>) -> Result<TcpStream, String> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some((_, Ok(stream))) => return Ok(stream),
                Some((address, Err(error))) => {
                    let text = format!("dial tcp {address}: connect: {}", error_text(&error));
                    first_error.get_or_insert(text);
                }
                None => {
                    return Err(first_error.unwrap_or_else(|| "dial tcp: no address".to_owned()));
                }
            },
            () = sleep(ATTEMPT_STAGGER), if waiting.len() > 0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// An address at which nobody listens.
    async fn closed() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn the_first_address_that_answers_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap();

        let stream = connect_any(vec![closed().await, closed().await, open]).await.unwrap();

        assert_eq!(stream.peer_addr().unwrap(), open);
    }

    #[tokio::test]
    async fn the_first_error_is_told_when_none_answers() {
        let (one, two) = (closed().await, closed().await);
        assert_eq!(
            connect_any(vec![one, two]).await.unwrap_err(),
            format!("dial tcp {one}: connect: connection refused")
        );
        assert_eq!(connect_any(vec![]).await.unwrap_err(), "dial tcp: no address");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_told() {
        let url = Url::parse("http://no-such-host.invalid/").unwrap();
        let error = connect(&url).await.unwrap_err();
        assert!(
            error.starts_with("dial tcp: lookup no-such-host.invalid: no such host"),
            "{error}"
        );
    }
}
