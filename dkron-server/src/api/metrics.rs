//! The page of metrics, in the format that a monitor asks for.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::Api;
use super::answer::{failure, not_found_page, typed};
use super::pieces::blocking;
use crate::metrics::Format;

/// Answers `GET /metrics`.
pub(super) async fn metrics(api: &Api, headers: &HeaderMap) -> Response {
    let Some(monitor) = api.monitor.clone() else { return not_found_page() };
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|accept| accept.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    // It reads the state, and the files of the process.
    match blocking(move || Ok(monitor.page(format))).await {
        Ok(page) => typed(StatusCode::OK, format.media_type(), Body::from(page)),
        Err(error) => failure(&error),
    }
}
