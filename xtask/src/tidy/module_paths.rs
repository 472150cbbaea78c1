//! Which modules a file names: every path into its crate, however it is written.
//!
//! `use crate::{a, b::{c}}`, `super::a` and inline paths alike; one path for each leaf.
//!
//! # Where to begin reading
//!
//! [`used_paths`].

use super::source::Source;

/// A path of modules: `kernel::state` is `["kernel", "state"]`.
pub type ModulePath = Vec<String>;

/// Returns every path into this crate, from its root, with the place where it starts.
pub(super) fn used_paths(source: &Source, own: &[String]) -> Vec<(usize, ModulePath)> {
    let mut found = trees(source, "crate");
    for (at, path) in trees(source, "super") {
        if source.code[..at].ends_with("super::") {
            continue;
        }
        let ups = 1 + path.iter().take_while(|part| *part == "super").count();
        let mut full = own[..own.len().saturating_sub(ups)].to_vec();
        full.extend(path.into_iter().skip(ups - 1));
        if !full.is_empty() {
            found.push((at, full));
        }
    }
    found
}

/// Returns every path that starts with the word `root`, without it: one for each leaf of a tree.
pub fn trees(source: &Source, root: &str) -> Vec<(usize, ModulePath)> {
    let mut found = Vec::new();
    for at in source.find(&format!("{root}::")) {
        // `$crate::` belongs to whoever uses the macro; `x::std::` is no root.
        if source.code[..at].ends_with(['$', ':']) && !source.code[..at].ends_with("super::") {
            continue;
        }
        let mut leaves = Vec::new();
        leaves_of(&source.code[at + root.len() + 2..], &mut Vec::new(), &mut leaves);
        found.extend(leaves.into_iter().map(|leaf| (at, leaf)));
    }
    found
}

/// Reads `a::{b, c::d}` from the start of `code`; returns how many bytes that took.
fn leaves_of(code: &str, prefix: &mut ModulePath, leaves: &mut Vec<ModulePath>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    loop {
        at += blanks(&code[at..]);
        if code[at..].starts_with('{') {
            at += 1;
            while at < code.len() {
                at += blanks(&code[at..]);
                match code[at..].chars().next() {
                    Some('}') => break,
                    Some(',') => at += 1,
                    _ => {
                        let read = leaves_of(&code[at..], prefix, leaves);
                        // A group that is no list of paths ends here.
                        if read == 0 {
                            break;
                        }
                        at += read;
                    }
                }
            }
            at += usize::from(at < code.len());
            prefix.truncate(depth);
            return at;
        }
        let name = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'));
        let name = &code[at..at + name.unwrap_or(code.len() - at)];
        if name.is_empty() {
            break;
        }
        at += name.len();
        if name != "self" && name != "*" {
            prefix.push(name.to_owned());
        }
        if !code[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    // An alias: `a as b`.
    if code[at..].starts_with(" as ") {
        let alias = code[at + 4..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        at += 4 + alias.unwrap_or(0);
    }
    leaves.push(prefix.clone());
    prefix.truncate(depth);
    at
}

fn blanks(code: &str) -> usize {
    code.len() - code.trim_start().len()
}
