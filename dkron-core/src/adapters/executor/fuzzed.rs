//! What the fuzzers feed: the texts in the settings of a job.

use std::collections::BTreeMap;

use super::http::BodySearch;
use super::shell::ShellConfig;

/// The settings of a shell job: read, or refused with a text.
///
/// # Panics
///
/// If a promise is broken.
pub fn shell_config(config: &BTreeMap<String, String>) {
    match ShellConfig::parse(config) {
        Ok(parsed) => assert_eq!(Some(&parsed.command), config.get("command"), "it is kept"),
        Err(text) => assert!(!text.is_empty(), "a refusal says what is wrong"),
    }
}

/// An `expectBody` and a body: whether it matches does not depend on the pieces that arrive.
///
/// # Panics
///
/// If it does.
pub fn expected_body(pattern: &str, body: &[u8]) {
    let found = |piece_bytes: usize| {
        let mut search = BodySearch::new(pattern)?;
        body.chunks(piece_bytes).for_each(|piece| search.feed(piece));
        Some(search.finish())
    };
    let whole = found(usize::MAX);
    assert_eq!(found(1), whole, "{pattern:?}");
    assert_eq!(found(3), whole, "{pattern:?}");
}
