//! What surrounds every answer: routing, redirects, the headers of the group, CORS, panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::FutureExt as _;

use super::answer::{empty, not_found_page, text, typed, with_header};
use super::percent::percent_encode;
use super::query::Query;
use super::route::{Resolved, Route, RouteId, methods_of, resolve};
use super::unread::may_stay_unread;
use super::{Api, handle};

/// Which node answered.
const WHOM: HeaderName = HeaderName::from_static("x-whom");

/// The path under which a proxy shows the API.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// How long a browser may remember what it asked, in seconds.
const PREFLIGHT_AGE_S: &str = "43200";

/// Makes the router: one entry, for the paths are matched as Dkron matches them.
pub(super) fn router(api: Arc<Api>) -> Router {
    // The handlers have limits of their own.
    Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(api)
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let request = may_stay_unread(request);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if method == Method::OPTIONS {
        return preflight(&api, &uri, request.headers());
    }
    match resolve(method.as_str(), uri.path()) {
        // Without metrics the path is like any other that nobody knows.
        Resolved::Route(Route { id: RouteId::Metrics, .. }) if api.monitor.is_none() => {
            not_found_page()
        }
        Resolved::Route(route) => serve_route(api, route, request).await,
        Resolved::Redirect(path) => redirect(&method, &path, uri.query(), request.headers()),
        Resolved::Unknown => not_found_page(),
        Resolved::Malformed => text(StatusCode::BAD_REQUEST, "400 Bad Request"),
    }
}

async fn serve_route(api: Arc<Api>, route: Route, request: Request) -> Response {
    let is_in_group = route.is_in_group();
    let is_cross_origin = is_cross_origin(request.headers());
    let node = api.node_name().to_owned();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let answered = AssertUnwindSafe(handle(api, route, query, request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!("api: a request ended in a panic; please report it");
        empty(StatusCode::INTERNAL_SERVER_ERROR)
    });
    if !is_in_group {
        return response;
    }
    if is_cross_origin {
        let any = HeaderValue::from_static("*");
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, any);
    }
    with_header(response, WHOM, &percent_encode(&node))
}

/// Returns whether a page of another origin asks.
fn is_cross_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return false;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    !origin.is_empty() && origin.split_once("://").is_none_or(|(_, of_origin)| of_origin != host)
}

/// Answers a browser that asks what it may send.
fn preflight(api: &Api, uri: &Uri, headers: &HeaderMap) -> Response {
    if uri.path() == "*" {
        return empty(StatusCode::OK);
    }
    let methods = methods_of(uri.path());
    if methods.is_empty() || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return not_found_page();
    }
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok()).unwrap_or("*");
    let answers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", ")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, wanted),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S),
        (WHOM, &percent_encode(api.node_name())),
    ];
    let response = empty(StatusCode::NO_CONTENT);
    answers.into_iter().fold(response, |response, (name, value)| with_header(response, name, value))
}

/// Sends a client to the path without its last slash; the method is kept.
fn redirect(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Response {
    let prefix = headers.get(FORWARDED_PREFIX).and_then(|prefix| prefix.to_str().ok());
    let mut location = safe_prefix(prefix.unwrap_or_default()) + &percent_encode(path);
    if let Some(query) = query {
        location = location + "?" + query;
    }
    let response = if method == Method::GET {
        let shown = location.replace('&', "&amp;").replace('"', "&#34;").replace('<', "&lt;");
        let page = format!("<a href=\"{shown}\">Moved Permanently</a>.\n\n");
        typed(StatusCode::MOVED_PERMANENTLY, "text/html; charset=utf-8", Body::from(page))
    } else {
        empty(StatusCode::TEMPORARY_REDIRECT)
    };
    with_header(response, header::LOCATION, &location)
}

/// Keeps of a prefix what can only be a path on this host.
fn safe_prefix(prefix: &str) -> String {
    let is_safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/');
    let mut safe: String = prefix.chars().filter(is_safe).collect();
    while safe.contains("//") {
        safe = safe.replace("//", "/");
    }
    safe.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn an_origin_is_another_one_unless_it_is_the_host() {
        let with = |origin| headers(&[(header::ORIGIN, origin), (header::HOST, "n1:8080")]);
        assert!(is_cross_origin(&with("http://ui.example.org")));
        assert!(is_cross_origin(&with("null")));
        assert!(!is_cross_origin(&with("http://n1:8080")));
        assert!(!is_cross_origin(&headers(&[(header::HOST, "n1:8080")])));
    }

    #[test]
    fn redirects_keep_query_and_prefix() {
        let with = headers(&[(FORWARDED_PREFIX, "/dkron//")]);
        let response = redirect(&Method::GET, "/v1/jobs", Some("a=1&b=2"), &with);
        assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
        assert_eq!(response.headers()[header::LOCATION], "/dkron/v1/jobs?a=1&b=2");

        let response = redirect(&Method::POST, "/v1/jobs/ß", None, &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(response.headers()[header::LOCATION], "/v1/jobs/%C3%9F");
    }

    #[test]
    fn a_prefix_cannot_lead_to_another_host() {
        assert_eq!(safe_prefix("//evil.example.org"), "/evilexampleorg");
        assert_eq!(safe_prefix("javascript:x"), "javascriptx");
    }
}
