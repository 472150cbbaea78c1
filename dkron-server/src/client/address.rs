//! Where a node answers, as users write it: `host:port`, `:port`, `http://host:port/prefix`.

use std::fmt;

/// Port of the API when an address names none, as `dkron agent` has it.
const PORT_DEFAULT: u16 = 8080;

/// Port of a URL that names none.
const PORT_OF_URLS: u16 = 80;

/// Where a node is asked if nobody says otherwise.
pub(crate) const ADDRESS_DEFAULT: &str = "127.0.0.1:8080";

/// Where a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or IP address, the latter without brackets.
    pub(crate) host: String,
    /// Port of the API.
    pub(crate) port: u16,
    /// What a proxy puts before the paths of the API; empty, or begins with a slash.
    prefix: String,
}

impl Address {
    /// Reads an address. No host, or "any address" as a daemon listens on, is this machine.
    ///
    /// # Errors
    ///
    /// What is wrong, in words, and what would be accepted.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("\"{text}\" is no address of an API: {why}");
        let trimmed = text.trim();
        let (rest, port_default) = match trimmed.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (rest, PORT_OF_URLS),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(refused("https is not spoken here; give an http address behind it"));
            }
            Some(_) => return Err(refused("only http:// is spoken")),
            None => (trimmed, PORT_DEFAULT),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(refused("it must not hold a user or a password"));
        }
        if path.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#')) {
            return Err(refused("what follows the port must be a path"));
        }
        let (host, port) = split(authority).ok_or_else(|| refused("expected host:port"))?;
        let port = match port {
            None | Some("") => port_default,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| refused("the port must be a number within 1..=65535"))?,
        };
        let host = match host {
            "" | "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        if !host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%')) {
            return Err(refused("the host must be a name or an IP address"));
        }
        Ok(Self { host: host.to_owned(), port, prefix: path.trim_end_matches('/').to_owned() })
    }

    /// Returns another port of the same host.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port, prefix: String::new() }
    }

    /// Returns host and port as the `Host` header has them.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns the target of a request for `path`, which begins with a slash.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

/// The URL, without a slash at its end.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
    }
}

/// Splits a host, in brackets or not, and its port.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match authority.rsplit_once(':') {
        // More than one colon is an IPv6 address without brackets.
        Some((host, _)) if host.contains(':') => Some((authority, None)),
        Some((host, port)) => Some((host, Some(port))),
        None if authority.is_empty() => None,
        None => Some((authority, None)),
    }
}

/// Writes a text so that it can be a segment of a path, or a value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_users_write_them() {
        let check = |text: &str, want: &str| {
            assert_eq!(Address::parse(text).unwrap().to_string(), want, "{text}");
        };
        check(ADDRESS_DEFAULT, "http://127.0.0.1:8080");
        check(":8080", "http://127.0.0.1:8080");
        check("0.0.0.0:9000", "http://127.0.0.1:9000");
        check("[::]:9000", "http://[::1]:9000");
        check("node1", "http://node1:8080");
        check(" node1:81 ", "http://node1:81");
        check("::1", "http://[::1]:8080");
        check("HTTP://node1", "http://node1:80");
        check("http://node1:8080/", "http://node1:8080");
        check("http://proxy/dkron/", "http://proxy:80/dkron");
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_one() {
        let check = |text: &str, want: &str| {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(want) && error.contains(text), "{text}: {error}");
        };
        check("", "expected host:port");
        check("https://node1", "https is not spoken");
        check("ftp://node1", "only http://");
        check("node1:0", "within 1..=65535");
        check("node1:http", "within 1..=65535");
        check("http://u:p@node1", "user or a password");
        check("[::1", "expected host:port");
        check("a b:1", "name or an IP address");
        check("http://node1/a?b", "must be a path");
    }

    #[test]
    fn names_are_encoded_for_paths_and_queries() {
        assert_eq!(encode("a_b-1.x~"), "a_b-1.x~");
        assert_eq!(encode("a/ß?&"), "a%2F%C3%9F%3F%26");
    }
}
