//! Lines of JSON: one object for each event, its fields beside `time`, `level` and `msg`.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, Quoted, Value, level_text};
use crate::clock;

/// Writes one event as a line of JSON.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
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
        let (time, level) = (clock::now(), level_text(*event.metadata().level()));
        let message = Quoted(&fields.message);
        write!(writer, "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":{message}")?;
        for (name, value) in &fields.rest {
            match value {
                Value::Plain(value) => write!(writer, ",{}:{value}", Quoted(name))?,
                Value::Text(value) => write!(writer, ",{}:{}", Quoted(name), Quoted(value))?,
            }
        }
        writeln!(writer, "}}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::written;
    use super::*;

    #[test]
    fn a_line_is_an_object_whatever_it_holds() {
        let hostile = "a\"\\\n\r\t\u{1b}\u{9b}\u{7f}ß\u{2028}";
        let text = written(JsonLine, || {
            let (ratio, level) = (f64::NAN, "mine");
            tracing::warn!(job = hostile, runs = 3, is_new = true, ratio, level, "{hostile}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.trim_end().contains(|c: char| c.is_control()), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["job"], &line["msg"]), (&hostile.into(), &hostile.into()));
        assert_eq!((&line["runs"], &line["is_new"]), (&3.into(), &true.into()));
        assert_eq!((&line["level"], &line["fields.level"]), (&"warning".into(), &"mine".into()));
        assert_eq!(line["ratio"], "NaN");
        assert!(line["time"].as_str().unwrap().starts_with("20"), "{text}");
    }
}
