//! How large is the binary that is shipped?

use anyhow::{Context, Result};

use crate::Settings;
use crate::report::{Bound, Row};

/// The daemon is downloaded and carried in container images and wheels; this keeps them quick.
const SIZE_MB_MAX: f64 = 15.0;

/// Looks at the `dkron` that lies beside this program: the release profile strips it.
pub fn run(_: &Settings) -> Result<Vec<Row>> {
    let own = std::env::current_exe().context("find this program")?;
    let binary = own.with_file_name("dkron");
    let size = std::fs::metadata(&binary)
        .with_context(|| {
            format!("{} is not built: cargo build --release -p dkron-server", binary.display())
        })?
        .len();
    Ok(vec![Row::new("dkron", size as f64 / 1e6, "MB", Bound::AtMost(SIZE_MB_MAX))])
}
