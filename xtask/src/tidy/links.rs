//! Links in Markdown lead to files and headings that exist.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::prose::{lines, without_code};

/// Checks one Markdown file of the tree at `root`.
pub fn check(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in targets(text) {
        if let Some(wrong) = problem(root, path, text, &target) {
            findings.push(Finding::new(path, line, format!("the link to {target} {wrong}")));
        }
    }
    findings
}

fn problem(root: &Path, path: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if file.starts_with('/') {
        return Some("is absolute; write it relative to this file".to_owned());
    }
    let (full, linked) = if file.is_empty() {
        (root.join(path), Some(text.to_owned()))
    } else {
        let full = normal(&root.join(path).parent().unwrap_or(root).join(file));
        if !full.exists() {
            return Some("leads nowhere; mend or drop it".to_owned());
        }
        let linked = fs::read_to_string(&full).ok();
        (full, linked)
    };
    let is_markdown = full.extension().is_some_and(|extension| extension == "md");
    let has_anchor = anchor.is_empty()
        || !is_markdown
        || linked.is_some_and(|text| anchors(&text).iter().any(|known| known == anchor));
    (!has_anchor).then(|| "names a heading that is not there; mend or drop it".to_owned())
}

/// Drops `.` and `..` without asking the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Returns the targets of `[text](target)` outside code, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in lines(text) {
        let line = without_code(line);
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            // A title may follow: [text](target "title").
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            if !target.is_empty() {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// Returns the anchors that hosts of Markdown give its headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = lines(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (line.len() != title.len()).then(|| title.trim().to_lowercase())
    });
    headings
        .map(|title| {
            let kept =
                title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_outside_code_with_their_lines() {
        let text = "[a](b.md)\n`[c](d)`\n```\n[e](f)\n```\n![g](h.png \"i\")\n";
        assert_eq!(targets(text), [(1, "b.md".to_owned()), (6, "h.png".to_owned())]);
    }

    #[test]
    fn anchors_are_those_that_hosts_give() {
        assert_eq!(
            anchors("## The life of one fire, in *order*"),
            ["the-life-of-one-fire-in-order"]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let root = crate::workspace::root();
        let check = |target: &str| check(&root, "docs/a.md", &format!("# Top\n\n[x]({target})"));

        assert_eq!(check("../Cargo.toml"), []);
        assert_eq!(check("https://example.com"), []);
        assert_eq!(check("#top"), []);
        assert_eq!(check("no-such-file.md").len(), 1);
        assert_eq!(check("#bottom").len(), 1);
        assert_eq!(check("/etc/hosts").len(), 1);
    }
}
