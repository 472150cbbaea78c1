//! Log lines as Dkron writes them: `time="…" level=info msg="…" key=value`, on stderr.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::clock;
use crate::config::LogLevel;

/// Makes log lines of this process appear on stderr, from `level` on, which can be changed.
pub(super) fn install(level: LogLevel) -> LevelHandle {
    let (heard, handle) = reload::Layer::new(heard_from(level));
    let lines = tracing_subscriber::fmt::layer().event_format(Line).with_writer(std::io::stderr);
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

/// Writes one event as a line.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = clock::now().truncate_to_s();
        let level = level_text(*event.metadata().level());
        writeln!(
            writer,
            "time=\"{time}\" level={level} msg={}{}",
            Quoted(&fields.message),
            fields.rest
        )
    }
}

const fn level_text(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The message of an event, and its other fields as they are written.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            let plain = !value.is_empty()
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/@^+:".contains(&b));
            // Writing to a String cannot fail.
            let _ = match plain {
                true => write!(self.rest, " {}={value}", field.name()),
                false => write!(self.rest, " {}={}", field.name(), Quoted(value)),
            };
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// A text in quotes, on one line whatever it holds.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        let written = Written::default();
        let writer = written.clone();
        let lines =
            tracing_subscriber::fmt::layer().event_format(Line).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(node = "n1", address = %"127.0.0.1:80", text = "a \"b\"\n", "api: run");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once("Z\" ").unwrap();
        assert!(time.starts_with("time=\"20"), "{text}");
        assert_eq!(
            rest,
            "level=warning msg=\"api: run\" node=n1 address=127.0.0.1:80 text=\"a \\\"b\\\"\\n\"\n"
        );
    }
}
