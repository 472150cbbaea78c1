//! The keys of the http executor.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::IntErrorKind;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use url::Url;

use super::headers::{HeadersError, parse_headers};
use super::tls::TlsKeys;
use crate::kernel::model::parse_go_bool;
use crate::kernel::time::StrconvQuoted;

/// The longest a request may take, unless the job says otherwise.
const TIMEOUT_DEFAULT_S: u64 = 30;

/// What to send, and what to expect.
#[derive(Clone, Debug)]
pub(super) struct HttpConfig {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The longest the whole request may take, redirects and body included; `None` = no limit.
    pub(super) timeout: Option<Duration>,
    /// The list of accepted status codes as its author wrote it.
    pub(super) expect_code: Option<String>,
    /// The pattern that the body must match, in Go's dialect.
    pub(super) expect_body: Option<String>,
    pub(super) tls: TlsKeys,
    /// What the output begins with.
    pub(super) preface: String,
}

impl HttpConfig {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// The text the run fails with.
    pub(super) fn parse(config: &BTreeMap<String, String>) -> Result<Self, String> {
        let key = |name: &str| config.get(name).filter(|value| !value.is_empty());
        let mut preface = String::new();
        if key("debug").is_some() {
            preface.push_str(&debug_line(config));
        }
        let url = key("url").ok_or("url is empty")?;
        let method = key("method").ok_or("method is empty")?;
        let timeout = timeout(key("timeout").map(String::as_str), &mut preface);
        let tls = TlsKeys {
            is_peer_trusted: flag("tlsNoVerifyPeer", key("tlsNoVerifyPeer"), &mut preface),
            certificate: key("tlsCertificateFile").map(Into::into),
            key: key("tlsCertificateKeyFile").map(Into::into),
            roots: key("tlsRootCAsFile").map(Into::into),
        };
        Ok(Self {
            url: parse_url(url)?,
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("net/http: invalid method {}", StrconvQuoted(method)))?,
            headers: headers(key("headers").map(String::as_str), &mut preface)?,
            body: key("body").cloned().unwrap_or_default().into(),
            timeout,
            expect_code: key("expectCode").cloned(),
            expect_body: key("expectBody").cloned(),
            tls,
            preface,
        })
    }
}

/// Shows the configuration as Go prints a map.
fn debug_line(config: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(key, value)| format!("{}:{}", StrconvQuoted(key), StrconvQuoted(value)))
        .collect();
    format!("Config: map[string]string{{{}}}\n", entries.join(", "))
}

/// Reads `url`: absolute, http or https.
fn parse_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("parse {}: {error}", StrconvQuoted(text)))?;
    check_scheme(&url)?;
    Ok(url)
}

/// Refuses what is not HTTP.
pub(super) fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(format!("unsupported protocol scheme {}", StrconvQuoted(other))),
    }
}

/// Reads `timeout`, in seconds; zero and less mean none, what is no number means the default.
fn timeout(text: Option<&str>, preface: &mut String) -> Option<Duration> {
    let seconds = match text.map(str::parse::<i64>) {
        None => TIMEOUT_DEFAULT_S,
        Some(Ok(seconds)) => u64::try_from(seconds).unwrap_or(0),
        Some(Err(error)) => {
            let text = StrconvQuoted(text.unwrap_or_default()).to_string();
            let reason = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let _ = writeln!(
                preface,
                "Warning: invalid timeout value: {text} not understood (strconv.Atoi: parsing \
                 {text}: {reason}), using default value of {TIMEOUT_DEFAULT_S}."
            );
            TIMEOUT_DEFAULT_S
        }
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Reads a truth value; what is none means false, and is warned of.
fn flag(name: &str, text: Option<&String>, preface: &mut String) -> bool {
    let Some(text) = text else {
        return false;
    };
    parse_go_bool(text).unwrap_or_else(|| {
        let text = StrconvQuoted(text);
        let _ = writeln!(
            preface,
            "Warning: invalid {name} value: {text} is neither true nor false, using false."
        );
        false
    })
}

/// Reads `headers`; what is no list is warned of, and sent without.
fn headers(text: Option<&str>, preface: &mut String) -> Result<HeaderMap, String> {
    match text.map(parse_headers) {
        None => Ok(HeaderMap::new()),
        Some(Ok(headers)) => Ok(headers),
        Some(Err(HeadersError::NotAList)) => {
            preface.push_str("Error: parsing headers failed\n");
            Ok(HeaderMap::new())
        }
        Some(Err(error)) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &[(&str, &str)]) -> Result<HttpConfig, String> {
        let base = [("url", "http://a/b"), ("method", "GET")];
        let keys = base.iter().chain(keys).map(|(key, value)| ((*key).into(), (*value).into()));
        HttpConfig::parse(&keys.collect())
    }

    #[track_caller]
    fn check_error(keys: &[(&str, &str)], want: &str) {
        assert_eq!(parse(keys).map(|config| config.url), Err(want.to_owned()));
    }

    #[test]
    fn url_and_method_are_needed() {
        check_error(&[("url", "")], "url is empty");
        check_error(&[("url", ""), ("method", "")], "url is empty");
        check_error(&[("method", "")], "method is empty");
    }

    #[test]
    fn what_is_no_address_or_method_is_told() {
        check_error(&[("url", "a/b")], "parse \"a/b\": relative URL without a base");
        check_error(&[("url", "http://")], "parse \"http://\": empty host");
        check_error(&[("url", "ftp://a/b")], "unsupported protocol scheme \"ftp\"");
        check_error(&[("method", "G ET")], "net/http: invalid method \"G ET\"");
        assert_eq!(parse(&[("method", "purge")]).unwrap().method.as_str(), "purge");
    }

    #[test]
    fn a_timeout_is_in_seconds_and_thirty_unless_given() {
        let check = |text: &str, want: Option<u64>, preface: &str| {
            let config = parse(&[("timeout", text)]).unwrap();
            assert_eq!(config.timeout, want.map(Duration::from_secs), "{text:?}");
            assert_eq!(config.preface, preface, "{text:?}");
        };

        check("", Some(30), "");
        check("5", Some(5), "");
        check("+5", Some(5), "");
        check("0", None, "");
        check("-1", None, "");
        check(
            "soon",
            Some(30),
            "Warning: invalid timeout value: \"soon\" not understood (strconv.Atoi: parsing \
             \"soon\": invalid syntax), using default value of 30.\n",
        );
        check(
            "99999999999999999999",
            Some(30),
            "Warning: invalid timeout value: \"99999999999999999999\" not understood \
             (strconv.Atoi: parsing \"99999999999999999999\": value out of range), using default \
             value of 30.\n",
        );
    }

    #[test]
    fn debug_shows_the_configuration_first() {
        let config = parse(&[("debug", "true"), ("timeout", "x"), ("body", "a\"b\n")]).unwrap();
        let want = "Config: map[string]string{\"body\":\"a\\\"b\\n\", \"debug\":\"true\", \
                    \"method\":\"GET\", \"timeout\":\"x\", \"url\":\"http://a/b\"}\nWarning: ";
        assert!(config.preface.starts_with(want), "{}", config.preface);
    }

    #[test]
    fn tls_keys_are_read_and_a_bad_flag_is_warned_of() {
        let config = parse(&[("tlsNoVerifyPeer", "T"), ("tlsRootCAsFile", "/ca.pem")]).unwrap();
        assert!(config.tls.is_peer_trusted);
        assert_eq!(config.tls.roots, Some("/ca.pem".into()));

        let config = parse(&[("tlsNoVerifyPeer", "yes")]).unwrap();
        assert!(!config.tls.is_peer_trusted);
        assert_eq!(
            config.preface,
            "Warning: invalid tlsNoVerifyPeer value: \"yes\" is neither true nor false, using \
             false.\n"
        );
    }

    #[test]
    fn headers_that_are_no_list_are_warned_of_and_a_bad_entry_fails() {
        let config = parse(&[("headers", "X-One: 1")]).unwrap();
        assert_eq!(config.preface, "Error: parsing headers failed\n");
        assert!(config.headers.is_empty());
        check_error(
            &[("headers", "[\"NoColonHere\"]")],
            "headers: \"NoColonHere\" has no colon; write each entry as \"Name: value\"",
        );
    }
}
