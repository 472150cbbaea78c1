//! Architecture invariant A1: the kernel touches nothing of the world.

use super::Finding;
use super::module_paths::trees;
use super::source::Source;

/// Where the kernel lies.
const KERNEL: &str = "dkron-core/src/kernel/";

/// Paths of the standard library that reach the world, or whose order is not defined.
const PATHS: &[(&str, &str)] = &[
    ("std::time::SystemTime", "take the instant as an argument"),
    ("std::time::Instant", "take the instant as an argument"),
    ("std::fs", "let an adapter read it and pass it in"),
    ("std::io", "let an adapter read it and pass it in"),
    ("std::env", "let the configuration pass it in"),
    ("std::net", "let an adapter do it"),
    ("std::process", "let an adapter do it"),
    ("std::thread", "return an effect; the driver owns threads and tasks"),
    ("std::sync::mpsc", "return an effect; the driver owns queues"),
    ("std::collections::HashMap", "its order differs between nodes; use BTreeMap"),
    ("std::collections::HashSet", "its order differs between nodes; use BTreeSet"),
    ("std::hash::RandomState", "it differs between nodes; use an ordered collection"),
];

/// Words of the language and of crates that the kernel must not know.
const WORDS: &[(&str, &str)] = &[
    ("async", "the kernel is synchronous; return an effect"),
    ("await", "the kernel is synchronous; return an effect"),
    ("HashMap", "its order differs between nodes; use BTreeMap"),
    ("HashSet", "its order differs between nodes; use BTreeSet"),
    ("tokio::", "the kernel has no runtime; return an effect"),
    ("tracing::", "return the reason as data; the driver logs it"),
    ("heed::", "use the table trait of kernel::state"),
    ("openraft::", "only adapters::consensus knows it"),
    ("Utc::now", "take the instant as an argument"),
    ("Local::now", "take the instant as an argument"),
    ("println!", "return the reason as data"),
    ("eprintln!", "return the reason as data"),
    ("dbg!", "return the reason as data"),
    ("thread_local!", "state is passed in and handed back"),
];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.path.starts_with(KERNEL) {
        return findings;
    }
    let mut find = |at: usize, what: &str, instead: &str| {
        if !source.is_test(at) {
            let text = format!("{what} in the kernel (A1); {instead}");
            findings.push(Finding::new(source.path, source.line_of(at), text));
        }
    };
    for (at, path) in trees(source, "std").into_iter().chain(trees(source, "core")) {
        let path = format!("std::{}", path.join("::"));
        let within = |banned: &str| path == banned || path.starts_with(&format!("{banned}::"));
        for (banned, instead) in PATHS.iter().filter(|(banned, _)| within(banned)) {
            find(at, banned, instead);
        }
    }
    for (word, instead) in WORDS {
        for at in source.find(word) {
            find(at, word.trim_end_matches(':'), instead);
        }
    }
    findings.sort();
    findings.dedup_by(|a, b| a.line == b.line);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, want: &[&str]) {
        let found: Vec<String> =
            check(&Source::new(path, text)).iter().map(|f| f.text.clone()).collect();
        assert_eq!(found.len(), want.len(), "{text}: {found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{text}: {found}");
        }
    }

    #[test]
    fn the_world_is_refused_in_the_kernel_only() {
        let file = "dkron-core/src/kernel/a.rs";
        check_text(file, "use std::time::{Duration, Instant};", &["std::time::Instant in"]);
        check_text(file, "use std::time::Duration;", &[]);
        check_text(file, "let x = std::env::var(y);", &["std::env in"]);
        check_text(file, "use std::collections::HashMap;", &["HashMap in"]);
        check_text(file, "use std::{fs, fmt};", &["std::fs in"]);
        check_text(file, "async fn f() {}", &["async in"]);
        check_text(file, "// async, HashMap, tokio::spawn", &[]);
        check_text(file, "#[cfg(test)]\nmod t { use std::fs; }", &[]);
        check_text("dkron-core/src/driver/a.rs", "use std::fs;", &[]);
    }
}
