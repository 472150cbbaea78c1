//! One request and its answer over one connection.

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, USER_AGENT,
};
use hyper::http::response::Parts;
use hyper::{Method, Version};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::connect::connect;
use super::redirect::Request;
use crate::adapters::executor::error_text;

/// What this client calls itself, unless the job says otherwise.
const CLIENT_NAME: &str = concat!("dkron/", env!("CARGO_PKG_VERSION"));

/// Takes an answer: its head, then its body piece by piece.
pub(super) trait Receiver: Send {
    /// Returns whether the body is wanted.
    fn head(&mut self, head: &Parts) -> bool;

    /// Takes the next bytes of the body.
    fn body(&mut self, bytes: &[u8]);
}

/// Sends a request over a connection of its own, and hands the answer to `receiver`.
///
/// Returns the head of the answer. Dropping the future closes the connection.
///
/// # Errors
///
/// What went wrong, without method and address.
pub(super) async fn exchange(
    request: &Request,
    tls: Option<Arc<ClientConfig>>,
    receiver: &mut dyn Receiver,
) -> Result<Parts, String> {
    let message = message(request)?;
    let stream = connect(&request.url).await?;
    match tls {
        None => talk(stream, message, receiver).await,
        Some(config) => {
            let name = server_name(&request.url)?;
            let stream = TlsConnector::from(config).connect(name, stream).await;
            let stream = stream.map_err(|error| format!("tls: {}", error_text(&error)))?;
            talk(stream, message, receiver).await
        }
    }
}

/// Returns the name that the server's certificate must be for.
fn server_name(url: &Url) -> Result<ServerName<'static>, String> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::IpAddress(address.into())),
        Some(Host::Ipv6(address)) => Ok(ServerName::IpAddress(address.into())),
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned())
            .map_err(|_| format!("tls: \"{name}\" is no name a certificate can be for")),
        None => Err("no Host in request URL".to_owned()),
    }
}

/// Writes out the request with the headers that the wire needs.
fn message(request: &Request) -> Result<hyper::Request<Full<Bytes>>, String> {
    let url = &request.url;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", url.path());
    let text_value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());

    // The host comes first: some servers want it there.
    let mut headers = HeaderMap::new();
    let own_host = request.headers.get(HOST).cloned();
    headers.insert(HOST, own_host.map_or_else(|| text_value(&authority(url)), Ok)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(CLIENT_NAME));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(credentials) = credentials(url) {
        headers.insert(AUTHORIZATION, text_value(&credentials)?);
    }
    for name in request.headers.keys() {
        headers.remove(name);
        for value in request.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    let wants_length = [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
    if request.body.is_empty() && wants_length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }

    let mut message = hyper::Request::builder()
        .method(request.method.clone())
        .uri(target)
        .version(Version::HTTP_11)
        .body(Full::new(request.body.clone()))
        .map_err(|error| error.to_string())?;
    *message.headers_mut() = headers;
    Ok(message)
}

/// Returns host and port as the `Host` header has them.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the `Authorization` that user and password of the address make.
fn credentials(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

/// Writes out `%3A` and its like.
fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = ahead.next().zip(ahead.next()).filter(|_| byte == b'%');
        match digits.and_then(|(high, low)| Some(hex(high)? * 16 + hex(low)?)) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    bytes
}

/// Speaks HTTP/1.1 over an open stream.
async fn talk<S>(
    stream: S,
    message: hyper::Request<Full<Bytes>>,
    receiver: &mut dyn Receiver,
) -> Result<Parts, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new()
        .title_case_headers(true)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| hyper_text(&error))?;
    let mut connection = Driven { connection: pin!(connection), is_over: false };

    let answer = connection.beside(sender.send_request(message)).await;
    let (head, mut body) = answer.map_err(|error| hyper_text(&error))?.into_parts();
    if receiver.head(&head) {
        while let Some(frame) = connection.beside(body.frame()).await {
            let frame = frame.map_err(|error| hyper_text(&error))?;
            if let Some(bytes) = frame.data_ref() {
                receiver.body(bytes);
            }
        }
    }
    Ok(head)
}

/// A connection that moves only while something beside it waits.
struct Driven<'a, C> {
    connection: Pin<&'a mut C>,
    is_over: bool,
}

impl<C: Future> Driven<'_, C> {
    /// Waits for `work`, and lets the connection do its part.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                // Its error reaches whoever waits for the answer or the body.
                _ = self.connection.as_mut(), if !self.is_over => self.is_over = true,
            }
        }
    }
}

/// Says what went wrong on an open connection.
fn hyper_text(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "EOF: the connection was closed before the answer was complete".to_owned();
    }
    if let Some(source) = error.source() {
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            return error_text(io);
        }
        return format!("{error}: {source}");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request {
            method: Method::GET,
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn the_target_is_path_and_query_and_the_host_names_the_port_if_it_is_unusual() {
        let check = |url: &str, target: &str, host: &str| {
            let message = message(&request(url)).unwrap();
            assert_eq!(
                (message.uri().to_string().as_str(), &message.headers()[HOST]),
                (target, &host.parse::<HeaderValue>().unwrap())
            );
        };
        check("http://a", "/", "a");
        check("http://a:80/b?c=d%20e#f", "/b?c=d%20e", "a");
        check("https://a:443/b c", "/b%20c", "a");
        check("http://a:8080/ü", "/%C3%BC", "a:8080");
        check("http://[::1]:81/", "/", "[::1]:81");
    }

    #[test]
    fn user_and_password_of_the_address_are_credentials() {
        let check = |url: &str, want: Option<&str>| {
            let want = want.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!(credentials(&Url::parse(url).unwrap()), want, "{url}");
        };
        check("http://a/", None);
        check("http://u@a/", Some("u:"));
        check("http://u:p@a/", Some("u:p"));
        check("http://u%40v:p%3A+%26q@a/", Some("u@v:p:+&q"));
    }

    #[test]
    fn an_empty_body_has_a_length_where_servers_ask_for_one() {
        for (method, want) in [
            ("POST", Some("0")),
            ("PUT", Some("0")),
            ("PATCH", Some("0")),
            ("GET", None),
            ("DELETE", None),
        ] {
            let request = Request { method: method.parse().unwrap(), ..request("http://a/") };
            let message = message(&request).unwrap();
            let got = message.headers().get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!(got, want, "{method}");
        }
    }
}
