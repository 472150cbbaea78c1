//! What there is to tell a collector: what was counted since it was told last, and how it is now.

use std::collections::BTreeMap;
use std::time::Duration;

use dkron_core::Histogram;

use super::super::catalog::{CATALOG, Kind, Metric, Values};
use super::super::figures::Figures;

/// One line to tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Of the metric, and of what is told of a histogram.
    pub(super) name: String,
    /// The label of the metric, and its value.
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: ChangeValue,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ChangeValue {
    /// So many more than the last time.
    Count(f64),
    /// It is this now.
    Gauge(f64),
}

/// What collectors were told last.
#[derive(Default)]
pub(super) struct Told {
    counts: BTreeMap<(&'static str, String), f64>,
    spans: BTreeMap<&'static str, Histogram>,
}

impl Told {
    /// Returns what is new, and takes it for told.
    pub(super) fn changes(&mut self, figures: &Figures) -> Vec<Change> {
        let mut changes = Vec::new();
        // Of series that are gone nothing is kept.
        let before = std::mem::take(&mut self.counts);
        for metric in &CATALOG {
            match (metric.read)(figures) {
                Values::None => {}
                Values::Number(number) => {
                    self.add(&mut changes, &before, metric, None, number);
                }
                Values::Labelled(values) => {
                    for (value, number) in values {
                        self.add(&mut changes, &before, metric, Some(value), number);
                    }
                }
                Values::Spans(spans) => self.add_spans(&mut changes, metric.name, spans),
            }
        }
        changes
    }

    fn add(
        &mut self,
        changes: &mut Vec<Change>,
        before: &BTreeMap<(&'static str, String), f64>,
        metric: &Metric,
        value: Option<&str>,
        number: f64,
    ) {
        let label = metric.label.zip(value).map(|(label, value)| (label, value.to_owned()));
        let change = |value| Change { name: metric.name.to_owned(), label, value };
        if !matches!(metric.kind, Kind::Counter | Kind::OldCounter) {
            changes.push(change(ChangeValue::Gauge(number)));
            return;
        }
        let key = (metric.name, value.unwrap_or_default().to_owned());
        // A count that is smaller began anew: its job was deleted and made again.
        let told = before.get(&key).copied().filter(|told| *told <= number).unwrap_or(0.0);
        self.counts.insert(key, number);
        if number > told {
            changes.push(change(ChangeValue::Count(number - told)));
        }
    }

    /// Tells of the spans that are new: how many, how long on average, and nearly the longest.
    fn add_spans(&mut self, changes: &mut Vec<Change>, name: &'static str, spans: &Histogram) {
        let told = self.spans.insert(name, spans.clone());
        let told_count = told.as_ref().map_or(0, Histogram::count);
        let count = spans.count().saturating_sub(told_count);
        if count == 0 {
            return;
        }
        let told_sum = told.as_ref().map_or(Duration::ZERO, Histogram::sum);
        let mean_s = spans.sum().saturating_sub(told_sum).as_secs_f64() / count as f64;
        let values = [
            ("count", ChangeValue::Count(count as f64)),
            ("mean", ChangeValue::Gauge(mean_s)),
            ("p99", ChangeValue::Gauge(bound_of(99, count, spans, told.as_ref()).as_secs_f64())),
        ];
        for (part, value) in values {
            changes.push(Change { name: format!("{name}.{part}"), label: None, value });
        }
    }
}

/// Returns a bound that at least `percent` of the `count` spans that are new keep; the last one if
/// none is kept by so many.
fn bound_of(percent: u64, count: u64, spans: &Histogram, told: Option<&Histogram>) -> Duration {
    let wanted = count.saturating_mul(percent).div_ceil(100);
    let told = told.into_iter().flat_map(|told| told.cumulative().map(|(_, count)| count));
    let told = told.chain(std::iter::repeat(0));
    let mut last = Duration::ZERO;
    for ((bound, count), told) in spans.cumulative().zip(told) {
        last = bound;
        if count.saturating_sub(told) >= wanted {
            break;
        }
    }
    last
}
