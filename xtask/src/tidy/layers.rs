//! Enforces the tables of ARCHITECTURE.md: which module may use which, and which crate has one
//! owner.
//!
//! # Where to begin reading
//!
//! [`Layers::read`] parses the tables, [`Layers::check`] holds one file against them. Paths come
//! from [`used_paths`].
//!
//! Test code may use anything. A path through an alias of a module (`use crate::kernel;`) is
//! refused at the alias.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Finding;
use super::module_paths::{ModulePath, used_paths};
use super::source::Source;

/// The document that holds the tables.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Where the modules of the first table lie.
const SOURCES: &str = "dkron-core/src/";

/// The headings under which the tables stand.
const USES: &str = "### Permitted uses";
const OWNERS: &str = "### Crates with one owner";

/// The tables of ARCHITECTURE.md.
pub struct Layers {
    /// Each module and what it may use; `None` means anything.
    uses: Vec<(ModulePath, Option<Vec<ModulePath>>)>,
    /// Each crate and the modules that may name it.
    owners: Vec<(String, Vec<ModulePath>)>,
}

impl Layers {
    /// Reads the tables.
    pub fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(DOCUMENT)).context("read ARCHITECTURE.md")?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut uses = Vec::new();
        for (modules, permitted) in rows(text, USES)? {
            let permitted = match permitted.as_str() {
                "anything" => None,
                "nothing" => Some(Vec::new()),
                list => Some(names(list).map(|name| module(&name)).collect()),
            };
            for name in names(&modules) {
                uses.push((module(&name), permitted.clone()));
            }
        }
        let mut owners = Vec::new();
        for (krate, modules) in rows(text, OWNERS)? {
            let modules: Vec<ModulePath> = names(&modules).map(|name| module(&name)).collect();
            owners.extend(names(&krate).map(|name| (name.replace('-', "_"), modules.clone())));
        }
        Ok(Self { uses, owners })
    }

    /// Checks one file of dkron-core; others have nothing to check.
    pub fn check(&self, source: &Source) -> Vec<Finding> {
        let Some(own) = module_of(source.path) else { return Vec::new() };
        let mut findings = self.check_owners(source, &own);
        let Some((own_row, permitted)) = self.row_of(&own) else {
            let text = format!("no row for {}; add it to {DOCUMENT}, {USES}", own.join("::"));
            findings.push(Finding::new(source.path, 1, text));
            return findings;
        };
        let Some(permitted) = permitted else { return findings };

        for (at, path) in used_paths(source, &own) {
            if source.is_test(at) || starts_with(&path, &own_row) || is_restriction(source, at) {
                continue;
            }
            let line = source.line_of(at);
            let Some((used, _)) = self.row_of(&path) else {
                let text = format!(
                    "crate::{} goes round its module; name the module that holds it",
                    path.join("::")
                );
                findings.push(Finding::new(source.path, line, text));
                continue;
            };
            if !permitted.iter().any(|permitted| matches(permitted, &used)) {
                let text = format!(
                    "{} must not use {}; move the code, or change {DOCUMENT} and say why",
                    own_row.join("::"),
                    used.join("::")
                );
                findings.push(Finding::new(source.path, line, text));
            }
        }
        findings
    }

    fn check_owners(&self, source: &Source, own: &[String]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (krate, owners) in &self.owners {
            if owners.iter().any(|owner| starts_with(own, owner)) {
                continue;
            }
            for at in
                source.find(&format!("{krate}::")).into_iter().filter(|at| !source.is_test(*at))
            {
                let owners: Vec<String> = owners.iter().map(|owner| owner.join("::")).collect();
                let text = format!(
                    "only {} may name {krate}; wrap what you need there",
                    owners.join(" and ")
                );
                findings.push(Finding::new(source.path, source.line_of(at), text));
            }
        }
        findings
    }

    /// Returns the module of the table that holds `path`, and what it may use.
    ///
    /// A module with modules of its own in the table (`kernel`) stands for its `mod.rs` alone.
    fn row_of(&self, path: &[String]) -> Option<(ModulePath, &Option<Vec<ModulePath>>)> {
        let mut best: Option<(ModulePath, &Option<Vec<ModulePath>>)> = None;
        for (row, permitted) in &self.uses {
            let is_container = self
                .uses
                .iter()
                .any(|(other, ..)| other.len() > row.len() && starts_with(other, row));
            let found = if is_container { path == row.as_slice() } else { matches(row, path) };
            if found && best.as_ref().is_none_or(|(best, _)| best.len() <= row.len()) {
                best = Some((path[..row.len()].to_vec(), permitted));
            }
        }
        best
    }
}

/// Returns the rows of the table under `heading`: first cell, second cell.
fn rows(text: &str, heading: &str) -> Result<Vec<(String, String)>> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let start = lines.iter().position(|(_, line)| *line == heading);
    let Some(start) = start else { bail!("{DOCUMENT} has no heading \"{heading}\"") };
    let table = lines[start + 1..].iter().take_while(|(_, line)| !line.starts_with('#'));
    let table = table.filter(|(_, line)| line.starts_with('|')).skip(2);
    let mut rows = Vec::new();
    for (number, line) in table {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [first, second, ..] = cells.as_slice() else {
            bail!("{DOCUMENT}:{number}: a row needs two cells");
        };
        rows.push(((*first).to_owned(), (*second).to_owned()));
    }
    if rows.is_empty() {
        bail!("{DOCUMENT} has no table under \"{heading}\"");
    }
    Ok(rows)
}

/// Returns what stands in backticks.
fn names(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

fn module(name: &str) -> ModulePath {
    name.split("::").map(str::to_owned).collect()
}

/// Returns the module of a file of dkron-core; `None` for `lib.rs` and for files elsewhere.
fn module_of(path: &str) -> Option<ModulePath> {
    let stem = path.strip_prefix(SOURCES)?.strip_suffix(".rs")?;
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    (stem != "lib").then(|| stem.split('/').map(str::to_owned).collect())
}

fn starts_with(path: &[String], start: &[String]) -> bool {
    matches(start, path)
}

/// Returns whether `path` is the module `pattern` or within it; `*` stands for any one name.
fn matches(pattern: &[String], path: &[String]) -> bool {
    path.len() >= pattern.len()
        && pattern.iter().zip(path).all(|(pattern, part)| pattern == "*" || pattern == part)
}

/// Whether the path at `at` belongs to `pub(in crate::…)`.
fn is_restriction(source: &Source, at: usize) -> bool {
    source.code[..at].ends_with("pub(in ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "\
### Permitted uses

| Module | May use | Why |
|---|---|---|
| `error`, `limits` | nothing | |
| `kernel` | `kernel::*` | |
| `kernel::time` | `error` | |
| `kernel::state` | `kernel::time`, `error` | |
| `kernel::node` | `kernel::*` | |
| `adapters` | `adapters::*` | |
| `adapters::*` | `kernel::time` | |
| `cluster` | anything | |

### Crates with one owner

| Crate | Module |
|---|---|
| `openraft` | `adapters::consensus` |
";

    #[track_caller]
    fn check(file: &str, code: &str, want: &[&str]) {
        let layers = Layers::parse(TABLES).unwrap();
        let path = format!("{SOURCES}{file}");
        let found: Vec<String> =
            layers.check(&Source::new(&path, code)).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), want.len(), "{code}: {found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.contains(want), "{code}: {found}");
        }
    }

    #[test]
    fn what_the_table_permits_passes() {
        check("kernel/state/apply.rs", "use crate::kernel::time::Timestamp;", &[]);
        check("kernel/state/apply.rs", "use crate::kernel::state::tables::Table;", &[]);
        check("kernel/state/apply.rs", "use super::{Outcome, tables};", &[]);
        check("kernel/state/mod.rs", "fn f() -> crate::error::Error { x }", &[]);
        check("kernel/node/mod.rs", "use crate::kernel::{state::Command, time::Timestamp};", &[]);
        check("adapters/storage/log.rs", "use super::env::Env;", &[]);
        check("cluster/mod.rs", "use crate::adapters::storage::Env;", &[]);
        check("kernel/mod.rs", "pub(in crate::kernel) fn f() {}", &[]);
        check("kernel/time/a.rs", "#[cfg(test)]\nmod t { use crate::kernel::state::X; }", &[]);
        check("lib.rs", "pub use crate::kernel::state::X;", &[]);
    }

    #[test]
    fn what_it_does_not_permit_is_named_with_both_modules() {
        let state_by_time = "kernel::time must not use kernel::state";
        check("kernel/time/a.rs", "use crate::kernel::state::X;", &[state_by_time]);
        check("kernel/time/a.rs", "fn f() { crate::kernel::state::g() }", &[state_by_time]);
        check("kernel/time/mod.rs", "use super::state::X;", &[state_by_time]);
        check("kernel/time/a.rs", "use super::super::state::X;", &[state_by_time]);
        check(
            "kernel/time/a.rs",
            "use crate::{error::Error, kernel::{state::{A, B}, time::C}};",
            &[state_by_time, state_by_time],
        );
        check(
            "adapters/storage/log.rs",
            "use crate::adapters::consensus::Raft;",
            &["adapters::storage must not use adapters::consensus"],
        );
        check("kernel/state/a.rs", "use crate::Timestamp;", &["goes round its module"]);
        check("kernel/other.rs", "", &["no row for kernel::other"]);
    }

    #[test]
    fn a_crate_with_one_owner_is_named_by_it_alone() {
        check("adapters/consensus/log.rs", "use openraft::Raft;", &[]);
        check("cluster/mod.rs", "use openraft::Raft;", &["only adapters::consensus may name"]);
    }
}
