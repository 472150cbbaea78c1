//! Where an answer sends the request next.

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, StatusCode};
use url::Url;

use super::config::check_scheme;
use crate::kernel::time::StrconvQuoted;

/// A request that can be sent again elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The job's headers, and those of the run; those that the wire needs come later.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Returns the request to send next, if the answer asks for one.
///
/// 301, 302 and 303 turn every method but HEAD into GET and drop the body; 307 and 308 repeat the
/// request. Credentials, and what tells of the run, stay with the host they were meant for and its
/// subdomains, and do not go from https to http: whoever has the token of a run can pass for it. An
/// answer that names no place is final.
///
/// # Errors
///
/// The text the run fails with, when the place is no HTTP address.
pub(super) fn next_request(
    request: &Request,
    status: StatusCode,
    answer: &HeaderMap,
) -> Result<Option<Request>, String> {
    let keeps_method = match status.as_u16() {
        301..=303 => false,
        307 | 308 => true,
        _ => return Ok(None),
    };
    let Some(location) = answer.get(LOCATION) else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let url = request.url.join(&location).map_err(|error| {
        format!("failed to parse Location header {}: {error}", StrconvQuoted(&location))
    })?;
    check_scheme(&url)?;
    let mut next = request.clone();
    if !keeps_method {
        if next.method != Method::HEAD {
            next.method = Method::GET;
        }
        next.body = Bytes::new();
        remove_family(&mut next.headers, "content-");
    }
    let is_same_place = url.host_str() == request.url.host_str()
        && url.port_or_known_default() == request.url.port_or_known_default();
    if !is_same_place {
        next.headers.remove(HOST);
    }
    if !may_keep_credentials(&request.url, &url) {
        for name in [AUTHORIZATION, COOKIE, WWW_AUTHENTICATE] {
            next.headers.remove(name);
        }
        remove_family(&mut next.headers, "x-dkron-");
    }
    next.url = url;
    Ok(Some(next))
}

/// Removes the headers whose names begin with `prefix`.
fn remove_family(headers: &mut HeaderMap, prefix: &str) {
    let names = headers.keys().filter(|name| name.as_str().starts_with(prefix));
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// Returns whether what was meant for `from` may be shown to `to`.
fn may_keep_credentials(from: &Url, to: &Url) -> bool {
    let is_downgrade = from.scheme() == "https" && to.scheme() != "https";
    let (Some(from), Some(to)) = (from.host_str(), to.host_str()) else {
        return false;
    };
    let is_below = to.strip_suffix(from).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    is_below && !is_downgrade
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str) -> Request {
        let headers = [
            ("host", "override"),
            ("authorization", "secret"),
            ("cookie", "a=b"),
            ("content-type", "text/plain"),
            ("x-dkron-job", "a"),
            ("x-dkron-token", "77"),
            ("x-one", "1"),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Request {
            method: method.parse().unwrap(),
            url: Url::parse(url).unwrap(),
            headers: headers.into_iter().collect(),
            body: "body".into(),
        }
    }

    fn next(request: &Request, status: u16, location: &str) -> Result<Option<Request>, String> {
        let answer = [(LOCATION, location.parse().unwrap())].into_iter().collect();
        next_request(request, StatusCode::from_u16(status).unwrap(), &answer)
    }

    #[test]
    fn only_redirects_with_a_place_lead_on() {
        let request = request("GET", "http://a/b");
        for status in [200, 204, 300, 304, 305, 306, 400, 500] {
            assert_eq!(next(&request, status, "/c"), Ok(None), "{status}");
        }
        assert_eq!(next_request(&request, StatusCode::FOUND, &HeaderMap::new()), Ok(None));
    }

    #[test]
    fn the_method_stays_or_becomes_get() {
        let check = |method: &str, status: u16, want: &str, body: &str| {
            let next = next(&request(method, "http://a/b"), status, "/c").unwrap().unwrap();
            assert_eq!((next.method.as_str(), &next.body[..]), (want, body.as_bytes()));
            assert_eq!(next.headers.contains_key("content-type"), !body.is_empty());
            assert_eq!(next.headers["x-one"], "1");
        };
        for status in [301, 302, 303] {
            check("POST", status, "GET", "");
            check("DELETE", status, "GET", "");
            check("HEAD", status, "HEAD", "");
        }
        for status in [307, 308] {
            check("POST", status, "POST", "body");
        }
    }

    #[test]
    fn a_place_is_relative_to_the_last_one() {
        let check = |location: &str, want: &str| {
            let next = next(&request("GET", "http://a:81/b/c?d"), 302, location).unwrap().unwrap();
            assert_eq!(next.url.as_str(), want, "{location}");
        };
        check("/x?y", "http://a:81/x?y");
        check("x", "http://a:81/b/x");
        check("//z/", "http://z/");
        check("https://z/q", "https://z/q");
    }

    #[test]
    fn credentials_and_host_stay_where_they_belong() {
        let check = |from: &str, to: &str, keeps_credentials: bool, keeps_host: bool| {
            let next = next(&request("GET", from), 307, to).unwrap().unwrap();
            for name in ["authorization", "cookie", "x-dkron-job", "x-dkron-token"] {
                assert_eq!(next.headers.contains_key(name), keeps_credentials, "{from} {to}");
            }
            assert_eq!(next.headers.contains_key("host"), keeps_host, "{from} {to}");
            assert!(next.headers.contains_key("x-one"), "{from} {to}");
        };
        check("http://a.b/", "/x", true, true);
        check("http://a.b/", "http://a.b:81/", true, false);
        check("http://a.b/", "https://a.b/", true, false);
        check("http://a.b/", "http://c.a.b/", true, false);
        check("https://a.b/", "http://a.b/", false, false);
        check("http://a.b/", "http://xa.b/", false, false);
        check("http://a.b/", "http://b/", false, false);
    }

    #[test]
    fn a_place_that_is_no_http_address_is_told() {
        let request = request("GET", "http://a/b");
        let error = |location: &str| next(&request, 302, location).unwrap_err();
        assert_eq!(error("ftp://a/"), "unsupported protocol scheme \"ftp\"");
        assert_eq!(error("http://"), "failed to parse Location header \"http://\": empty host");
    }
}
