//! Rules of the repository that neither the compiler nor clippy can state.
//!
//! Every rule is one file and one function from a file's text to findings. A finding names the
//! place, what is wrong, and what to do instead.
//!
//! # Where to begin reading
//!
//! [`check`] walks the tree and asks every rule. [`source`] prepares Rust files: comments and texts
//! blanked out, test code marked. [`layers`] enforces the tables of ARCHITECTURE.md.

mod documents;
mod kernel;
mod layers;
mod links;
mod log_lines;
mod module_paths;
mod panics;
mod paths;
mod prose;
mod shape;
mod source;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::stage::{Context, Outcome};
use crate::workspace;
use source::Source;

const HELP: &str = "\
Check style, layering and links. Prints `path:line: what is wrong; what to do instead`.

Usage: cargo xtask tidy
";

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    /// `line` counts from 1; `text` says what is wrong and, after a semicolon, what to do instead.
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    if Args::parse(words, &[], HELP)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let findings = check(&workspace::root())?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The same as a stage of `ci`.
pub fn stage(_: &Context) -> Result<Outcome> {
    let findings = check(&workspace::root())?;
    for finding in &findings {
        println!("      {finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    Ok(Outcome::default())
}

/// Returns every finding in the tree at `root`, in the order of path and line.
fn check(root: &Path) -> Result<Vec<Finding>> {
    let texts = texts(root)?;
    let layers = layers::Layers::read(root)?;

    let mut findings = Vec::new();
    for (path, text) in &texts {
        findings.extend(words::check(path, text));
        if path.ends_with(".md") {
            findings.extend(links::check(root, path, text));
            findings.extend(prose::check(path, text));
        }
    }
    for source in sources(&texts) {
        findings.extend(shape::check(&source));
        findings.extend(panics::check(&source));
        findings.extend(log_lines::check(&source));
        findings.extend(kernel::check(&source));
        findings.extend(layers.check(&source));
    }
    findings.extend(documents::check(&texts));
    findings.sort();
    Ok(findings)
}

/// Reads every file that rules of style apply to.
fn texts(root: &Path) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for file in workspace::files(root)? {
        let path = paths::text(&file);
        if paths::is_data(&path) {
            continue;
        }
        let bytes = fs::read(root.join(&file)).with_context(|| format!("read {path}"))?;
        // What is not UTF-8 is data too: a picture.
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push((path, text));
        }
    }
    Ok(texts)
}

/// Prepares the Rust files; a file that only test code declares is test code.
fn sources(texts: &[(String, String)]) -> Vec<Source<'_>> {
    let files = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut sources: Vec<Source> = files.map(|(path, text)| Source::new(path, text)).collect();
    let mut open: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    while let Some(module) = open.pop() {
        let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
        for source in sources.iter_mut().filter(|source| files.iter().any(|f| f == source.path)) {
            if !source.is_test(0) {
                source.mark_as_test();
                open.extend(source.test_modules());
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let findings = check(&workspace::root()).unwrap();

        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
