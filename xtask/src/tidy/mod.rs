//! Rules of the repository that neither the compiler nor clippy can state.
//!
//! Every rule is one file and one function from a file's text to findings. A finding names the
//! place, what is wrong, and what to do instead.
//!
//! # Where to begin reading
//!
//! [`check`] walks the tree and asks every rule. [`source`] prepares Rust files: comments and texts
//! blanked out, test code marked. [`layers`] enforces the tables of ARCHITECTURE.md.

mod kernel;
mod layers;
mod links;
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

use anyhow::{Result, bail};

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
    let mut findings = Vec::new();
    let files = workspace::files(root)?;
    let names: Vec<String> = files.iter().map(|file| paths::text(file)).collect();
    let layers = layers::Layers::read(root)?;

    for (file, name) in files.iter().zip(&names) {
        let Ok(text) = fs::read(root.join(file)).map(String::from_utf8) else {
            bail!("read {name}");
        };
        // What is not UTF-8 is data: a picture, a seed of a fuzzer.
        let Ok(text) = text else { continue };
        if paths::is_data(name) {
            continue;
        }
        findings.extend(words::check(name, &text));
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => {
                let source = Source::new(name, &text);
                findings.extend(shape::check(&source));
                findings.extend(panics::check(&source));
                findings.extend(kernel::check(&source));
                findings.extend(layers.check(&source));
            }
            Some("md") => {
                findings.extend(links::check(root, name, &text));
                findings.extend(prose::check(name, &text));
            }
            _ => {}
        }
    }
    findings.sort();
    Ok(findings)
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
