//! `dkron job export`: all jobs as one file, the backup that `dkron job import` restores.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use tempfile::NamedTempFile;

use crate::cli::remote::{Fault, client, text};
use crate::client::{Answer, Ask, ClientError};
use crate::go_json::{Elements, ElementsError};
use crate::terminal::{Output, Progress, say};

/// The longest job, as the API writes it.
const JOB_BYTES_MAX: usize = 16 << 20;

pub(super) fn command() -> Command {
    Command::new("export")
        .about("Write all jobs to a file: a backup")
        .after_help(
            "The file is a JSON array of jobs with their counters, as GET /v1/jobs answers it.\n\
             Executions are not part of it. A file that exists is replaced once the backup is\n\
             complete, not before; only its owner may read it, for jobs may hold secrets.\n\n\
             Examples:\n  dkron job export backup.json\n  dkron job export | gzip > backup.json.gz",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .help("The file; without it, or for -, standard output"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let answer = client.succeed(Ask::get("export the jobs", "/v1/jobs"))?;
    match text(matches, "file").filter(|file| *file != "-") {
        None => to_output(answer),
        Some(file) => to_file(answer, Path::new(file)),
    }
}

fn to_output(answer: Answer<'_>) -> Result<(), Fault> {
    let mut output = Output::new();
    copy(answer, |piece| {
        output.write(piece)?;
        Ok(output.has_reader())
    })?;
    Ok(output.write(b"\n")?)
}

fn to_file(answer: Answer<'_>, path: &Path) -> Result<(), Fault> {
    let what = format!("write {}", path.display());
    let failed = |error: std::io::Error| Fault::from(ClientError::file(what.as_str(), &error));
    // A link stays one.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let jobs = if path.exists() && !path.is_file() {
        // A pipe or a device: it is written, not replaced.
        let mut file = fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        write_to(answer, &mut file, failed)?
    } else {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        let jobs = write_to(answer, file.as_file_mut(), failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        // Where folders cannot be synced there is no need to.
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
        jobs
    };
    Ok(say(format_args!("{jobs} jobs written to {}", path.display()))?)
}

fn write_to(
    answer: Answer<'_>,
    file: &mut fs::File,
    failed: impl Fn(std::io::Error) -> Fault,
) -> Result<u64, Fault> {
    let jobs = copy(answer, |piece| {
        file.write_all(piece).map_err(&failed)?;
        Ok(true)
    })?;
    file.write_all(b"\n").map_err(&failed)?;
    Ok(jobs)
}

/// Hands an answer on for as long as `write` wants more; returns how many jobs it holds.
fn copy(
    mut answer: Answer<'_>,
    mut write: impl FnMut(&[u8]) -> Result<bool, Fault>,
) -> Result<u64, Fault> {
    let total = answer.total().unwrap_or_default();
    let mut elements = Elements::new(JOB_BYTES_MAX);
    let (mut jobs, mut progress) = (0_u64, Progress::new());
    let broken = |_: ElementsError<std::convert::Infallible>| {
        Fault::Text("export the jobs: the answer is no JSON array of jobs".to_owned())
    };
    while let Some(piece) = answer.piece()? {
        let count = |_: &[u8]| {
            jobs += 1;
            Ok(())
        };
        elements.push(&piece, count).map_err(broken)?;
        if !write(&piece)? {
            return Ok(jobs);
        }
        progress.show(format_args!("{jobs} of {total} jobs"));
    }
    elements.finish().map_err(broken)?;
    Ok(jobs)
}
