//! `dkron keygen`: a new key for the traffic between nodes.

use std::process::ExitCode;

use base64::Engine as _;
use clap::Command;

use super::{FAILED, answer};
use crate::terminal::complain;

/// Bytes of a key: AES-128, as Dkron's.
const KEY_BYTES: usize = 16;

pub(super) fn command() -> Command {
    Command::new("keygen").about("Generates a new encryption key").after_help(
        "Generates a new encryption key: 16 random bytes in base64, on one line of stdout.",
    )
}

pub(super) fn run() -> ExitCode {
    match key() {
        Some(key) => answer(key),
        None => {
            complain("the system gives no random bytes");
            ExitCode::from(FAILED)
        }
    }
}

fn key() -> Option<String> {
    let mut bytes = [0; KEY_BYTES];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_sixteen_bytes_and_differ() {
        let (one, other) = (key().unwrap(), key().unwrap());
        assert_ne!(one, other);
        let bytes = base64::engine::general_purpose::STANDARD.decode(one).unwrap();
        assert_eq!(bytes.len(), KEY_BYTES);
    }
}
