//! What is left of a body when its request is answered: read on behind the answer, within bounds.
//!
//! Many clients send all of a request before they read any answer. Was it refused early, and the
//! connection closed with bytes under way, the client is told that its connection was reset and
//! nothing else. So whatever answers a request may drop its body unread: the rest is received and
//! thrown away beside the answer, [`HTTP_UNREAD_BYTES_MAX`] bytes of it, for
//! [`HTTP_UNREAD_TIME_MAX`], and only while it keeps coming. Beyond these bounds the connection is
//! closed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use dkron_core::limits::{HTTP_UNREAD_BYTES_MAX, HTTP_UNREAD_PAUSE_MAX, HTTP_UNREAD_TIME_MAX};
use futures_util::StreamExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Returns the request with a body that may be dropped unread.
pub(super) fn may_stay_unread(request: Request) -> Request {
    // Who waits to be asked for the body sends none after an answer.
    let is_asked_for = !request.headers().contains_key(header::EXPECT);
    request.map(|body| Body::new(UnreadBody { body, is_under_way: is_asked_for }))
}

/// A body whose rest is received when it is dropped.
struct UnreadBody {
    body: Body,
    /// Whether the client sends more of it, as far as is known.
    is_under_way: bool,
}

impl HttpBody for UnreadBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_under_way = true;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // Nothing follows the end, or a fault.
        self.is_under_way = matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UnreadBody {
    fn drop(&mut self) {
        if !self.is_under_way || self.body.is_end_stream() {
            return;
        }
        // Without a runtime there is no connection any more.
        if let Ok(runtime) = Handle::try_current() {
            let rest = std::mem::take(&mut self.body);
            runtime.spawn(timeout(HTTP_UNREAD_TIME_MAX, receive(rest, HTTP_UNREAD_BYTES_MAX)));
        }
    }
}

/// Receives a body up to its end, or to the first bytes beyond `bytes_max`.
///
/// Owner: the connection, which it ends with. Bound: one for each connection.
async fn receive(body: Body, bytes_max: u64) {
    let mut left = bytes_max;
    let mut pieces = body.into_data_stream();
    while let Ok(Some(Ok(piece))) = timeout(HTTP_UNREAD_PAUSE_MAX, pieces.next()).await {
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::stream;
    use tokio::sync::oneshot;

    use super::*;

    /// Tells when it is dropped, how much was read before.
    struct Told(Arc<AtomicU64>, Option<oneshot::Sender<u64>>);

    impl Drop for Told {
        fn drop(&mut self) {
            let read = self.0.load(Ordering::Relaxed);
            let _ = self.1.take().map(|tell| tell.send(read));
        }
    }

    /// A request with pieces of a megabyte, and how many are received of it in the end.
    fn request(pieces: usize, expects: bool) -> (Request, oneshot::Receiver<u64>) {
        let (tell, told) = oneshot::channel();
        let told_at_end = Told(Arc::default(), Some(tell));
        let body = stream::iter(0..pieces).map(move |_| {
            told_at_end.0.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b' '; 1 << 20])
        });
        let mut request = Request::builder();
        if expects {
            request = request.header("expect", "100-continue");
        }
        (may_stay_unread(request.body(Body::from_stream(body)).unwrap()), told)
    }

    #[tokio::test]
    async fn what_nobody_reads_is_received_within_bounds() {
        let check = async |pieces: usize, expects: bool, want: u64| {
            let (request, received) = request(pieces, expects);
            drop(request);
            assert_eq!(received.await.unwrap(), want, "{pieces} pieces, {expects}");
        };
        check(10, false, 10).await;
        check(10_000, false, (HTTP_UNREAD_BYTES_MAX >> 20) + 1).await;
        // Sent only to those who ask for it.
        check(10, true, 0).await;
    }

    #[tokio::test]
    async fn a_body_that_is_read_is_not_touched() {
        for expects in [false, true] {
            let (request, received) = request(3, expects);
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            assert_eq!((body.len(), received.await.unwrap()), (3 << 20, 3));
        }
    }

    #[tokio::test]
    async fn who_began_to_send_what_was_asked_for_goes_on() {
        let (request, received) = request(10, true);
        let mut pieces = request.into_body().into_data_stream();
        pieces.next().await.unwrap().unwrap();
        drop(pieces);
        assert_eq!(received.await.unwrap(), 10);
    }
}
