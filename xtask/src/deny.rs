//! Asks cargo-deny about the dependencies, as `deny.toml` says.

use std::path::Path;

use anyhow::Result;

use crate::process::{Step, is_installed};
use crate::stage::{Context, Outcome};

/// Checks licences, sources and bans; advisories only where a copy of their database lies.
pub fn stage(_: &Context) -> Result<Outcome> {
    if !is_installed("cargo-deny", &["--version"]) {
        let why = "cargo-deny is not installed: cargo install cargo-deny --locked";
        return Ok(Outcome::skipped("dependency checks", why));
    }
    let quiet = ["--log-level", "error", "check"];
    Step::cargo(&["deny"]).args(&quiet).args(&["licenses", "bans", "sources"]).run()?;
    if !has_advisories() {
        let why = "no copy of the advisory database is here: cargo deny fetch db";
        return Ok(Outcome::skipped("security advisories", why));
    }
    Step::cargo(&["deny"]).args(&quiet).args(&["--disable-fetch", "advisories"]).run()?;
    Ok(Outcome::default())
}

fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    let databases = home.map(|home| home.join("advisory-dbs"));
    databases.is_some_and(|dir| dir.read_dir().is_ok_and(|entries| entries.flatten().count() > 0))
}
