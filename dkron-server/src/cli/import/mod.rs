//! `dkron import`: takes over the jobs of a Go Dkron, or of a backup of one.
//!
//! Unlike a restore it takes what can be taken: a job that is not accepted here is left out with
//! those below it, and told with its reason. What is taken is restored as one backup, so that a
//! second import of the same jobs changes nothing. Executions are not taken: there is no way in for
//! them.
//!
//! # Where to begin reading
//!
//! [`run`]; `assess` says what can be carried over of one job, `intake` collects those that can.

mod assess;
mod intake;

use std::fs::File;
use std::io::{Read, Seek as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::intake::{Intake, Taken};
use super::job::restore::{Upload, restore};
use super::option;
use super::remote::{Fault, address_arg, client, ended, text};
use crate::client::{Address, Ask, Client, ClientError};
use crate::go_json::{Elements, ElementsError};
use crate::terminal::{Progress, complain, remark, say};

/// The longest job of a source.
const JOB_BYTES_MAX: usize = 4 << 20;

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 64 << 10;

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Take over the jobs of a Go Dkron")
        .after_help(
            "The jobs are read from the API of a running Dkron, or from a backup of one, and\n\
             written to the node at --http-addr, with their counters. Jobs that exist there are\n\
             replaced; doing it again changes nothing. A job that is not accepted is left out\n\
             with those below it, and told with its reason: exit code 1, the others are written.\n\
             Executions are not carried over.\n\n\
             Examples:\n  dkron import --from http://old-node:8080 --dry-run\n  \
             dkron import --from http://old-node:8080 --http-addr new-node:8080\n  \
             dkron import --from backup.json",
        )
        .arg(option("from", "URL|FILE", "The old Dkron, or a file with its jobs").required(true))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Say what could not be carried over, and write nothing"),
        )
        .arg(address_arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    ended(import(matches))
}

fn import(matches: &ArgMatches) -> Result<(), Fault> {
    let from = text(matches, "from").unwrap_or_default();
    let client = client(matches)?;
    let mut intake = Intake::new()?;
    if from.contains("://") {
        let address = Address::parse(from).map_err(|why| format!("--from: {why}"))?;
        if address == *client.address() {
            return Err(Fault::Text(format!(
                "{address} is the node that the jobs would be written to; say with --http-addr \
                 which one it is"
            )));
        }
        read_url(Client::new(address)?, &mut intake)?;
    } else {
        read_file(Path::new(from), &mut intake)?;
    }
    let taken = intake.finish()?;
    for (job, note) in &taken.notes {
        remark(format_args!("Note: job \"{job}\": {note}"));
    }
    for (job, reason) in &taken.left_out {
        complain(format_args!("job \"{job}\" is not carried over: {reason}"));
    }
    write(&client, taken, matches.get_flag("dry-run"))
}

/// Writes what was taken, and says how much it was.
fn write(client: &Client, taken: Taken, is_dry: bool) -> Result<(), Fault> {
    let (jobs, left_out) = (taken.jobs, taken.left_out.len());
    if is_dry {
        say(format_args!("{jobs} jobs would be written, {left_out} not carried over"))?;
    } else if jobs > 0 {
        let (mut source, bytes) = (taken.backup, taken.bytes);
        source.rewind().map_err(|error| ClientError::file("read the jobs again", &error))?;
        let restored = restore(client, Upload { source: Box::new(source), bytes: Some(bytes) })?;
        restored.tell()?;
    } else {
        say("0 jobs written")?;
    }
    if left_out == 0 { Ok(()) } else { Err(Fault::Told) }
}

fn read_url(source: Client, intake: &mut Intake) -> Result<(), Fault> {
    let answer = source.succeed(Ask::get("read the jobs", "/v1/jobs"))?;
    let total = answer.total().unwrap_or_default();
    let (mut count, mut progress) = (0_u64, Progress::new());
    answer.each(|job| {
        intake.take(job)?;
        count += 1;
        progress.show(format_args!("{count} of {total} jobs read"));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}

fn read_file(path: &Path, intake: &mut Intake) -> Result<(), Fault> {
    let failed = |error| ClientError::file(format!("read {}", path.display()), &error);
    let refused = |error: ElementsError<ClientError>| match error {
        ElementsError::Refused(error) => Fault::from(error),
        ElementsError::NotAnArray => {
            Fault::Text(format!("read {}: it is no JSON array of jobs", path.display()))
        }
        ElementsError::TooLong => Fault::Text(format!(
            "read {}: a job has more than {JOB_BYTES_MAX} bytes",
            path.display()
        )),
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut elements = Elements::new(JOB_BYTES_MAX);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = file.read(&mut piece).map_err(failed)?;
        let read = piece.get(..bytes).unwrap_or_default();
        if read.is_empty() {
            return elements.finish().map_err(refused);
        }
        elements.push(read, |job| intake.take(job)).map_err(refused)?;
    }
}
