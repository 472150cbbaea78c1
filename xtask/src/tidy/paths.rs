//! What a file's place says about it.

use std::path::Path;

/// Returns `path` as text with `/` between its parts.
pub fn text(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Returns whether the file holds data that no rule of style can apply to.
pub fn is_data(path: &str) -> bool {
    let first = path.split('/').next();
    first == Some("LICENSE-APACHE")
        || path.split('/').any(|part| part == "corpus" || part == "seeds")
        || path.ends_with(".lock")
        || path.ends_with(".jsonl")
        || path.ends_with(".svg")
}

/// Returns whether the whole file is test code by its place; a `#[cfg(test)]` before its `mod` is
/// another way.
pub fn is_test(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    path.ends_with("_test.rs")
        || parts.any(|part| matches!(part, "tests" | "testing" | "benches"))
        || path.starts_with("tests/")
}
