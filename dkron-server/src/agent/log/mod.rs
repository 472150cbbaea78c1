//! The log of the daemon, on stderr: lines as Dkron writes them, or JSON.
//!
//! # Where to begin reading
//!
//! [`install`]; `text` and `json` write one line each, `fields` gathers what it says.
//!
//! # Invariants
//!
//! * One event is one line, whatever it holds.
//! * A line that concerns a job has a field `job`; one that concerns an execution has `execution`
//!   as well.

mod fields;
mod json;
mod text;

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

use self::json::JsonLine;
use self::text::TextLine;
use crate::config::{LogFormat, LogLevel};

/// Makes log lines of this process appear on stderr, from `level` on, which can be changed.
pub(super) fn install(level: LogLevel, format: LogFormat) -> LevelHandle {
    let (heard, handle) = reload::Layer::new(heard_from(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => {
            let var = |name| std::env::var_os(name);
            let is_terminal = std::io::stderr().is_terminal();
            let has_colours =
                shows_colours(is_terminal, var("NO_COLOR").as_deref(), var("TERM").as_deref());
            lines.event_format(TextLine { has_colours }).boxed()
        }
        LogFormat::Json => lines.event_format(JsonLine).boxed(),
    };
    // Fails only if there is a logger already: then that one is used.
    let _ = tracing_subscriber::registry().with(heard).with(lines).try_init();
    LevelHandle(handle)
}

/// Changes the level of the log.
pub(super) struct LevelHandle(Handle<Targets, Registry>);

impl LevelHandle {
    /// From now on lines appear from `level` on.
    pub(super) fn set(&self, level: LogLevel) {
        // Fails only if the logger is gone, which it never is while the process lives.
        let _ = self.0.reload(heard_from(level));
    }
}

/// Libraries are heard less: their information is ours only when somebody debugs.
fn heard_from(level: LogLevel) -> Targets {
    let (own, others) = match level {
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::ERROR),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::ERROR),
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
    };
    Targets::new()
        .with_target("dkron_core", own)
        .with_target("dkron_server", own)
        .with_default(others)
}

/// Returns whether levels are coloured: on a terminal, unless somebody wants none.
fn shows_colours(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    let is_unwanted = no_color.is_some_and(|value| !value.is_empty());
    let is_able = term.is_some_and(|term| !term.is_empty() && term != "dumb");
    is_terminal && is_able && !is_unwanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_coloured_on_a_terminal_unless_somebody_wants_none() {
        let check = |is_terminal: bool, no_color: Option<&str>, term: Option<&str>, want: bool| {
            let got = shows_colours(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new));
            assert_eq!(got, want, "{is_terminal} {no_color:?} {term:?}");
        };
        check(true, None, Some("xterm"), true);
        check(true, Some(""), Some("xterm"), true);
        check(true, Some("1"), Some("xterm"), false);
        check(true, None, Some("dumb"), false);
        check(true, None, None, false);
        check(false, None, Some("xterm"), false);
    }
}
