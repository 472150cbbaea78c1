//! The output of an execution that is running: what there is, then what comes, until it ends.
//!
//! Nothing is held for a reader but the chunk it is about to take: the run keeps its last bytes in
//! any case, and never waits. A reader that is too slow for these finds a line where bytes are
//! missing.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use dkron_core::{Error, OutputFollower, OutputNews};
use futures_util::{FutureExt as _, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::plain;
use crate::api::answer::with_header;

/// How many bytes the run had written before the first that is sent.
const BYTES_BEFORE: HeaderName = HeaderName::from_static("x-dkron-output-bytes-before");

/// The answer that goes on until the run ends. `place` is left with it.
pub(super) fn answer(mut follower: OutputFollower, place: OwnedSemaphorePermit) -> Response {
    // What is gone already is no gap in the middle.
    let mut first = follower.next().now_or_never();
    let bytes_before = match first {
        Some(Some(OutputNews::Missed { bytes })) => {
            first = None;
            bytes
        }
        _ => 0,
    };
    let pieces =
        stream::unfold((follower, first, place), |(mut follower, mut first, place)| async move {
            loop {
                let news = match first.take() {
                    Some(news) => news?,
                    None => follower.next().await?,
                };
                if let Some(piece) = shown(news) {
                    return Some((Ok::<_, Error>(piece), (follower, None, place)));
                }
            }
        });
    let response = plain(StatusCode::OK, Body::from_stream(pieces));
    with_header(response, BYTES_BEFORE, &bytes_before.to_string())
}

/// Returns what a reader sees of news; `None` if that is nothing.
fn shown(news: OutputNews) -> Option<Bytes> {
    match news {
        OutputNews::Output { bytes, .. } => Some(Bytes::from(bytes)),
        OutputNews::Missed { bytes } => {
            let line = format!("\n[{bytes} bytes are missing here: they came too fast]\n");
            Some(Bytes::from(line))
        }
        OutputNews::Progress(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_too_slow_sees_where_bytes_are_missing() {
        let written = shown(OutputNews::Output { offset: 7, bytes: b"x\n".to_vec() });
        assert_eq!(written.unwrap(), "x\n");
        let line = shown(OutputNews::Missed { bytes: 12 }).unwrap();
        assert_eq!(line, "\n[12 bytes are missing here: they came too fast]\n");
    }
}
