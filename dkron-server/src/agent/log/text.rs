//! Lines as Dkron writes them: `time="…" level=info msg="…" key=value`.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, Quoted, Value, level_text};
use crate::clock;

/// Writes one event as a line of text.
pub(super) struct TextLine {
    /// Whether somebody looks at it who likes colours.
    pub(super) has_colours: bool,
}

impl<S, N> FormatEvent<S, N> for TextLine
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
        let fields = Fields::of(event);
        let time = clock::now().truncate_to_s();
        let level = event.metadata().level();
        let (begin, end) = if self.has_colours { (colour(*level), "\x1b[0m") } else { ("", "") };
        let (level, message) = (level_text(*level), Quoted(&fields.message));
        write!(writer, "time=\"{time}\" level={begin}{level}{end} msg={message}")?;
        for (name, value) in &fields.rest {
            match value {
                Value::Plain(value) => write!(writer, " {name}={value}")?,
                Value::Text(value) if is_plain(value) => write!(writer, " {name}={value}")?,
                Value::Text(value) => write!(writer, " {name}={}", Quoted(value))?,
            }
        }
        writeln!(writer)
    }
}

/// Returns whether a text needs no quotes.
fn is_plain(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/@^+:".contains(&b);
    !text.is_empty() && text.bytes().all(is_plain)
}

/// Returns what makes a terminal write in the colour of a level.
const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[36m",
        Level::DEBUG | Level::TRACE => "\x1b[37m",
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::written;
    use super::*;

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        let text = written(TextLine { has_colours: false }, || {
            let address = "127.0.0.1:80";
            tracing::warn!(node = "n1", %address, text = "a \"b\"\n", runs = 3, "api: run");
        });
        let (time, rest) = text.split_once("Z\" ").unwrap();
        assert!(time.starts_with("time=\"20"), "{text}");
        assert_eq!(
            rest,
            "level=warning msg=\"api: run\" node=n1 address=127.0.0.1:80 text=\"a \\\"b\\\"\\n\" \
             runs=3\n"
        );
    }

    #[test]
    fn only_the_level_has_a_colour_and_no_field_can_bring_one() {
        let text = written(TextLine { has_colours: true }, || {
            tracing::error!(job = "\x1b[31m", "run");
        });
        assert!(text.contains("level=\x1b[31merror\x1b[0m msg=\"run\" job=\"\\u001b[31m\"\n"));
    }
}
