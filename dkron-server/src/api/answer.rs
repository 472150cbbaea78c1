//! Building answers: JSON, bare texts, and the statuses of failures.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use dkron_core::{Error, ErrorKind};

use super::query::Query;
use crate::go_json::{Layout, Writer};

/// What Dkron's lists carry: how many there are in all.
pub(super) const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

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
    text(status_of(error.kind()), error.report())
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
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a failed run or delete: Dkron has one status for all its reasons, 404.
///
/// What Dkron never tells (overload, a broken disk, a node that stops) keeps its own.
pub(super) fn refused(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::LimitExceeded
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Stopped
        | ErrorKind::Storage
        | ErrorKind::Internal => status_of(error.kind()),
        _ => StatusCode::NOT_FOUND,
    };
    text(status, error.report())
}
