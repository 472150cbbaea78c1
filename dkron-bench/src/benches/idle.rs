//! What does a daemon cost that has nothing to do, and how soon does it answer?

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::Settings;
use crate::daemon_process::DaemonProcess;
use crate::machine::Process;
use crate::report::{Bound, Row};
use crate::sample::Sample;

const STARTS: usize = 10;
const MEASURED: Duration = Duration::from_secs(30);
/// After a start: elections are over, and what the start used is given back.
const SETTLED: Duration = Duration::from_secs(5);

const FIRST_ANSWER_MS_MAX: f64 = 100.0;
const RESIDENT_MIB_MAX: f64 = 25.0;
const PROCESSOR_PERCENT_MAX: f64 = 0.2;

/// Watches daemons on fresh data.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    measure(settings, None)
}

/// Starts daemons on the data in a folder, or each on fresh data, and watches the last of them.
///
/// # Errors
///
/// If a daemon is not built, or does not answer.
pub fn measure(settings: &Settings, data: Option<&Path>) -> Result<Vec<Row>> {
    let mut first_answers = Vec::new();
    for _ in 0..STARTS {
        let (daemon, _folder) = start(settings, data)?;
        first_answers.push(daemon.first_answer.as_secs_f64() * 1e3);
    }
    let (daemon, _folder) = start(settings, data)?;
    daemon.wait_for_leader()?;
    std::thread::sleep(SETTLED);
    let process = Process::Id(daemon.id());
    let (before, span) = (process.processor_time()?, settings.span(MEASURED));
    std::thread::sleep(span);
    let used = process.processor_time()?.saturating_sub(before);
    let percent = used.as_secs_f64() / span.as_secs_f64() * 100.0;

    let first = Sample::new(first_answers);
    let answer = Bound::AtMost(FIRST_ANSWER_MS_MAX);
    Ok(vec![
        Row::new("cold start to first answer, p50", first.quantile(0.5), "ms", answer),
        Row::free("cold start to first answer, largest", first.quantile(1.0), "ms"),
        Row::new("memory", process.resident_mib()?, "MiB", Bound::AtMost(RESIDENT_MIB_MAX)),
        Row::free("private memory", process.anonymous_mib()?, "MiB"),
        Row::new("processor", percent, "% of a core", Bound::AtMost(PROCESSOR_PERCENT_MAX)),
    ])
}

/// Starts a daemon; a folder that was made for it goes after it.
fn start(
    settings: &Settings,
    data: Option<&Path>,
) -> Result<(DaemonProcess, Option<tempfile::TempDir>)> {
    if let Some(data) = data {
        return Ok((DaemonProcess::start(data)?, None));
    }
    let folder = settings.folder()?;
    Ok((DaemonProcess::start(folder.path())?, Some(folder)))
}
