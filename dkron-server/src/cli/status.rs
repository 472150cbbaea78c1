//! `dkron status`: how a node and its cluster are.

use std::process::ExitCode;

use axum::http::StatusCode;
use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::remote::{Fault, Format, client, ended, format, say_json, with_remote_args};
use super::shown::{is_true, text};
use super::table::Table;
use crate::client::{Ask, Client, ClientError};
use crate::terminal::{printable, say};

/// What is being done, for messages.
const WHAT: &str = "ask for the status";

pub(super) fn command() -> Command {
    with_remote_args(
        Command::new("status").about("Show how a node and its cluster are").after_help(
            "Exit code 0 if the node answers, whatever it says.\n\n\
         Examples:\n  dkron status\n  dkron status --http-addr node1:8080 -o json",
        ),
    )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    ended(show(matches))
}

fn show(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let status = collect(&client)?;
    match format(matches) {
        Format::Json => say_json(&status),
        Format::Table => Ok(say(shown(&status))?),
    }
}

/// Asks all that there is to a status.
fn collect(client: &Client) -> Result<Value, ClientError> {
    let own = client.succeed(Ask::get(WHAT, "/v1"))?.json()?;
    // Without a leader it is a 500 with `null`.
    let leader = client.send(Ask::get(WHAT, "/v1/leader"))?;
    let leader = if leader.status().is_success() { leader.json()? } else { Value::Null };
    let (is_ready, reason) = readiness(client, !leader.is_null())?;
    let members = client.succeed(Ask::get(WHAT, "/v1/members"))?.json()?;
    let paused = client.succeed(Ask::get(WHAT, "/v1/pause"))?.json()?;
    let jobs = client.succeed(Ask::get(WHAT, "/v1/jobs?_start=0&_end=0"))?.total();
    let busy = client.succeed(Ask::get(WHAT, "/v1/busy"))?;
    Ok(json!({
        "url": client.address().to_string(),
        "node": own.pointer("/agent/name"),
        "version": own.pointer("/agent/version"),
        "leader": leader.get("Name"),
        "ready": is_ready,
        "reason": reason,
        "jobs": jobs,
        "submissions_paused": is_true(&paused, "paused"),
        "running": busy.total(),
        "waiting": busy.number("x-dkron-waiting-count"),
        "members": members,
    }))
}

/// Returns whether writes are accepted, and if not, why.
fn readiness(client: &Client, has_leader: bool) -> Result<(bool, Option<String>), ClientError> {
    let answer = client.send(Ask::get(WHAT, "/health/ready"))?;
    match answer.status() {
        StatusCode::OK => Ok((true, None)),
        // Older servers have no such path, and take writes if there is a leader.
        StatusCode::NOT_FOUND => Ok((has_leader, None)),
        StatusCode::SERVICE_UNAVAILABLE => {
            Ok((false, Some(text(&answer.json()?, "reason").to_owned())))
        }
        _ => Err(answer.into_refusal()),
    }
}

fn shown(status: &Value) -> String {
    let member_text = |member: &Value, tag: &str| {
        text(member.get("Tags").unwrap_or(&Value::Null), tag).to_owned()
    };
    let number = |key: &str| match status.get(key).and_then(Value::as_u64) {
        Some(number) => number.to_string(),
        None => "?".to_owned(),
    };
    let waiting = match status.get("waiting").and_then(Value::as_u64) {
        Some(waiting) => format!(", {waiting} waiting for a place"),
        None => String::new(),
    };
    let writes = match (is_true(status, "ready"), text(status, "reason")) {
        (true, _) => "accepted".to_owned(),
        (false, "") => "not accepted: no leader".to_owned(),
        (false, reason) => format!("not accepted: {reason}"),
    };
    let paused =
        if is_true(status, "submissions_paused") { ", submissions are paused" } else { "" };
    let leader = match text(status, "leader") {
        "" => "none",
        leader => leader,
    };
    let mut lines = String::new();
    for (label, value) in [
        ("Node", format!("{} (version {})", text(status, "node"), text(status, "version"))),
        ("API", text(status, "url").to_owned()),
        ("Leader", leader.to_owned()),
        ("Writes", writes),
        ("Jobs", format!("{}{paused}", number("jobs"))),
        ("Running", format!("{}{waiting}", number("running"))),
    ] {
        lines.push_str(&format!("{label:<8} {}\n", printable(&value)));
    }
    let mut members = Table::new(["MEMBER", "ADDRESS", "STATUS", "SERVER", "REGION", "VERSION"]);
    for member in status.get("members").and_then(Value::as_array).into_iter().flatten() {
        let port = member.get("Port").and_then(Value::as_u64).unwrap_or_default();
        members.push([
            text(member, "Name").to_owned(),
            format!("{}:{port}", text(member, "Addr")),
            text(member, "statusText").to_owned(),
            if member_text(member, "server") == "true" { "yes" } else { "no" }.to_owned(),
            member_text(member, "region"),
            member_text(member, "version"),
        ]);
    }
    format!("{lines}\n{}", members.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_leader_says_so() {
        let text = shown(&json!({"url": "http://n1:8080", "node": "n1", "version": "4",
            "leader": null, "ready": false, "reason": "no leader", "jobs": 2,
            "submissions_paused": true, "running": 0, "waiting": null,
            "members": [{"Name": "n1", "Addr": "10.0.0.1", "Port": 8946, "statusText": "alive",
                         "Tags": {"server": "true", "region": "global"}}]}));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "Node     n1 (version 4)",
                "API      http://n1:8080",
                "Leader   none",
                "Writes   not accepted: no leader",
                "Jobs     2, submissions are paused",
                "Running  0",
            ]
        );
        assert_eq!(lines[8], "n1      10.0.0.1:8946  alive   yes     global  -");
    }
}
