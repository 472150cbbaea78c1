//! Every metric: its name, what it means, and where its value comes from.
//!
//! Names that Dkron has are Dkron's, where they mean the same here. Those of a kind are never
//! renamed: dashboards are made of them.

use std::time::Duration;

use dkron_core::{EndedExecutions, Histogram, JobMetrics, Metrics};

use super::figures::Figures;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, until the process starts anew; its name ends in `_total`.
    Counter,
    /// A counter of Dkron's, whose name does not end in `_total`.
    OldCounter,
    /// Goes up and down.
    Gauge,
    /// Always 1: what it tells is in its label.
    Info,
    /// How many spans of time were how long.
    Histogram,
}

/// A metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) label: Option<&'static str>,
    pub(super) help: &'static str,
    /// Takes its value from the figures.
    pub(super) read: for<'a> fn(&'a Figures) -> Values<'a>,
}

/// The value of a metric.
pub(super) enum Values<'a> {
    /// It is not known.
    None,
    /// One number.
    Number(f64),
    /// A number for each value of its label.
    Labelled(Vec<(&'a str, f64)>),
    /// How many spans were how long.
    Spans(&'a Histogram),
}

impl Metric {
    /// Returns its unit: the last word of its name, if that is one.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let name = self.name.trim_end_matches("_total");
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit))
    }
}

const fn metric(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    read: for<'a> fn(&'a Figures) -> Values<'a>,
) -> Metric {
    Metric { name, kind, label: None, help, read }
}

const fn labelled(
    name: &'static str,
    kind: Kind,
    label: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Figures) -> Values<'a>,
) -> Metric {
    Metric { name, kind, label: Some(label), help, read }
}

/// All metrics, in the order of the page.
pub(super) static CATALOG: [Metric; 35] = [
    labelled(
        "dkron_build_info",
        Kind::Info,
        "version",
        "The version of this node; always 1.",
        |_| Values::Labelled(vec![(env!("CARGO_PKG_VERSION"), 1.0)]),
    ),
    metric(
        "dkron_healthy",
        Kind::Gauge,
        "Whether the node is at work: 0 once it has stopped itself, and only a restart helps.",
        |figures| truth(figures.is_healthy),
    ),
    metric("dkron_leader", Kind::Gauge, "Whether this node leads.", |figures| {
        of_node(figures, |node| truth(node.is_leader))
    }),
    metric(
        "dkron_leader_known",
        Kind::Gauge,
        "Whether any node leads, as far as this one knows; without a leader nothing is scheduled.",
        |figures| of_node(figures, |node| truth(node.has_leader)),
    ),
    metric(
        "dkron_scheduler_start",
        Kind::OldCounter,
        "How often this node has begun to lead, and so to schedule.",
        |figures| of_node(figures, |node| number(node.terms_led)),
    ),
    metric(
        "dkron_jobs",
        Kind::Gauge,
        "Jobs of the cluster; each server shows the same number.",
        |figures| of_node(figures, |node| number(node.jobs)),
    ),
    metric(
        "dkron_overdue_seconds",
        Kind::Gauge,
        "For how long the fire that should have been decided first has been due; 0 while nothing \
         waits for a decision. Grows on every server while nobody leads.",
        |figures| of_node(figures, |node| seconds(node.overdue)),
    ),
    metric(
        "dkron_start_lateness_seconds",
        Kind::Histogram,
        "How late executions began on this node, after the instant at which the attempt was due: \
         waits for a place and fires that were caught up included.",
        |figures| of_node(figures, |node| Values::Spans(&node.start_lateness)),
    ),
    metric(
        "dkron_run_seconds",
        Kind::Histogram,
        "How long executions took on this node, from begin to end.",
        |figures| of_node(figures, |node| Values::Spans(&node.run_time)),
    ),
    metric(
        "dkron_commit_seconds",
        Kind::Histogram,
        "How long proposals of this node took that have taken effect: until they were on disk at \
         a majority and part of the state here.",
        |figures| of_node(figures, |node| Values::Spans(&node.commit_time)),
    ),
    labelled(
        "dkron_executions_ended_total",
        Kind::Counter,
        "state",
        "Executions of this node that have ended, by their end: succeeded, failed, cancelled, \
         lost.",
        |figures| of_node(figures, |node| by_end(&node.executions_ended)),
    ),
    labelled(
        "dkron_job_executions_succeeded_total",
        Kind::Counter,
        "job_name",
        "Executions of a job that succeeded on this node.",
        |figures| by_job(figures, |job| job.succeeded),
    ),
    labelled(
        "dkron_job_executions_failed_total",
        Kind::Counter,
        "job_name",
        "Executions of a job that ended otherwise on this node: failed, cancelled or lost.",
        |figures| by_job(figures, |job| job.failed),
    ),
    metric(
        "dkron_job_executions_unlisted_total",
        Kind::Counter,
        "Ended executions that no series of a job counts: there are too many jobs, or theirs was \
         deleted.",
        |figures| of_node(figures, |node| number(node.executions_of_no_job)),
    ),
    labelled(
        "dkron_fires_skipped_total",
        Kind::Counter,
        "reason",
        "Fires that were not started while this node led, by the reason. Those with caught_up and \
         too_late were missed: nobody scheduled when they were due.",
        |figures| of_node(figures, skips),
    ),
    metric(
        "dkron_attempts_skipped_total",
        Kind::Counter,
        "Further attempts of fires that were not made while this node led.",
        |figures| of_node(figures, |node| number(node.attempts_skipped)),
    ),
    metric(
        "dkron_clock_jumps_total",
        Kind::Counter,
        "How often, while this node led, the clock was put forward or back, or the machine had \
         stood still.",
        |figures| of_node(figures, |node| number(node.clock_jumps)),
    ),
    metric(
        "dkron_overloads_total",
        Kind::Counter,
        "How often, while this node led, what was due began to wait because too much ran.",
        |figures| of_node(figures, |node| number(node.overloads)),
    ),
    metric(
        "dkron_rounds_failed_total",
        Kind::Counter,
        "Rounds of decisions that this node could not commit; they were made anew.",
        |figures| of_node(figures, |node| number(node.rounds_failed)),
    ),
    metric(
        "dkron_executions_running",
        Kind::Gauge,
        "Executions that go on on this node.",
        |figures| of_node(figures, |node| number(node.executions_running)),
    ),
    metric(
        "dkron_executions_waiting",
        Kind::Gauge,
        "Executions that are claimed for this node and wait for a place.",
        |figures| of_node(figures, |node| number(node.executions_waiting)),
    ),
    metric(
        "dkron_results_waiting",
        Kind::Gauge,
        "Results of this node that no leader has acknowledged yet.",
        |figures| of_node(figures, |node| number(node.results_waiting)),
    ),
    metric(
        "dkron_outbox_in_use",
        Kind::Gauge,
        "Whether results may wait in the outbox on disk, those of earlier starts included.",
        |figures| of_node(figures, |node| truth(node.is_outbox_in_use)),
    ),
    metric(
        "dkron_proposals_waiting_bytes",
        Kind::Gauge,
        "Commands of this node that wait for the log or are under way, about.",
        |figures| of_node(figures, |node| number(node.proposed_bytes)),
    ),
    metric("dkron_log_bytes", Kind::Gauge, "The log on the disk, about.", |figures| {
        of_node(figures, |node| number(node.log_bytes))
    }),
    metric("dkron_log_last_index", Kind::Gauge, "The last record of the log.", |figures| {
        of_node(figures, |node| maybe(node.last_log_index))
    }),
    metric(
        "dkron_log_applied_index",
        Kind::Gauge,
        "The last record of the log that has taken effect here.",
        |figures| of_node(figures, |node| maybe(node.applied_index)),
    ),
    metric(
        "dkron_log_snapshot_index",
        Kind::Gauge,
        "The last record of the log that the newest snapshot covers.",
        |figures| of_node(figures, |node| maybe(node.snapshot_index)),
    ),
    metric(
        "dkron_storage_writable",
        Kind::Gauge,
        "Whether the data directory takes writes: there is space on its disk, and it has not \
         failed.",
        |figures| of_node(figures, |node| truth(node.is_storage_writable)),
    ),
    metric(
        "process_cpu_seconds_total",
        Kind::Counter,
        "Time on processors, user and system.",
        |figures| figures.process.cpu_time.map_or(Values::None, seconds),
    ),
    metric(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory that is there; mapped files of the state count as far as they are in use.",
        |figures| maybe(figures.process.resident_bytes),
    ),
    metric(
        "process_virtual_memory_bytes",
        Kind::Gauge,
        "Memory that is mapped, the sparse files of log and state included.",
        |figures| maybe(figures.process.virtual_bytes),
    ),
    metric("process_open_fds", Kind::Gauge, "Files that are open.", |figures| {
        maybe(figures.process.open_files)
    }),
    metric("process_max_fds", Kind::Gauge, "Files that may be open.", |figures| {
        maybe(figures.process.open_files_max)
    }),
    metric(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process was started, in seconds since 1970.",
        |figures| {
            let started_at = figures.process_started_at;
            seconds(started_at.since(dkron_core::Timestamp::UNIX_EPOCH))
        },
    ),
];

fn of_node<'a>(figures: &'a Figures, read: impl FnOnce(&'a Metrics) -> Values<'a>) -> Values<'a> {
    figures.node.as_ref().map_or(Values::None, read)
}

fn truth(is_true: bool) -> Values<'static> {
    Values::Number(f64::from(u8::from(is_true)))
}

fn number(number: u64) -> Values<'static> {
    Values::Number(number as f64)
}

fn maybe(known: Option<u64>) -> Values<'static> {
    known.map_or(Values::None, number)
}

fn seconds(span: Duration) -> Values<'static> {
    Values::Number(span.as_secs_f64())
}

fn by_end(ended: &EndedExecutions) -> Values<'static> {
    Values::Labelled(vec![
        ("succeeded", ended.succeeded as f64),
        ("failed", ended.failed as f64),
        ("cancelled", ended.cancelled as f64),
        ("lost", ended.lost as f64),
    ])
}

fn by_job(figures: &Figures, read: fn(&JobMetrics) -> u64) -> Values<'_> {
    let jobs = figures.jobs.iter();
    Values::Labelled(jobs.map(|job| (job.job.as_str(), read(job) as f64)).collect())
}

fn skips(node: &Metrics) -> Values<'_> {
    let skipped = node.fires_skipped.iter();
    Values::Labelled(skipped.map(|skipped| (skipped.reason, skipped.fires as f64)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_is_used_once_and_tells_kind_and_unit() {
        let mut names = BTreeSet::new();
        for metric in &CATALOG {
            assert!(names.insert(metric.name), "{}", metric.name);
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
            let is_own = metric.name.starts_with("dkron_") || metric.name.starts_with("process_");
            assert!(is_own, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            // One of the two formats would have to escape them.
            assert!(!metric.help.contains(['"', '\\', '\n']), "{}", metric.name);
            if metric.kind == Kind::Histogram {
                assert_eq!(metric.unit(), Some("seconds"), "{}", metric.name);
            }
        }
    }
}
