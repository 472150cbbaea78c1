//! A request and its answer: one connection each.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::address::Address;
use super::answer::Answer;
use super::error::{ClientError, system_text};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long an answer may let wait for its first line, unless it waits for jobs.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(300);

/// A client of one node.
pub(crate) struct Client {
    address: Address,
    runtime: Runtime,
}

/// A request.
pub(crate) struct Ask {
    /// What is being done, for messages: `delete job "a"`.
    what: String,
    method: Method,
    /// Path and query.
    path: String,
    body: Body,
    media_type: Option<String>,
    bytes: Option<u64>,
    has_time: bool,
}

impl Ask {
    /// A request that reads.
    pub(crate) fn get(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::GET, what, path)
    }

    /// A request that does something, with an empty body.
    pub(crate) fn post(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::POST, what, path)
    }

    /// A request that deletes.
    pub(crate) fn delete(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, what, path)
    }

    fn new(method: Method, what: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            method,
            path: path.into(),
            body: Body::empty(),
            media_type: None,
            bytes: Some(0),
            has_time: false,
        }
    }

    /// Sends `body`, which has so many bytes if that is known.
    pub(crate) fn body(mut self, media_type: &str, body: Body, bytes: Option<u64>) -> Self {
        self.media_type = Some(media_type.to_owned());
        self.body = body;
        self.bytes = bytes;
        self
    }

    /// Waits for the answer for as long as it takes: it comes when jobs have run.
    pub(crate) fn patient(mut self) -> Self {
        self.has_time = true;
        self
    }

    fn into_message(self, address: &Address) -> Result<Request<Body>, String> {
        let mut message = Request::builder()
            .method(&self.method)
            .uri(address.target(&self.path))
            .header(header::HOST, address.authority())
            .header(header::USER_AGENT, concat!("dkron/", env!("CARGO_PKG_VERSION")))
            .body(self.body)
            .map_err(|error| error.to_string())?;
        let headers = message.headers_mut();
        if let Some(media_type) = self.media_type.and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(header::CONTENT_TYPE, media_type);
        }
        if let Some(bytes) = self.bytes.filter(|_| self.method != Method::GET) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        Ok(message)
    }
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If the system has no room for what it takes.
    pub(crate) fn new(address: Address) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ClientError::file("start a client", &error))?;
        Ok(Self { address, runtime })
    }

    /// Returns where it asks.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Lets `span` pass.
    pub(crate) fn rest(&self, span: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(span).await });
    }

    /// Sends a request and returns its answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: nobody answers, or the connection breaks.
    pub(crate) fn send(&self, ask: Ask) -> Result<Answer<'_>, ClientError> {
        let url = format!("{}{}", self.address, ask.path);
        let (what, method, has_time) = (ask.what.clone(), ask.method.clone(), ask.has_time);
        let broken = |why: String| ClientError::Broken {
            what: what.clone(),
            url: url.clone(),
            why,
            is_write: method != Method::GET,
        };
        let message = ask.into_message(&self.address).map_err(&broken)?;
        self.runtime.block_on(async {
            let stream = connect(&self.address).await.map_err(|error| ClientError::Connect {
                what: what.clone(),
                url: self.address.to_string(),
                why: system_text(&error),
            })?;
            let handshake = http1::handshake::<_, Body>(TokioIo::new(stream)).await;
            let (mut sender, connection) = handshake.map_err(|error| broken(text_of(&error)))?;
            // Its error reaches whoever waits for the answer or for a piece of it.
            tokio::spawn(async move {
                let _ = connection.await;
            });
            let mut answer = pin!(sender.send_request(message));
            let answer = if has_time {
                answer.await
            } else {
                timeout(ANSWER_WAIT_MAX, &mut answer)
                    .await
                    .map_err(|_| broken(format!("no answer in {} s", ANSWER_WAIT_MAX.as_secs())))?
            };
            let (head, body) = answer.map_err(|error| broken(text_of(&error)))?.into_parts();
            Ok(Answer::new(&self.runtime, what.clone(), url.clone(), head, Body::new(body)))
        })
    }

    /// As [`Client::send`], and refuses an answer that is not of success.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] besides.
    pub(crate) fn succeed(&self, ask: Ask) -> Result<Answer<'_>, ClientError> {
        let answer = self.send(ask)?;
        if answer.status().is_success() { Ok(answer) } else { Err(answer.into_refusal()) }
    }

    /// As [`Client::succeed`]; nothing if what was asked for does not exist.
    ///
    /// # Errors
    ///
    /// As [`Client::succeed`].
    pub(crate) fn find(&self, ask: Ask) -> Result<Option<Answer<'_>>, ClientError> {
        match self.succeed(ask) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT_MAX, TcpStream::connect((&*address.host, address.port))).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    // A request is one small write after another.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Says what went wrong on an open connection.
pub(super) fn text_of(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "the connection was closed before the answer was complete".to_owned();
    }
    match error.source() {
        Some(source) => match source.downcast_ref::<io::Error>() {
            Some(io) => system_text(io),
            None => format!("{error}: {source}"),
        },
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(ask: Ask, address: &str) -> Request<Body> {
        ask.into_message(&Address::parse(address).unwrap()).unwrap()
    }

    #[test]
    fn a_request_names_its_host_and_keeps_the_prefix_of_a_proxy() {
        let message = message(Ask::get("list", "/v1/jobs?q=a"), "http://proxy:81/dkron");
        assert_eq!(message.uri().to_string(), "/dkron/v1/jobs?q=a");
        assert_eq!(message.headers()[header::HOST], "proxy:81");
        assert_eq!(message.headers().get(header::CONTENT_LENGTH), None);
    }

    #[test]
    fn a_write_says_how_long_it_is_where_that_is_known() {
        let length = |ask| {
            let headers = message(ask, ":1").headers().clone();
            headers.get(header::CONTENT_LENGTH).map(|value| value.to_str().unwrap().to_owned())
        };
        let body = |bytes| Ask::post("a", "/a").body("text/plain", Body::from("xyz"), bytes);
        assert_eq!(length(Ask::post("a", "/a")).as_deref(), Some("0"));
        assert_eq!(length(body(Some(3))).as_deref(), Some("3"));
        assert_eq!(length(body(None)), None);
    }
}
