//! What is asked about a schedule.

use clap::ArgMatches;
use dkron_core::limits::EXPLAINED_FIRES_MAX;
use dkron_core::schedule::{DstPolicy, Schedule, ScheduleContext, ScheduleError};
use dkron_core::{Timestamp, Zone};
use serde_json::{Map, Value};

use crate::clock;

/// Fire times shown without a count.
const COUNT_DEFAULT: usize = 5;

/// Which command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Next,
    Explain,
    Check,
}

/// A schedule with what its meaning depends on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) id: Value,
    pub(super) expr: Option<String>,
    pub(super) tz: String,
    pub(super) job: String,
    pub(super) dst: DstPolicy,
    pub(super) from: Timestamp,
    pub(super) count: usize,
}

impl Question {
    /// Reads the arguments of a command.
    ///
    /// # Errors
    ///
    /// Which of them is wrong, in words.
    pub(super) fn from_args(matches: &ArgMatches) -> Result<Self, String> {
        let text = |name: &str| match matches.try_get_one::<String>(name) {
            Ok(value) => value.cloned(),
            Err(_) => None,
        };
        let count = matches.try_get_one::<usize>("n").ok().flatten().copied();
        Ok(Self {
            id: Value::Null,
            expr: text("expr"),
            tz: text("tz").unwrap_or_default(),
            job: text("job").unwrap_or_default(),
            dst: text("dst").map_or(Ok(DstPolicy::default()), |dst| parse_dst(&dst))?,
            from: text("from").map_or_else(|| Ok(clock::now()), |from| parse_from(&from))?,
            count: count.map_or(Ok(COUNT_DEFAULT), checked_count)?,
        })
    }

    /// Reads one line of JSON; what it does not say is as in `self`.
    ///
    /// # Errors
    ///
    /// The id, if there is one, and what is wrong, in words.
    pub(super) fn with_line(&self, line: &str) -> Result<Self, (Value, String)> {
        let mut members: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| (Value::Null, format!("not a JSON object: {error}")))?;
        let id = members.remove("id").unwrap_or_default();
        self.fill_in(members)
            .map(|question| Self { id: id.clone(), ..question })
            .map_err(|fault| (id, fault))
    }

    fn fill_in(&self, members: Map<String, Value>) -> Result<Self, String> {
        let mut question = self.clone();
        for (key, value) in members {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("expr", Value::String(expr)) => question.expr = Some(expr),
                ("tz", Value::String(tz)) => question.tz = tz,
                ("job", Value::String(job)) => question.job = job,
                ("dst", Value::String(dst)) => question.dst = parse_dst(&dst)?,
                ("from", Value::String(from)) => question.from = parse_from(&from)?,
                ("n", Value::Number(count)) if count.is_u64() => {
                    let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
                    question.count = checked_count(count.unwrap_or(usize::MAX))?;
                }
                ("expr" | "tz" | "job" | "dst" | "from", _) => {
                    return Err(format!("{key} must be a text"));
                }
                ("n", _) => return Err("n must be a whole number".to_owned()),
                _ => {}
            }
        }
        if question.expr.is_none() {
            return Err("expr is missing".to_owned());
        }
        Ok(question)
    }

    /// Returns the expression; empty if there is none.
    pub(super) fn expr(&self) -> &str {
        self.expr.as_deref().unwrap_or_default()
    }

    /// Returns what the meaning of the expression depends on.
    pub(super) fn context(&self) -> ScheduleContext<'_> {
        ScheduleContext {
            timezone: &self.tz,
            job: &self.job,
            dst: self.dst,
            server_zone: Zone::UTC,
        }
    }

    /// Parses the expression.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`].
    pub(super) fn parse(&self) -> Result<Schedule, ScheduleError> {
        Schedule::parse(self.expr(), &self.context())
    }
}

/// Refuses more fire times than one answer has.
fn checked_count(count: usize) -> Result<usize, String> {
    if count > EXPLAINED_FIRES_MAX {
        return Err(format!(
            "n is {count}; an answer has at most {EXPLAINED_FIRES_MAX} fire times"
        ));
    }
    Ok(count)
}

fn parse_dst(text: &str) -> Result<DstPolicy, String> {
    match text {
        "once" => Ok(DstPolicy::Once),
        "wall" => Ok(DstPolicy::Wall),
        _ => Err(format!("dst is \"{text}\", not \"once\" or \"wall\"")),
    }
}

fn parse_from(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).map_err(|error| format!("from: {error}"))
}
