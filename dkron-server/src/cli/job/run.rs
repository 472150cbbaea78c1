//! `dkron job run`: run a job now, wait until it is over, and tell what became of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::{job_arg, path_of, show_job};
use crate::cli::executions::{History, listed};
use crate::cli::remote::{Fault, Format, client, format, say_json, text};
use crate::cli::shown::{self, is_true};
use crate::client::Ask;
use crate::terminal::{Output, say};

pub(super) fn command() -> Command {
    Command::new("run")
        .about("Run a job now and wait until it is over")
        .after_help(
            "Waits for all nodes, retries and dependent jobs, and shows the executions that the\n\
             job had meanwhile. Exit code 0 if they succeeded, 1 if not; with --no-wait 0 if the\n\
             job was started.\n\n\
             Examples:\n  dkron job run backup --with-output\n  dkron job run backup --no-wait",
        )
        .arg(job_arg())
        .arg(
            Arg::new("no-wait")
                .long("no-wait")
                .action(ArgAction::SetTrue)
                .help("Start it, and do not wait"),
        )
        .arg(
            Arg::new("with-output")
                .long("with-output")
                .action(ArgAction::SetTrue)
                .conflicts_with("no-wait")
                .help("Show what it has written, too"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let job = text(matches, "job").unwrap_or_default();
    let history = History { client: &client, job, has_output: matches.get_flag("with-output") };
    let newest = history.newest(1)?;
    let newest_id = newest.first().map(|execution| shown::text(execution, "id").to_owned());
    let ask = |rest| Ask::post(format!("run job \"{job}\""), path_of(job, rest));
    if matches.get_flag("no-wait") {
        let before = client.succeed(ask("/run?async=true"))?.json()?;
        return match format(matches) {
            Format::Json => say_json(&before),
            Format::Table => Ok(say(format_args!("job \"{job}\" started"))?),
        };
    }
    let ran = client.succeed(ask("/run").patient());
    if let Err(error) = ran {
        // Older servers say nothing of why.
        let is_refused = error.status().is_some_and(|status| status == 404);
        if is_refused && is_true(&show_job(&client, job)?, "disabled") {
            return Err(Fault::Text(format!(
                "{error}; it is disabled: `dkron job resume {job}` enables it"
            )));
        }
        return Err(error.into());
    }
    let executions = since(&history, newest_id.as_deref())?;
    let has_succeeded = has_succeeded(&executions);
    match format(matches) {
        Format::Json => say_json(&Value::Array(executions))?,
        Format::Table => {
            Output::new().write(listed(&executions, history.has_output).as_bytes())?;
        }
    }
    if has_succeeded { Ok(()) } else { Err(Fault::Text(format!("job \"{job}\" did not succeed"))) }
}

/// Returns the executions that are newer than one, the newest first.
fn since(history: &History<'_>, newest: Option<&str>) -> Result<Vec<Value>, Fault> {
    let mut executions = Vec::new();
    history.until(|execution| {
        if Some(shown::text(&execution, "id")) == newest {
            return ControlFlow::Break(());
        }
        executions.push(execution);
        ControlFlow::Continue(())
    })?;
    Ok(executions)
}

/// Returns whether of each fire the last attempt on each node succeeded.
fn has_succeeded(executions: &[Value]) -> bool {
    let mut last: BTreeMap<(u64, &str), (u64, bool)> = BTreeMap::new();
    for execution in executions {
        let number = |key| execution.get(key).and_then(Value::as_u64).unwrap_or_default();
        let place = (number("group"), shown::text(execution, "node_name"));
        let attempt = (number("attempt"), is_true(execution, "success"));
        let known = last.entry(place).or_insert(attempt);
        if attempt.0 > known.0 {
            *known = attempt;
        }
    }
    last.values().all(|(_, is_success)| *is_success)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_attempt_of_a_fire_counts_on_each_node() {
        let of = |group: u64, node: &str, attempt: u64, success: bool| {
            let (group, attempt) = (json!(group), json!(attempt));
            json!({"group": group, "node_name": node, "attempt": attempt, "success": success})
        };
        assert!(has_succeeded(&[]));
        assert!(has_succeeded(&[of(1, "a", 2, true), of(1, "a", 1, false), of(1, "b", 1, true)]));
        assert!(!has_succeeded(&[of(1, "a", 1, true), of(1, "b", 1, false)]));
        assert!(!has_succeeded(&[of(2, "a", 1, true), of(1, "a", 1, false)]));
    }
}
