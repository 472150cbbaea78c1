//! Checked-in files that are made from other files: what makes each, and whether it is fresh.
//!
//! A generator is a pure function of sources in the tree. To add one, add a row to [`FILES`].

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::stage::{Context, Outcome};
use crate::workspace;

/// One generated file.
struct Generated {
    /// Where it lies, from the root of the repository.
    path: &'static str,
    /// The file it is made from.
    source: &'static str,
    /// Makes its whole content from that of the source.
    make: fn(&str) -> Result<String>,
}

const FILES: &[Generated] = &[
    Generated {
        path: "docs/reference/limits.md",
        source: "dkron-core/src/limits.rs",
        make: limits,
    },
    Generated { path: "docs/reference/errors.md", source: "dkron-core/src/error.rs", make: errors },
];

/// Fails if a generated file is not what its generator makes now.
pub fn stage(_: &Context) -> Result<Outcome> {
    let stale: Vec<&str> = changed()?.iter().map(|(file, _)| file.path).collect();
    if !stale.is_empty() {
        bail!("not fresh: {}; run `cargo xtask fix --generated`", stale.join(", "));
    }
    Ok(Outcome::default())
}

/// Writes every generated file that is not fresh.
pub fn write() -> Result<()> {
    for (file, text) in changed()? {
        let path = full(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", file.path))?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

fn changed() -> Result<Vec<(&'static Generated, String)>> {
    let mut changed = Vec::new();
    for file in FILES {
        let source = fs::read_to_string(full(file.source))
            .with_context(|| format!("read {}", file.source))?;
        let text = (file.make)(&source).with_context(|| format!("make {}", file.path))?;
        if fs::read_to_string(full(file.path)).ok().as_deref() != Some(&text) {
            changed.push((file, text));
        }
    }
    Ok(changed)
}

fn full(path: &str) -> PathBuf {
    workspace::root().join(path)
}

/// An item with its doc comment, as the generators read it.
struct Item {
    /// The paragraphs of the doc comment, each on one line.
    doc: String,
    /// The item's first line without indentation.
    line: String,
}

/// Returns every line of code that follows a doc comment at once.
fn documented(source: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut doc = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            let text = text.trim();
            let gap = if doc.is_empty() || text.is_empty() { "" } else { " " };
            doc.push_str(gap);
            doc.push_str(text);
        } else if !line.starts_with("#[") && !doc.is_empty() {
            items.push(Item { doc: std::mem::take(&mut doc), line: line.to_owned() });
        }
    }
    items
}

/// Turns links of rustdoc into code, and keeps a table's cell in one piece.
fn cell(doc: &str) -> String {
    let mut text = String::new();
    let mut rest = doc;
    while let Some((before, after)) = rest.split_once("[`") {
        let (name, after) = after.split_once("`]").unwrap_or((after, ""));
        text.push_str(&format!("{before}`{name}`"));
        // [`name`](crate::path)
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    text.replace('|', "\\|")
}

fn limits(source: &str) -> Result<String> {
    let mut text = String::from(
        "# Limits\n\nGenerated from `dkron-core/src/limits.rs` by `cargo xtask fix`.\n\
         Reaching a limit is an error the caller sees, or a delay that a metric shows; never a \
         silent drop.\n\n| Limit | Value | What it bounds, and why |\n|---|---:|---|\n",
    );
    for item in documented(source) {
        let Some(constant) = item.line.strip_prefix("pub const ") else { continue };
        let (name, rest) = constant.split_once(':').context("a constant has a type")?;
        let (_, value) = rest.split_once('=').context("a constant has a value on its line")?;
        let value = value.trim().trim_end_matches(';').replace('_', ",");
        text.push_str(&format!("| `{name}` | {value} | {} |\n", cell(&item.doc)));
    }
    Ok(text)
}

fn errors(source: &str) -> Result<String> {
    let body = source.split_once("pub enum ErrorKind {").context("find the enum ErrorKind")?.1;
    let body = body.split_once("\n}").context("find the end of ErrorKind")?.0;
    let mut text = String::from(
        "# Error kinds\n\nGenerated from `dkron-core/src/error.rs` by `cargo xtask fix`.\n\
         The numbers are never reused.\n\n| No. | Kind | Meaning |\n|---:|---|---|\n",
    );
    for item in documented(body) {
        let (name, number) = item.line.split_once('=').context("a kind has a number")?;
        let number = number.trim().trim_end_matches(',');
        text.push_str(&format!("| {number} | `{}` | {} |\n", name.trim(), cell(&item.doc)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_becomes_a_row_with_its_whole_comment() {
        let source =
            "/// Longest name,\n/// in [`bytes`](crate::x).\npub const NAME_MAX: usize = 1_000;\n";

        let text = limits(source).unwrap();

        assert!(text.ends_with("| `NAME_MAX` | 1,000 | Longest name, in `bytes`. |\n"), "{text}");
    }

    #[test]
    fn an_error_kind_becomes_a_row_with_its_number() {
        let source = "pub enum ErrorKind {\n    /// No.\n    Refused = 3,\n}\n";

        assert!(errors(source).unwrap().ends_with("| 3 | `Refused` | No. |\n"));
    }
}
