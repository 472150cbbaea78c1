//! `dkron executions`: what became of the runs of a job; with `--follow`, as it happens.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use super::remote::{Fault, Format, client, ended, format, text, with_remote_args};
use super::shown::{self, instant, instant_text, is_true, span_text};
use super::table::Table;
use crate::client::{Ask, Client, encode};
use crate::terminal::Output;

/// Executions shown without a number.
const SHOWN_DEFAULT: usize = 20;

/// Between two looks at a history that is followed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far back a look goes; a job that starts more often is not followed by eye.
const LOOK_BACK_MAX: usize = 1_000;

/// How many ended executions are known as such: more than a look goes back.
const ENDED_KNOWN_MAX: usize = 4 * LOOK_BACK_MAX;

/// The columns of a list of executions.
pub(super) const HEADING: [&str; 6] = ["STARTED", "RESULT", "DURATION", "ATTEMPT", "NODE", "ID"];

pub(super) fn command() -> Command {
    let command = Command::new("executions")
        .about("Show the executions of a job, the newest first")
        .after_help(
            "With --follow the newest come last, and each is shown when it starts and when it\n\
             ends, until it is interrupted; as JSON, one object a line.\n\n\
             Examples:\n  dkron executions backup\n  dkron executions backup --follow\n  \
             dkron executions backup --with-output -n 1",
        )
        .arg(Arg::new("job").value_name("JOB").required(true).help("Name of the job"))
        .arg(
            Arg::new("follow")
                .short('f')
                .long("follow")
                .action(ArgAction::SetTrue)
                .help("Go on showing executions as they start and end"),
        )
        .arg(
            Arg::new("limit")
                .short('n')
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("How many executions (default 20; with --follow at most 1000)"),
        )
        .arg(
            Arg::new("with-output")
                .long("with-output")
                .action(ArgAction::SetTrue)
                .help("Show what each has written, too"),
        );
    with_remote_args(command)
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    ended(show(matches))
}

fn show(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client(matches)?;
    let history = History {
        client: &client,
        job: text(matches, "job").unwrap_or_default(),
        has_output: matches.get_flag("with-output"),
    };
    let limit = matches.get_one::<usize>("limit").copied().unwrap_or(SHOWN_DEFAULT);
    if matches.get_flag("follow") {
        return Follow::new(format(matches), history.has_output).run(&history, limit);
    }
    let executions = history.newest(limit)?;
    let mut output = Output::new();
    match format(matches) {
        Format::Json => output.write(format!("{:#}\n", Value::Array(executions)).as_bytes())?,
        Format::Table => output.write(listed(&executions, history.has_output).as_bytes())?,
    }
    Ok(())
}

/// The executions of one job, as a node tells them.
pub(super) struct History<'a> {
    pub(super) client: &'a Client,
    pub(super) job: &'a str,
    pub(super) has_output: bool,
}

impl History<'_> {
    /// Returns the newest executions, the newest first.
    pub(super) fn newest(&self, limit: usize) -> Result<Vec<Value>, Fault> {
        let mut newest = Vec::new();
        if limit == 0 {
            return Ok(newest);
        }
        self.until(|execution| {
            newest.push(execution);
            if newest.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(newest)
    }

    /// Returns the instant of the newest execution, 0 if there is none.
    fn newest_ns(&self) -> Result<i64, Fault> {
        Ok(self.newest(1)?.first().map_or(0, due_ns))
    }

    /// Hands out executions, the newest first, until `take` has enough.
    pub(super) fn until(
        &self,
        mut take: impl FnMut(Value) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let output = if self.has_output { "" } else { "?output_size_limit=0" };
        let what = format!("list the executions of job \"{}\"", self.job);
        let path = format!("/v1/jobs/{}/executions{output}", encode(self.job));
        let Some(answer) = self.client.find(Ask::get(what, path))? else {
            return Err(no_such_job(self.job));
        };
        Ok(answer.each_value(|execution| Ok(take(execution)))?)
    }
}

/// The fault of a command that names a job which does not exist.
pub(super) fn no_such_job(job: &str) -> Fault {
    Fault::Text(format!("there is no job \"{job}\"; `dkron job list` shows those there are"))
}

/// Returns the cells of an execution.
pub(super) fn cells(execution: &Value) -> [String; 6] {
    let (from, to) = (instant(execution, "started_at"), instant(execution, "finished_at"));
    [
        instant_text(from),
        result(execution).to_owned(),
        span_text(from, to),
        shown::number(execution, "attempt"),
        shown::text(execution, "node_name").to_owned(),
        shown::text(execution, "id").to_owned(),
    ]
}

/// Returns the word for what became of an execution.
fn result(execution: &Value) -> &'static str {
    if !has_ended(execution) {
        "running"
    } else if is_true(execution, "success") {
        "success"
    } else {
        "failed"
    }
}

fn has_ended(execution: &Value) -> bool {
    instant(execution, "finished_at").is_some()
}

/// Returns a list of executions for people, each with what it wrote if that is wanted.
pub(super) fn listed(executions: &[Value], has_output: bool) -> String {
    if executions.is_empty() {
        return "no executions\n".to_owned();
    }
    let mut table = Table::new(HEADING);
    if !has_output {
        executions.iter().for_each(|execution| table.push(cells(execution)));
        return table.text() + "\n";
    }
    // The widths are those of all rows.
    executions.iter().for_each(|execution| drop(table.line(cells(execution))));
    let mut text = table.heading() + "\n";
    for execution in executions {
        text += &format!("{}\n{}", table.line(cells(execution)), output_lines(execution));
    }
    text
}

/// Returns what an execution wrote, indented, as a terminal may show it.
fn output_lines(execution: &Value) -> String {
    let output = shown::text(execution, "output");
    let lines = output.lines().map(|line| {
        let line: Vec<String> = line.split('\t').map(crate::terminal::printable).collect();
        format!("    {}\n", line.join("\t"))
    });
    lines.collect()
}

/// A history that is shown as it grows.
struct Follow {
    format: Format,
    has_output: bool,
    table: Table<6>,
    output: Output,
    /// Those shown as running.
    running: BTreeSet<String>,
    /// Those shown as ended, of the last looks.
    ended: BTreeSet<String>,
    /// The same, oldest first.
    ended_order: VecDeque<String>,
}

impl Follow {
    fn new(format: Format, has_output: bool) -> Self {
        Self {
            format,
            has_output,
            table: Table::new(HEADING),
            output: Output::new(),
            running: BTreeSet::new(),
            ended: BTreeSet::new(),
            ended_order: VecDeque::new(),
        }
    }

    fn run(mut self, history: &History<'_>, limit: usize) -> Result<(), Fault> {
        let mut found = history.newest(limit.min(LOOK_BACK_MAX))?;
        // What is older than what is shown first counts as shown.
        let mut first_ns = found.last().map_or(0, due_ns);
        if limit == 0 {
            first_ns = history.newest_ns()?;
        }
        if self.format == Format::Table {
            // The first rows make the columns as wide as they will mostly be.
            found.iter().for_each(|execution| drop(self.table.line(cells(execution))));
            self.output.write(format!("{}\n", self.table.heading()).as_bytes())?;
        }
        loop {
            for execution in found.iter().rev() {
                if self.is_news(execution) {
                    self.show(execution)?;
                }
            }
            if !self.output.has_reader() {
                return Ok(());
            }
            history.client.rest(LOOK_EVERY);
            found = self.look(history, first_ns, limit == 0)?;
        }
    }

    /// Returns the newest executions, back to where there is nothing new.
    fn look(
        &self,
        history: &History<'_>,
        first_ns: i64,
        is_later_only: bool,
    ) -> Result<Vec<Value>, Fault> {
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut open: BTreeSet<&str> = self.running.iter().map(String::as_str).collect();
        history.until(|execution| {
            let id = shown::text(&execution, "id");
            open.remove(id);
            seen += 1;
            let at_ns = due_ns(&execution);
            let is_older = at_ns < first_ns || (is_later_only && at_ns == first_ns);
            let is_known = is_older || self.ended.contains(id);
            if !is_known {
                found.push(execution);
            }
            if seen >= LOOK_BACK_MAX || (is_known && open.is_empty()) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    }

    /// Returns whether an execution has something new to show.
    fn is_news(&mut self, execution: &Value) -> bool {
        let id = shown::text(execution, "id").to_owned();
        if !has_ended(execution) {
            return self.running.insert(id);
        }
        self.running.remove(&id);
        if !self.ended.insert(id.clone()) {
            return false;
        }
        self.ended_order.push_back(id);
        if self.ended_order.len() > ENDED_KNOWN_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        true
    }

    fn show(&mut self, execution: &Value) -> Result<(), Fault> {
        let mut text = match self.format {
            Format::Json => format!("{execution}\n"),
            Format::Table => format!("{}\n", self.table.line(cells(execution))),
        };
        if self.has_output && self.format == Format::Table && has_ended(execution) {
            text += &output_lines(execution);
        }
        Ok(self.output.write(text.as_bytes())?)
    }
}

/// Returns the instant that the id of an execution begins with: when it was due.
fn due_ns(execution: &Value) -> i64 {
    let id = shown::text(execution, "id");
    id.split('-').next().and_then(|ns| ns.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn execution(n: u64, finished_at: &str) -> Value {
        json!({"id": format!("{n}-n1"), "job_name": "a", "started_at": "2026-11-21T06:40:58Z",
               "finished_at": finished_at, "success": n.is_multiple_of(2),
               "output": "one\n\u{1b}two\n", "node_name": "n1", "group": n, "attempt": 1})
    }

    #[test]
    fn a_row_says_what_became_of_an_execution() {
        let check = |n, finished_at: &str, result: &str, span: &str| {
            let cells = cells(&execution(n, finished_at));
            assert_eq!((cells[1].as_str(), cells[2].as_str()), (result, span));
        };
        check(1, "0001-01-01T00:00:00Z", "running", "");
        check(1, "2026-11-21T06:40:59.5Z", "failed", "1.500s");
        check(2, "2026-11-21T06:40:58Z", "success", "0.000s");
    }

    #[test]
    fn outputs_stand_under_their_executions() {
        let text = listed(&[execution(2, "2026-11-21T06:40:59Z")], true);
        assert!(text.ends_with("2-n1\n    one\n    \\u{1b}two\n"), "{text}");
        assert_eq!(listed(&[], true), "no executions\n");
    }

    #[test]
    fn what_is_followed_is_shown_when_it_starts_and_when_it_ends_and_once_each() {
        let mut follow = Follow::new(Format::Json, false);
        let running = execution(1, "0001-01-01T00:00:00Z");
        let over = execution(1, "2026-11-21T06:40:59Z");
        assert!(follow.is_news(&running));
        assert!(!follow.is_news(&running));
        assert!(follow.is_news(&over));
        assert!(!follow.is_news(&over));
    }
}
