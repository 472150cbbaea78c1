//! The output of an execution that has ended: it never changes, so parts of it can be asked for.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use dkron_core::{Execution, ExecutionOutput};

use super::range::Wanted;
use super::{BYTES_TOTAL, plain};
use crate::api::answer::with_header;

/// The answer to a request for all of an output, or for the part that its headers ask for.
pub(super) fn answer(
    execution: &Execution,
    output: ExecutionOutput,
    headers: &HeaderMap,
) -> Response {
    let bytes = output.bytes.len();
    // A token is given to one claim only, and what it left behind stays as it is.
    let tag = format!("\"{:x}-{bytes:x}\"", execution.token);
    let body = Bytes::from(output.bytes);
    let response = if is_known(headers, &tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        match wanted(headers, &tag, bytes) {
            Wanted::Whole => plain(StatusCode::OK, Body::from(body)),
            Wanted::Part(part) => {
                let place = format!("bytes {}-{}/{bytes}", part.start, part.end - 1);
                let response = plain(StatusCode::PARTIAL_CONTENT, Body::from(body.slice(part)));
                with_header(response, header::CONTENT_RANGE, &place)
            }
            Wanted::Missing => {
                let text = format!("there are {bytes} bytes\n");
                let response = plain(StatusCode::RANGE_NOT_SATISFIABLE, Body::from(text));
                with_header(response, header::CONTENT_RANGE, &format!("bytes */{bytes}"))
            }
        }
    };
    let response = with_header(response, header::ETAG, &tag);
    let response = with_header(response, header::ACCEPT_RANGES, "bytes");
    with_header(response, BYTES_TOTAL, &output.bytes_total.to_string())
}

/// Returns which part is wanted; all of it, if the one that the client has is another one.
fn wanted(headers: &HeaderMap, tag: &str, bytes: usize) -> Wanted {
    let is_the_same = headers.get(header::IF_RANGE).is_none_or(|known| known == tag);
    match values(headers, header::RANGE).as_deref() {
        Some(range) if is_the_same => Wanted::parse(range, bytes),
        _ => Wanted::Whole,
    }
}

/// Returns whether the client has it already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let Some(known) = values(headers, header::IF_NONE_MATCH) else { return false };
    let mut tags = known.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Returns what stands in all headers of a name, separated by commas.
fn values(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::HeaderValue;

    use super::*;
    use crate::api::executions::tests::execution;

    const TAG: &str = "\"1f-a\"";

    fn ask(headers: &[(HeaderName, &'static str)]) -> Response {
        let mut asked = HeaderMap::new();
        for (name, value) in headers {
            asked.append(name, HeaderValue::from_static(value));
        }
        let bytes = b"0123456789".to_vec();
        let run = execution(31, None);
        answer(&run, ExecutionOutput { bytes, bytes_total: 70 }, &asked)
    }

    #[track_caller]
    fn check(headers: &[(HeaderName, &'static str)], status: u16, place: Option<&str>) {
        let response = ask(headers);
        assert_eq!(response.status().as_u16(), status, "{headers:?}");
        let shown = response.headers().get(header::CONTENT_RANGE);
        assert_eq!(shown.and_then(|shown| shown.to_str().ok()), place, "{headers:?}");
        assert_eq!(response.headers()[header::ETAG], TAG);
        assert_eq!(response.headers()[header::ACCEPT_RANGES], "bytes");
        assert_eq!(response.headers()[BYTES_TOTAL], "70");
    }

    #[test]
    fn a_part_is_sent_with_its_place_and_what_is_not_there_is_refused_with_the_length() {
        check(&[], 200, None);
        check(&[(header::RANGE, "bytes=2-4")], 206, Some("bytes 2-4/10"));
        check(&[(header::RANGE, "bytes=-1")], 206, Some("bytes 9-9/10"));
        check(&[(header::RANGE, "bytes=10-")], 416, Some("bytes */10"));
        check(&[(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=3-4")], 200, None);
    }

    #[tokio::test]
    async fn a_part_holds_the_bytes_that_were_asked_for() {
        let response = ask(&[(header::RANGE, "bytes=2-4")]);
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "234");
    }

    #[test]
    fn a_part_is_sent_only_of_what_the_client_has_the_rest_of() {
        let range = (header::RANGE, "bytes=2-4");
        check(&[range.clone(), (header::IF_RANGE, TAG)], 206, Some("bytes 2-4/10"));
        check(&[range.clone(), (header::IF_RANGE, "\"other\"")], 200, None);
        check(&[range, (header::IF_RANGE, "Sun, 22 Nov 2026 01:00:00 GMT")], 200, None);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        check(&[(header::IF_NONE_MATCH, TAG), (header::RANGE, "bytes=2-4")], 304, None);
        check(&[(header::IF_NONE_MATCH, "\"a\", W/\"1f-a\"")], 304, None);
        check(&[(header::IF_NONE_MATCH, "*")], 304, None);
        check(&[(header::IF_NONE_MATCH, "\"a\"")], 200, None);
    }
}
