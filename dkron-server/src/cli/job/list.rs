//! `dkron job list`: all jobs, or those that match.

use std::ops::ControlFlow;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use crate::cli::option;
use crate::cli::remote::{Fault, Format, client, format, pass_on, text, texts};
use crate::cli::shown::{self, instant, instant_text, is_true};
use crate::cli::table::Table;
use crate::client::{Ask, encode};
use crate::terminal::{remark, say};

/// The fields that the API sorts by.
const SORTS: [&str; 9] = [
    "name",
    "id",
    "displayname",
    "schedule",
    "success_count",
    "error_count",
    "last_success",
    "last_error",
    "next",
];

pub(super) fn command() -> Command {
    Command::new("list")
        .about("List jobs")
        .after_help(
            "Examples:\n  dkron job list\n  dkron job list --query backup --status failed\n  \
             dkron job list --sort next --limit 10\n  dkron job list -o json > jobs.json",
        )
        .arg(option("query", "TEXT", "Jobs whose name or display name holds this").short('q'))
        .arg(
            option("status", "STATUS", "Jobs whose last run ended so, or untriggered")
                .value_parser(["success", "failed", "partially_failed", "untriggered"]),
        )
        .arg(
            option("disabled", "true|false", "Jobs that are disabled, or those that are not")
                .value_parser(["true", "false"]),
        )
        .arg(
            option("metadata", "KEY=VALUE", "Jobs with this metadata; repeatable, all must match")
                .action(ArgAction::Append),
        )
        .arg(option("sort", "FIELD", "Sort by this field (default name)").value_parser(SORTS))
        .arg(
            Arg::new("desc")
                .long("desc")
                .action(ArgAction::SetTrue)
                .help("Sort in descending order"),
        )
        .arg(
            option("limit", "N", "How many jobs (default all)")
                .short('n')
                .value_parser(value_parser!(u64)),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let format = format(matches);
    let answer = client.succeed(Ask::get("list jobs", path(matches, format)?))?;
    if format == Format::Json {
        return pass_on(answer);
    }
    let total = answer.total().unwrap_or_default();
    let mut table =
        Table::new(["NAME", "SCHEDULE", "STATE", "LAST RUN", "OK", "FAILED", "NEXT FIRE"]);
    let mut shown: u64 = 0;
    answer.each_value(|job| {
        table.push(cells(&job));
        shown += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    if table.is_empty() {
        return Ok(say("no jobs")?);
    }
    say(table.text())?;
    if shown < total {
        remark(format_args!("{shown} of {total} jobs"));
    }
    Ok(())
}

/// Returns path and query of the request.
fn path(matches: &ArgMatches, format: Format) -> Result<String, Fault> {
    let mut query = Vec::new();
    let mut add = |key: &str, value: &str| query.push(format!("{key}={}", encode(value)));
    for (name, key) in [("query", "q"), ("status", "status"), ("disabled", "disabled")] {
        if let Some(value) = text(matches, name) {
            add(key, value);
        }
    }
    if let Some(field) = text(matches, "sort") {
        add("_sort", field);
    }
    if matches.get_flag("desc") {
        add("_order", "DESC");
    }
    if let Some(limit) = matches.get_one::<u64>("limit") {
        add("_start", "0");
        add("_end", &limit.to_string());
    }
    for pair in texts(matches, "metadata") {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Fault::Text(format!("--metadata is \"{pair}\"; expected KEY=VALUE")))?;
        add(&format!("metadata[{}]", encode(key)), value);
    }
    if format == Format::Json {
        add("pretty", "true");
    }
    Ok(if query.is_empty() {
        "/v1/jobs".to_owned()
    } else {
        format!("/v1/jobs?{}", query.join("&"))
    })
}

fn cells(job: &Value) -> [String; 7] {
    let schedule = match (shown::text(job, "schedule"), shown::text(job, "parent_job")) {
        (schedule, "") => schedule.to_owned(),
        ("", parent) => format!("after {parent}"),
        (schedule, parent) => format!("after {parent} ({schedule})"),
    };
    let is_disabled = is_true(job, "disabled");
    [
        shown::text(job, "name").to_owned(),
        schedule,
        if is_disabled { "disabled" } else { "enabled" }.to_owned(),
        shown::text(job, "status").to_owned(),
        shown::number(job, "success_count"),
        shown::number(job, "error_count"),
        // What is shown of a disabled job is when it would fire.
        instant_text(instant(job, "next").filter(|_| !is_disabled)),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path_of(words: &[&str]) -> Result<String, Fault> {
        let words = std::iter::once("list").chain(words.iter().copied());
        path(&command().try_get_matches_from(words).unwrap(), Format::Table)
    }

    #[test]
    fn what_is_asked_for_is_a_query() {
        assert_eq!(path_of(&[]).unwrap(), "/v1/jobs");
        assert_eq!(
            path_of(&["-qa b", "--sort=next", "--desc", "-n", "5", "--metadata", "a[=b=c"])
                .unwrap(),
            "/v1/jobs?q=a%20b&_sort=next&_order=DESC&_start=0&_end=5&metadata[a%5B]=b%3Dc"
        );
        assert!(path_of(&["--metadata", "a"]).is_err());
    }

    #[test]
    fn a_child_shows_what_it_follows_and_a_disabled_job_no_next_fire() {
        let job = json!({"name": "a", "schedule": "", "parent_job": "b", "disabled": true,
                         "status": "", "success_count": 2, "error_count": 0,
                         "next": "2026-11-21T06:40:58Z"});
        assert_eq!(cells(&job), ["a", "after b", "disabled", "", "2", "0", ""]);
    }
}
