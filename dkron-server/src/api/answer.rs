//! Building answers: JSON, bare texts, and the statuses of failures.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use dkron_core::{Error, ErrorKind};

use super::query::Query;
use crate::go_json::{Layout, Writer};

/// What Dkron's lists carry: how many there are in all.
pub(super) const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// What the list of what runs carries: how many executions wait for a place on this node.
pub(super) const WAITING_COUNT: HeaderName = HeaderName::from_static("x-dkron-waiting-count");

/// What the answer to a failed write carries if the write may have taken effect all the same.
pub(super) const MAY_HAVE_HAPPENED: HeaderName =
    HeaderName::from_static("x-dkron-may-have-happened");

/// Returns the layout that a query asks for.
pub(super) fn layout(query: &Query) -> Layout {
    if query.has("pretty") { Layout::Indented } else { Layout::Compact }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    with_body(status, Body::empty())
}

/// A bare text, as Dkron sends with some of its errors.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    typed(status, "text/plain; charset=utf-8", Body::from(text.into()))
}

/// A JSON answer that `write` writes.
pub(super) fn json(
    status: StatusCode,
    layout: Layout,
    write: impl FnOnce(&mut Writer),
) -> Response {
    let mut writer = Writer::new(layout);
    write(&mut writer);
    json_body(status, Body::from(writer.take()))
}

/// A JSON answer with a body that is written already, or is being written.
pub(super) fn json_body(status: StatusCode, body: Body) -> Response {
    typed(status, "application/json; charset=utf-8", body)
}

/// The page of everything that is unknown.
pub(super) fn not_found_page() -> Response {
    typed(StatusCode::NOT_FOUND, "text/plain", Body::from("404 page not found"))
}

/// An answer of a media type.
pub(super) fn typed(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = with_body(status, body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn with_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Adds a header; a value that cannot stand in one is left out.
pub(super) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The answer to a failed write or read that Dkron has no status of its own for.
pub(super) fn failure(error: &Error) -> Response {
    failure_as(status_of(error.kind()), error)
}

/// The answer to a failure with the status of its route.
pub(super) fn failure_as(status: StatusCode, error: &Error) -> Response {
    let response = text(status, error.report());
    if error.may_have_happened() {
        return with_header(response, MAY_HAVE_HAPPENED, "true");
    }
    response
}

/// Returns the status of a kind, where the route has no other.
pub(super) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::NotLeader | ErrorKind::Unavailable | ErrorKind::Stopped => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::LimitExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a failed run, delete or toggle: `refused` is Dkron's one status for all reasons.
///
/// It is kept for what the request itself is refused for. A cluster that takes no writes at present
/// is told apart: a client that reads 404 takes the job for gone.
pub(super) fn refusal(refused: StatusCode, error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidArgument | ErrorKind::Conflict => refused,
        kind => status_of(kind),
    };
    failure_as(status, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_takes_no_writes_is_told_apart_from_a_refused_request() {
        let check = |kind: ErrorKind, want: u16| {
            let response = refusal(StatusCode::NOT_FOUND, &Error::new(kind, "delete job \"a\""));
            assert_eq!(response.status().as_u16(), want, "{kind}");
        };
        check(ErrorKind::NotFound, 404);
        check(ErrorKind::Conflict, 404);
        check(ErrorKind::NotLeader, 503);
        check(ErrorKind::Unavailable, 503);
        check(ErrorKind::DeadlineExceeded, 504);
        check(ErrorKind::LimitExceeded, 429);
        check(ErrorKind::DiskFull, 507);
        check(ErrorKind::Storage, 500);
    }

    #[test]
    fn a_failed_write_says_in_a_header_that_it_may_have_happened() {
        let error = || Error::new(ErrorKind::DeadlineExceeded, "propose");
        let header = |error| failure(&error).headers().get(MAY_HAVE_HAPPENED).cloned();
        assert_eq!(header(error()), None);
        assert_eq!(header(error().maybe_happened()).unwrap(), "true");
    }
}
