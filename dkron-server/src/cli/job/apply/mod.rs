//! `dkron job apply`: makes the jobs of a node those of files.
//!
//! Three steps, none of which begins before the one before it is complete: the files are read and
//! checked, the node is asked what it has, the differences are written, parents first. A job that
//! is as the file says is not written again. What the files do not name is left alone, unless they
//! are all there is of an owner (`--owner`, `--prune`).
//!
//! The owner of a job is what its key `declared_by` says, by which programs that embed a node prune
//! too. It is not the key `owner`, which names people: those own jobs that no file holds.
//!
//! # Where to begin reading
//!
//! [`run`]; `documents` reads files, `plan` says what there is to do.

mod difference;
mod documents;
mod plan;
mod yaml;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

pub(in crate::cli) use self::documents::KEYS;
use self::plan::{Action, Step, plan};
use crate::cli::option;
use crate::cli::remote::{Fault, Format, client, format, say_json, text, texts};
use crate::client::{Ask, Client};
use crate::terminal::{complain, say};

pub(super) fn command() -> Command {
    Command::new("apply")
        .about("Create and change jobs as files say")
        .after_help(
            "A file holds any number of jobs as JSON or YAML, in lists or one behind the other;\n\
             of a folder all .json, .yaml and .yml files are read, not those of folders in it.\n\
             A job is replaced as a whole: a key that the file does not have gets its default.\n\
             All files are checked before anything is written. With --dry-run nothing is.\n\n\
             --owner marks the jobs as declared by NAME (key declared_by), and refuses to touch\n\
             jobs that another owner declares. --prune deletes the jobs that NAME declares and\n\
             the files do not hold; jobs of others and of nobody are never deleted.\n\n\
             Examples:\n  dkron job apply backup.yaml\n  dkron job apply --dry-run jobs/\n  \
             dkron job apply jobs/ --owner web-team --prune",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .help("Files and folders; - is standard input"),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Show what would change, and change nothing"),
        )
        .arg(option("owner", "NAME", "Who declares these jobs"))
        .arg(
            Arg::new("prune")
                .long("prune")
                .action(ArgAction::SetTrue)
                .requires("owner")
                .help("Delete what the owner declares and the files do not hold"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let owner = text(matches, "owner");
    if owner == Some("") {
        return Err(Fault::Text("--owner must not be empty".to_owned()));
    }
    let jobs = documents::read(&texts(matches, "file"), owner).map_err(|faults| {
        faults.iter().for_each(complain);
        Fault::Text("nothing was applied".to_owned())
    })?;
    let pruned = owner.filter(|_| matches.get_flag("prune"));
    if jobs.is_empty() && pruned.is_some() {
        let why = "the files hold no job, and --prune would delete all that the owner declares";
        return Err(Fault::Text(format!("{why}; nothing was applied")));
    }
    let client = client(matches)?;
    let steps = plan(&client, jobs, pruned)?;
    let is_dry = matches.get_flag("dry-run");
    let format = format(matches);
    let mut done = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if !is_dry && let Err(error) = take(&client, step) {
            if format == Format::Json {
                say_json(&Value::Array(done))?;
            }
            let count = format!("{number} of {} jobs were applied before", steps.len());
            return Err(Fault::Text(format!("{}; {count}", fault_text(error))));
        }
        match format {
            Format::Table => say(step_text(step, is_dry))?,
            Format::Json => done.push(step_json(step)),
        }
    }
    if format == Format::Json {
        say_json(&Value::Array(done))?;
    } else if steps.is_empty() {
        say("no jobs")?;
    }
    Ok(())
}

/// Takes one step of a plan.
fn take(client: &Client, step: &Step) -> Result<(), Fault> {
    match &step.action {
        Action::Keep => Ok(()),
        Action::Create(body) | Action::Change(body, _) => {
            let bytes = body.to_string().into_bytes();
            let length = bytes.len() as u64;
            let ask = Ask::post(format!("write job \"{}\"", step.job), "/v1/jobs");
            let ask = ask.body("application/json", bytes.into(), Some(length));
            client.succeed(ask)?.bytes()?;
            Ok(())
        }
        Action::Delete => super::change::deleted(client, &step.job).map(drop),
    }
}

fn fault_text(fault: Fault) -> String {
    match fault {
        Fault::Text(text) => text,
        Fault::Told => "a step failed".to_owned(),
    }
}

fn step_text(step: &Step, is_dry: bool) -> String {
    let job = format!("job \"{}\"", step.job);
    let would = if is_dry { "would be " } else { "" };
    match &step.action {
        Action::Create(_) => format!("{job} {would}created"),
        Action::Keep => format!("{job} unchanged"),
        Action::Delete => format!("{job} {would}deleted"),
        Action::Change(_, differences) => {
            let lines = differences.iter().map(|difference| format!("\n{}", difference.line()));
            format!("{job} {would}changed{}", lines.collect::<String>())
        }
    }
}

fn step_json(step: &Step) -> Value {
    let (action, differences) = match &step.action {
        Action::Create(_) => ("create", Vec::new()),
        Action::Keep => ("keep", Vec::new()),
        Action::Delete => ("delete", Vec::new()),
        Action::Change(_, differences) => {
            ("change", differences.iter().map(difference::Difference::json).collect())
        }
    };
    json!({"job": step.job, "action": action, "differences": differences})
}
