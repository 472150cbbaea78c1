//! The headers that a job sets.

use hyper::HeaderMap;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING};

use crate::kernel::time::StrconvQuoted;

/// Headers that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadersError {
    /// Not a JSON array of strings.
    #[error("headers are not a JSON array of strings")]
    NotAList,
    /// An entry does not name its header.
    #[error("headers: {} has no colon; write each entry as \"Name: value\"", StrconvQuoted(.0))]
    NoColon(String),
    /// The name is not one.
    #[error("headers: {} is no header name", StrconvQuoted(.0))]
    Name(String),
    /// The value holds a line end or another control character.
    #[error("headers: the value of {} holds a control character", StrconvQuoted(.0))]
    Value(String),
}

/// Reads a JSON array of `"Name: value"`.
///
/// The name ends at the first colon; blanks around name and value do not count; empty entries are
/// passed over. Headers of one name are all kept, in order. What the length of the body and its
/// encoding on the wire are is not for the job to say: `Content-Length`, `Transfer-Encoding` and
/// `Trailer` are passed over.
pub(super) fn parse_headers(json: &str) -> Result<HeaderMap, HeadersError> {
    let entries: Option<Vec<String>> =
        serde_json::from_str(json).map_err(|_| HeadersError::NotAList)?;
    let mut headers = HeaderMap::new();
    for entry in entries.unwrap_or_default() {
        if entry.trim().is_empty() {
            continue;
        }
        let Some((name, value)) = entry.split_once(':') else {
            return Err(HeadersError::NoColon(entry));
        };
        let (name, value) = (name.trim(), value.trim());
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| HeadersError::Name(name.to_owned()))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| HeadersError::Value(name.to_owned()))?;
        if ![CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER].contains(&parsed) {
            headers.try_append(parsed, value).map_err(|_| HeadersError::NotAList)?;
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, want: &[(&str, &str)]) {
        let headers = parse_headers(json).unwrap();
        let got: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(got, want, "{json}");
    }

    #[test]
    fn a_value_may_hold_colons() {
        check(r#"["X-Link: http://a/b"]"#, &[("x-link", "http://a/b")]);
        check(r#"["X-At:12:30:45", " X-B : c "]"#, &[("x-at", "12:30:45"), ("x-b", "c")]);
    }

    #[test]
    fn headers_of_one_name_are_all_kept() {
        check(r#"["X-One: 1", "x-one: 2"]"#, &[("x-one", "1"), ("x-one", "2")]);
    }

    #[test]
    fn empty_entries_and_lists_are_fine() {
        check(r#"["", "  ", "X-One: 1", "X-Two:"]"#, &[("x-one", "1"), ("x-two", "")]);
        check("[]", &[]);
        check("null", &[]);
    }

    #[test]
    fn what_is_computed_is_passed_over() {
        check(r#"["Content-Length: 5", "Transfer-Encoding: chunked", "Trailer: a"]"#, &[]);
    }

    #[test]
    fn what_cannot_be_sent_is_told() {
        let check = |json: &str, want: &str| {
            assert_eq!(parse_headers(json).unwrap_err().to_string(), want, "{json}");
        };
        for json in ["X-One: 1", "{\"a\":\"b\"}", "[1]", "[\"a: b\"", "\"a: b\""] {
            check(json, "headers are not a JSON array of strings");
        }
        check(
            r#"["NoColonHere"]"#,
            "headers: \"NoColonHere\" has no colon; write each entry as \"Name: value\"",
        );
        check(r#"["X One: 1"]"#, "headers: \"X One\" is no header name");
        check(r#"[": 1"]"#, "headers: \"\" is no header name");
        check(r#"["A: b\nc: d"]"#, "headers: the value of \"A\" holds a control character");
    }
}
