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
         Reaching a limit is an error the caller sees, or a delay; never a silent drop.\n\n\
         | Limit | Value | What it bounds, and why |\n|---|---:|---|\n",
    );
    for item in documented(source) {
        let Some(constant) = item.line.strip_prefix("pub const ") else { continue };
        let (name, rest) = constant.split_once(':').context("a constant has a type")?;
        let (_, value) = rest.split_once('=').context("a constant has a value on its line")?;
        let value = value_of(value.trim().trim_end_matches(';'));
        text.push_str(&format!("| `{name}` | {value} | {} |\n", cell(&item.doc)));
    }
    Ok(text)
}

fn errors(source: &str) -> Result<String> {
    let body = between(source, "pub enum ErrorKind {", "\n}")?;
    let retriable = between(source, "pub const fn is_retriable", "\n    }")?;
    let mut text = String::from(
        "# Error kinds\n\nGenerated from `dkron-core/src/error.rs` by `cargo xtask fix`.\n\
         The numbers are never reused.\n\
         Whether a failed write may have happened all the same depends on when it failed, so the \
         error tells it (`Error::may_have_happened`), not its kind.\n\n\
         | No. | Kind | Meaning | Retriable |\n|---:|---|---|:-:|\n",
    );
    for item in documented(body) {
        let (name, number) = item.line.split_once('=').context("a kind has a number")?;
        let (name, number) = (name.trim(), number.trim().trim_end_matches(','));
        let mut named = retriable.split(|c: char| !c.is_alphanumeric());
        let retry = if named.any(|word| word == name) { "yes" } else { "no" };
        text.push_str(&format!("| {number} | `{name}` | {} | {retry} |\n", cell(&item.doc)));
    }
    Ok(text)
}

/// Writes a value as people do: numbers in groups of three, shifts as powers, spans with units.
fn value_of(code: &str) -> String {
    let span = code.strip_prefix("Duration::from_").and_then(|rest| rest.strip_suffix(')'));
    if let Some((unit, amount)) = span.and_then(|span| span.split_once('(')) {
        if let (true, Some(days)) = (unit == "secs", amount.strip_suffix(" * 86_400")) {
            return format!("{} days", value_of(days));
        }
        let unit = match unit {
            "secs" => "s",
            "millis" => "ms",
            unit => unit,
        };
        return format!("{} {unit}", value_of(amount));
    }
    if let Some((base, power)) = code.split_once(" << ")
        && let (Ok(base), Ok(power)) = (base.parse::<u64>(), power.parse::<u32>())
        && let Some(value) = base.checked_shl(power)
    {
        return grouped(&value.to_string());
    }
    match code {
        "i32::MAX as u32" => grouped(&i32::MAX.to_string()),
        code => code.split(' ').map(grouped).collect::<Vec<_>>().join(" ").replace('*', "×"),
    }
}

/// Sets a comma behind every third digit from the end, if it is a number.
fn grouped(word: &str) -> String {
    let digits = word.replace('_', "");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.to_owned();
    }
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns what stands behind `begin`, up to `end`.
fn between<'a>(source: &'a str, begin: &str, end: &str) -> Result<&'a str> {
    let (_, behind) = source.split_once(begin).with_context(|| format!("find {begin}"))?;
    let (within, _) = behind.split_once(end).with_context(|| format!("find the end of {begin}"))?;
    Ok(within)
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
    fn values_are_written_as_people_write_them() {
        let check = |code: &str, want: &str| assert_eq!(value_of(code), want, "{code}");
        check("255", "255");
        check("256_000", "256,000");
        check("1 << 20", "1,048,576");
        check("i32::MAX as u32", "2,147,483,647");
        check("Duration::from_millis(250)", "250 ms");
        check("Duration::from_secs(3_600)", "3,600 s");
        check("Duration::from_secs(3_650 * 86_400)", "3,650 days");
    }

    #[test]
    fn an_error_kind_becomes_a_row_with_its_number() {
        let source = "pub enum ErrorKind {\n    /// No.\n    Refused = 3,\n    /// Wait.\n    \
                      Busy = 4,\n}\n    pub const fn is_retriable() {\n        Self::Busy\n    }\n";

        let text = errors(source).unwrap();

        assert!(text.ends_with("| 3 | `Refused` | No. | no |\n| 4 | `Busy` | Wait. | yes |\n"));
    }
}
