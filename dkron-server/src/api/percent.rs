//! Percent-encoding, as paths, queries and the headers that repeat them have it.

/// Decodes `%XX`; `None` if the digits are none. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(hex(digits)?);
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads two hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Encodes what may not stand in a path as it is, and leaves slashes alone.
pub(super) fn percent_encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            b'$' | b'&' | b'+' | b',' | b':' | b';' | b'=' | b'@' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_headers() {
        assert_eq!(percent_encode("/v1/jobs/a-ß"), "/v1/jobs/a-%C3%9F");
        assert_eq!(percent_encode("a b\n\"<"), "a%20b%0A%22%3C");
    }
}
