//! react-admin's own client of list APIs, which Dkron's web UI is made with, against the daemon.

use std::path::{Path, PathBuf};
use std::process::Command;

use dkron_e2e::daemon::Daemon;

/// Goal: a page made with react-admin works on our API.
/// Method: the published data provider, from the npm registry, makes each of its calls.
#[test]
fn every_call_of_the_data_provider_of_react_admin_is_answered() {
    let folder = match installed() {
        Ok(folder) => folder,
        Err(missing) => return println!("skipped: the data provider of react-admin, {missing}"),
    };
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());

    let played = Command::new("node")
        .arg(folder.join("surface.mjs"))
        .arg(format!("http://{}/v1", daemon.address()))
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{said}{}", daemon.log());
}

/// Installs the package beside the programs under test, unless it is there; says what is missing.
fn installed() -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("react-admin");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("react-admin");
    let wanted = std::fs::read(sources.join("package.json")).unwrap();
    let program = |name: &str| {
        let answered = Command::new(name).arg("--version").output();
        answered.map(drop).map_err(|error| format!("no {name}: {error}"))
    };
    program("node")?;
    // Written last: an installation that was cut off is made again.
    let done = folder.join("installed.json");
    if std::fs::read(&done).ok().as_ref() != Some(&wanted) {
        program("npm")?;
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), &wanted).unwrap();
        let installing = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"])
            .args(["--fetch-timeout=30000", "--fetch-retries=1"])
            .current_dir(&folder)
            .output()
            .unwrap();
        if !installing.status.success() {
            let said = String::from_utf8_lossy(&installing.stderr);
            return Err(format!("npm install failed: {}", said.trim()));
        }
        std::fs::write(done, wanted).unwrap();
    }
    std::fs::copy(sources.join("surface.mjs"), folder.join("surface.mjs")).unwrap();
    Ok(folder)
}
