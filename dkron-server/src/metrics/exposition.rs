//! The page of metrics: Prometheus' text format 0.0.4 and OpenMetrics 1.0.

use std::fmt::Write as _;

use super::catalog::{CATALOG, Kind, Metric, Values};
use super::figures::Figures;

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses what a client likes best, by its header `Accept`; of equals the text, as Dkron.
    pub(crate) fn accepted(accept: &str) -> Self {
        let best = |wanted: fn(&MediaRange<'_>) -> bool| {
            let ranges = accept.split(',').map(MediaRange::parse);
            ranges.filter(wanted).map(|range| range.quality).fold(0.0, f64::max)
        };
        let open_metrics = best(|range| {
            range.name.eq_ignore_ascii_case("application/openmetrics-text")
                && matches!(range.version, None | Some("1.0.0"))
        });
        let text = best(|range| range.name.eq_ignore_ascii_case("text/plain"));
        if open_metrics > text { Self::OpenMetrics } else { Self::Text }
    }

    /// Returns the media type of the page.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns the name under which a metric is described: counters lose their suffix here.
    fn family(self, metric: &Metric) -> &'static str {
        match (self, metric.kind) {
            (Self::OpenMetrics, Kind::Counter) => metric.name.trim_end_matches("_total"),
            (Self::OpenMetrics, Kind::Info) => metric.name.trim_end_matches("_info"),
            _ => metric.name,
        }
    }

    const fn kind(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (_, Kind::Counter) | (Self::Text, Kind::OldCounter) => "counter",
            // OpenMetrics has no counter without its suffix.
            (Self::OpenMetrics, Kind::OldCounter) => "unknown",
            (Self::OpenMetrics, Kind::Info) => "info",
            (_, Kind::Gauge) | (Self::Text, Kind::Info) => "gauge",
            (_, Kind::Histogram) => "histogram",
        }
    }
}

/// One of the media types that a client accepts.
struct MediaRange<'a> {
    name: &'a str,
    version: Option<&'a str>,
    /// How much it is liked, from 0 to 1.
    quality: f64,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut range = Self { name, version: None, quality: 1.0 };
        for (key, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            match key.trim() {
                "version" => range.version = Some(value.trim().trim_matches('"')),
                "q" => range.quality = value.trim().parse().unwrap_or(0.0),
                _ => {}
            }
        }
        range
    }
}

/// Writes the page.
pub(super) fn write(figures: &Figures, format: Format) -> String {
    let mut page = String::new();
    for metric in &CATALOG {
        // Writing to a String cannot fail.
        let _ = write_metric(&mut page, metric, &(metric.read)(figures), format);
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

fn write_metric(
    page: &mut String,
    metric: &Metric,
    values: &Values<'_>,
    format: Format,
) -> std::fmt::Result {
    let has_none = match values {
        Values::None => true,
        Values::Labelled(values) => values.is_empty(),
        Values::Number(_) | Values::Spans(_) => false,
    };
    if has_none {
        return Ok(());
    }
    let (name, family) = (metric.name, format.family(metric));
    writeln!(page, "# HELP {family} {}", metric.help)?;
    writeln!(page, "# TYPE {family} {}", format.kind(metric.kind))?;
    if let (Format::OpenMetrics, Some(unit)) = (format, metric.unit()) {
        writeln!(page, "# UNIT {family} {unit}")?;
    }
    match values {
        Values::None => Ok(()),
        Values::Number(number) => writeln!(page, "{name} {number}"),
        Values::Labelled(values) => {
            let label = metric.label.unwrap_or_default();
            values.iter().try_for_each(|(value, number)| {
                writeln!(page, "{name}{{{label}=\"{}\"}} {number}", escaped(value))
            })
        }
        Values::Spans(spans) => {
            for (bound, count) in spans.cumulative() {
                let bound = bound.as_secs_f64();
                match format {
                    Format::Text => writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {count}")?,
                    // There a bound is a float, and is written as one.
                    Format::OpenMetrics => {
                        writeln!(page, "{name}_bucket{{le=\"{bound:?}\"}} {count}")?;
                    }
                }
            }
            let (count, sum) = (spans.count(), spans.sum().as_secs_f64());
            writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {count}")?;
            writeln!(page, "{name}_sum {sum}\n{name}_count {count}")
        }
    }
}

/// Returns a value as it stands between the quotes of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
#[path = "exposition_test.rs"]
mod tests;
