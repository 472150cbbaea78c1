//! `GET /v1/events`: what happens on this node, as server-sent events.
//!
//! Dkron has no such route. It tells changes of jobs, starts, outputs and ends of executions, and
//! skips; each event has an id to go on from.
//!
//! # Where to begin reading
//!
//! [`listen`] answers a request with a `listener`, which reads the `ring` that a `collector` fills;
//! `hub` brings them together.
//!
//! # Invariants
//!
//! * An event is written once, whoever listens; a listener holds its position and no events.
//! * Nobody waits for a listener: neither the node, nor another one. Who is too slow is told of a
//!   `gap`, and so is who comes back too late, or to another process.
//! * As long as nobody listens, nothing is collected.

mod collector;
mod data;
mod filter;
mod gap;
mod hub;
mod listener;
mod position;
mod ring;
mod tails;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;

use self::filter::Filter;
pub(super) use self::hub::EventHub;
use super::Api;
use super::answer::{failure, text, typed, with_header};
use super::query::Query;

/// What a browser sends that comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Asks a proxy not to hold back what has been sent.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers `GET /v1/events`.
pub(super) fn listen(api: &Api, query: &Query, headers: &HeaderMap) -> Response {
    let filter = match Filter::parse(query) {
        Ok(filter) => filter,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    // What is no text is no id either. The header is the newer one: a browser keeps the query.
    let header = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?"));
    let from = header.or(query.get("last_event_id")).map(str::trim).filter(|id| !id.is_empty());
    let listener = match api.streams.events().listen(&api.cluster, filter, from) {
        Ok(Some(listener)) => listener,
        Ok(None) => {
            let why = "as many listen as may: try again later";
            return text(StatusCode::SERVICE_UNAVAILABLE, why);
        }
        Err(error) => return failure(&error),
    };
    let response = typed(StatusCode::OK, "text/event-stream", listener.into_body());
    let response = with_header(response, header::CACHE_CONTROL, "no-cache");
    with_header(response, NO_BUFFERING, "no")
}

#[cfg(test)]
#[path = "listen_test.rs"]
mod tests;
