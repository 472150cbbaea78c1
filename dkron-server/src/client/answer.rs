//! What a node answered: its status at once, its body a piece at a time.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::response::Parts;
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::error::ClientError;
use crate::go_json::{Elements, ElementsError};

/// How long an answer may pause: a server writes, or hangs up.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// The longest body that is taken as a whole; lists are taken by their elements.
const WHOLE_BYTES_MAX: usize = 64 << 20;

/// The longest element of a list: a job, or an execution with its output.
const ELEMENT_BYTES_MAX: usize = 16 << 20;

/// How much of the text of a failure is shown.
const REASON_CHARS_MAX: usize = 2_000;

/// What the answer to a failed write carries if it may have taken effect all the same.
const MAY_HAVE_HAPPENED: &str = "x-dkron-may-have-happened";

/// An answer. Its status and headers are there; its body comes.
pub(crate) struct Answer<'c> {
    runtime: &'c Runtime,
    what: String,
    url: String,
    status: StatusCode,
    headers: HeaderMap,
    body: BodyDataStream,
}

/// Why the elements of a list are not taken any more.
enum Stop {
    /// There are enough of them.
    Enough,
    /// Whoever takes them failed.
    Failed(ClientError),
}

impl<'c> Answer<'c> {
    pub(super) fn new(
        runtime: &'c Runtime,
        what: String,
        url: String,
        head: Parts,
        body: Body,
    ) -> Self {
        let body = body.into_data_stream();
        Self { runtime, what, url, status: head.status, headers: head.headers, body }
    }

    /// Returns the status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns a header that holds a number.
    pub(crate) fn number(&self, header: &str) -> Option<u64> {
        self.headers.get(header)?.to_str().ok()?.parse().ok()
    }

    /// Returns how many entries a list has in all.
    pub(crate) fn total(&self) -> Option<u64> {
        self.number("x-total-count")
    }

    /// Returns the next piece of the body; nothing at its end.
    ///
    /// # Errors
    ///
    /// [`ClientError::Broken`] if the connection ends before the body does.
    pub(crate) fn piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        let piece = self.runtime.block_on(async { timeout(SILENCE_MAX, self.body.next()).await });
        match piece {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(error))) => Err(self.broken(
                std::error::Error::source(&error)
                    .and_then(|source| source.downcast_ref::<hyper::Error>())
                    .map_or_else(|| error.to_string(), super::exchange::text_of),
            )),
            Err(_) => Err(self.broken(format!("nothing more in {} s", SILENCE_MAX.as_secs()))),
        }
    }

    /// Returns the whole body.
    ///
    /// # Errors
    ///
    /// As [`Answer::piece`]; [`ClientError::Strange`] if it is longer than any answer.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece()? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > WHOLE_BYTES_MAX {
                return Err(self.strange(format!("more than {WHOLE_BYTES_MAX} bytes")));
            }
        }
        Ok(bytes)
    }

    /// Returns the body as JSON.
    ///
    /// # Errors
    ///
    /// As [`Answer::bytes`]; [`ClientError::Strange`] if it is none.
    pub(crate) fn json(mut self) -> Result<Value, ClientError> {
        let bytes = self.bytes()?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(error.to_string()))
    }

    /// Hands out the elements of a list one by one, until `take` has enough.
    ///
    /// # Errors
    ///
    /// As [`Answer::piece`], [`ClientError::Strange`] if it is no list, and what `take` fails with.
    pub(crate) fn each(
        mut self,
        mut take: impl FnMut(&[u8]) -> Result<ControlFlow<()>, ClientError>,
    ) -> Result<(), ClientError> {
        let mut elements = Elements::new(ELEMENT_BYTES_MAX);
        let mut stop = |element: &[u8]| match take(element) {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(())) => Err(Stop::Enough),
            Err(error) => Err(Stop::Failed(error)),
        };
        loop {
            let piece = self.piece()?;
            let pushed = match &piece {
                Some(piece) => elements.push(piece, &mut stop),
                None => elements.finish(),
            };
            match pushed {
                Ok(()) if piece.is_none() => return Ok(()),
                Ok(()) => {}
                Err(ElementsError::Refused(Stop::Enough)) => return Ok(()),
                Err(ElementsError::Refused(Stop::Failed(error))) => return Err(error),
                Err(ElementsError::NotAnArray) => {
                    return Err(self.strange("it is no complete JSON array".to_owned()));
                }
                Err(ElementsError::TooLong) => {
                    let why = format!("an entry of the list has over {ELEMENT_BYTES_MAX} bytes");
                    return Err(self.strange(why));
                }
            }
        }
    }

    /// As [`Answer::each`], with the elements read as JSON.
    ///
    /// # Errors
    ///
    /// As [`Answer::each`].
    pub(crate) fn each_value(
        self,
        mut take: impl FnMut(Value) -> Result<ControlFlow<()>, ClientError>,
    ) -> Result<(), ClientError> {
        let (what, url) = (self.what.clone(), self.url.clone());
        self.each(|element| {
            let value = serde_json::from_slice(element).map_err(|error| ClientError::Strange {
                what: what.clone(),
                url: url.clone(),
                why: error.to_string(),
            })?;
            take(value)
        })
    }

    /// Makes the error of an answer that is not of success.
    pub(crate) fn into_refusal(mut self) -> ClientError {
        // What it says is a help, not the point.
        let text = self.bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).chars().take(REASON_CHARS_MAX).collect();
        ClientError::Refused {
            may_have_happened: self.headers.contains_key(MAY_HAVE_HAPPENED),
            what: self.what,
            url: self.url,
            status: self.status,
            text,
        }
    }

    fn broken(&self, why: String) -> ClientError {
        ClientError::Broken {
            what: self.what.clone(),
            url: self.url.clone(),
            why,
            // It has been answered.
            is_write: false,
        }
    }

    fn strange(&self, why: String) -> ClientError {
        ClientError::Strange { what: self.what.clone(), url: self.url.clone(), why }
    }
}
