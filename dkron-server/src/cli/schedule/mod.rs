//! `dkron schedule`: when an expression fires, what it means, and whether it is one.
//!
//! Works on its arguments, or line by line on standard input; no node has to run.
//!
//! # Where to begin reading
//!
//! [`run`]; `question` is what is asked, `answer` is what is said, as text or as JSON.

mod answer;
mod lines;
mod question;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use self::question::{Ask, Question};
use super::{FAILED, option};
use crate::terminal::complain;

const LINES_HELP: &str = r#"Without an expression, questions are read from standard input,
one JSON object a line, and answered line by line:
  {"id": 1, "expr": "30 2 * * *", "tz": "Europe/Berlin", "from": "2026-03-28T00:00:00Z"}
Keys: expr; id (any value, returned as it is); tz, from, n, job and dst as the options above."#;

const NEXT_HELP: &str = r#"Examples:
  dkron schedule next '0 30 2 * * *' --tz Europe/Berlin -n 3
  dkron schedule next '*/5 9-17 * * MON-FRI'"#;

const NEXT_ANSWERS: &str = r#"Answers: {"id", "next": [RFC 3339 ...]} or {"id", "error"}."#;

const EXPLAIN_HELP: &str = r#"Example:
  dkron schedule explain '0 0 9 ? * MON-FRI' --tz America/New_York"#;

const EXPLAIN_ANSWERS: &str = r#"Answers:
  {"id", "explanation", "expression", "clock_changes", "zone", "next"} or
  {"id", "error", "hint", "at"}."#;

const CHECK_HELP: &str = r#"Exit code 0 if it is accepted, 1 if not; on standard input
1 if any line was refused.

Example:
  dkron schedule check '0 0 25 * * *'"#;

const CHECK_ANSWERS: &str = r#"Answers: {"id", "ok": true} or {"id", "error", "hint", "at"}."#;

pub(super) fn command() -> Command {
    let help = |help: &str, answers: &str| format!("{help}\n\n{LINES_HELP}\n{answers}");
    let next = Command::new("next")
        .about("Show when a schedule fires next")
        .after_help(help(NEXT_HELP, NEXT_ANSWERS))
        .arg(count_arg());
    let explain = Command::new("explain")
        .about("Say in English what a schedule means")
        .after_help(help(EXPLAIN_HELP, EXPLAIN_ANSWERS))
        .arg(count_arg());
    let check = Command::new("check")
        .about("Say whether a schedule is accepted, and if not, why")
        .after_help(help(CHECK_HELP, CHECK_ANSWERS));
    Command::new("schedule")
        .about("Show when schedules fire and what they mean")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([next, explain, check].map(with_schedule_args))
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let (ask, matches) = match matches.subcommand() {
        Some(("next", matches)) => (Ask::Next, matches),
        Some(("explain", matches)) => (Ask::Explain, matches),
        Some(("check", matches)) => (Ask::Check, matches),
        _ => return ExitCode::from(FAILED),
    };
    let defaults = Question::from_args(matches);
    let answered = match &defaults {
        Err(fault) => Err(fault.clone()),
        Ok(question) if question.expr.is_some() => answer::to_terminal(ask, question),
        Ok(question) => match lines::answer_all(ask, question) {
            // Which ones is said line by line.
            Ok(false) if ask == Ask::Check => return ExitCode::from(FAILED),
            answered => answered.map(drop),
        },
    };
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            complain(fault);
            ExitCode::from(FAILED)
        }
    }
}

fn with_schedule_args(command: Command) -> Command {
    let has_from = command.get_arguments().any(|arg| arg.get_id() == "n");
    let command =
        command
            .arg(Arg::new("expr").value_name("EXPRESSION").allow_hyphen_values(true).help(
                "The schedule, in quotes; without it, questions are read from standard input",
            ))
            .arg(option("tz", "ZONE", "Time zone of the job, such as Europe/Berlin (default UTC)"))
            .arg(option("job", "NAME", "Name of the job, from which ~ is derived"))
            .arg(
                option("dst", "once|wall", "What a change of the clock does (default once)")
                    .value_parser(["once", "wall"]),
            );
    if !has_from {
        return command;
    }
    command.arg(option(
        "from",
        "INSTANT",
        "Show what is later than this, in RFC 3339 (default now)",
    ))
}

fn count_arg() -> Arg {
    Arg::new("n")
        .short('n')
        .long("count")
        .action(ArgAction::Set)
        .value_parser(value_parser!(usize))
        .value_name("N")
        .help("How many fire times (default 5, at most 1000)")
}
