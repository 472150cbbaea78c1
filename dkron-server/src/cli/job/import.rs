//! `dkron job import`: the jobs of a backup, restored as a whole or not at all.

use std::fs::File;
use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::restore::{Upload, restore};
use crate::cli::remote::{Fault, client, text};
use crate::client::ClientError;

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Restore the jobs of a backup")
        .after_help(
            "The file is what `dkron job export` or GET /v1/jobs gives, of this version or of the\n\
             Go Dkron. Either all of it is accepted or nothing is written. Jobs that exist are\n\
             replaced; their counters never go down. Other jobs stay. To take over the jobs of a\n\
             Go Dkron though some of them are not accepted here, use `dkron import`.\n\n\
             Examples:\n  dkron job import backup.json\n  zcat backup.json.gz | dkron job import -",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The file; - is standard input"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let file = text(matches, "file").unwrap_or_default();
    let client = client(matches)?;
    let upload = if file == "-" {
        Upload { source: Box::new(std::io::stdin()), bytes: None }
    } else {
        let path = Path::new(file);
        let failed = |error| ClientError::file(format!("read {}", path.display()), &error);
        let opened = File::open(path).map_err(failed)?;
        let bytes = opened.metadata().map_err(failed)?;
        if bytes.is_dir() {
            return Err(Fault::Text(format!("read {file}: it is a folder")));
        }
        let bytes = bytes.is_file().then_some(bytes.len());
        Upload { source: Box::new(opened), bytes }
    };
    restore(&client, upload)?.tell()
}
