//! Texts that people write: files of settings, the settings of a job, backups.
//!
//! The first byte tells what the others are taken for.

use std::collections::BTreeMap;

use dkron_core::fuzzed::executor;
use dkron_server::config::{Opt, Origin, Settings, Sources};
use dkron_server::go_json::{Elements, ElementsError, value_end};
use tempfile::TempDir;

use crate::scratch;

/// The largest element of a backup here.
const ELEMENT_BYTES_MAX: usize = 64;

thread_local! {
    static DIRECTORY: TempDir = scratch::directory();
}

/// Hands the bytes behind the first to the reader that the first one names.
pub fn check(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        b'j' => configuration("dkron.json", data),
        b't' => configuration("dkron.toml", data),
        b'y' => configuration("dkron.yml", data),
        b's' => shell_config(data),
        b'b' => expected_body(data),
        b'r' => backup(data),
        _ => {}
    }
}

/// A configuration file is taken, or refused with a text that names it.
///
/// Not with anchors: what stands for something else multiplies it, and the file is the operator's.
fn configuration(name: &str, data: &[u8]) {
    if name.ends_with(".yml") && data.contains(&b'&') {
        return;
    }
    let path = DIRECTORY.with(|directory| scratch::write(directory.path(), name, data));
    let mut sources = Sources::default();
    let option = Opt::find("config").expect("there is such an option");
    sources.add(option, vec![path.display().to_string()], Origin::Flag);
    match Settings::load(sources, |_| None) {
        Ok(settings) => assert_eq!(settings.file, Some(path)),
        Err(faults) => assert!(faults.0.iter().all(|fault| !fault.is_empty()), "{faults:?}"),
    }
}

/// Lines of a key and its value, which may hold `\0` for an end of line.
fn shell_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut config: BTreeMap<String, String> =
        lines.map(|(key, value)| (key.to_owned(), value.replace('\0', "\n"))).collect();
    config.entry("command".to_owned()).or_default();
    executor::shell_config(&config);
}

/// A pattern, and behind the first end of line a body.
fn expected_body(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (pattern, body) = data.split_at(end);
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    executor::expected_body(pattern, body.get(1..).unwrap_or_default());
}

/// A backup is split into the same elements, or refused for the same reason, in whatever pieces it
/// arrives; if it is JSON, it is taken unless it is no array, or an element is too long.
fn backup(data: &[u8]) {
    let whole = split(data, usize::MAX);
    assert_eq!(split(data, 1), whole);
    assert_eq!(split(data, 5), whole);
    let is_json = value_end(data).is_ok_and(|end| data[end..].iter().all(is_blank));
    let is_array = data.iter().find(|byte| !is_blank(byte)) == Some(&b'[');
    match whole {
        Ok(elements) if is_json => {
            assert!(elements.iter().all(|element| value_end(element).is_ok()), "{elements:?}");
        }
        Err(ElementsError::NotAnArray) => assert!(!(is_json && is_array), "it is a JSON array"),
        _ => {}
    }
}

/// White space between values, by the standard of JSON.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn split(data: &[u8], piece_bytes: usize) -> Result<Vec<Vec<u8>>, ElementsError<()>> {
    let mut splitter = Elements::new(ELEMENT_BYTES_MAX);
    let mut elements = Vec::new();
    for piece in data.chunks(piece_bytes) {
        splitter.push(piece, |element| {
            elements.push(element.to_vec());
            Ok(())
        })?;
    }
    splitter.finish()?;
    Ok(elements)
}
