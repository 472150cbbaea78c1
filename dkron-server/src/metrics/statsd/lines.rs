//! Changes as lines of statsd and DogStatsD, and lines as datagrams.
//!
//! The name of a metric is that of the page with its first `_` as a dot: `dkron.jobs`. What the
//! page says by a label stands behind the name in statsd, and is a tag in DogStatsD.

use std::fmt::Write as _;

use super::changes::{Change, ChangeValue};

/// Bytes of one datagram: what fits an Ethernet frame with the heads of IP and UDP.
pub(super) const DATAGRAM_BYTES_MAX: usize = 1_432;

/// What a collector speaks.
pub(super) enum Dialect {
    /// Plain statsd, which knows no tags. Metrics of single jobs are not sent: their names would
    /// have no bound.
    Statsd,
    /// DogStatsD, with the tags of every metric: `,a:b,c:d`, or nothing.
    DogStatsd {
        /// Each with a comma in front.
        tags: String,
    },
}

impl Dialect {
    /// Takes the tags of every metric; characters that would end one are replaced.
    pub(super) fn dog_statsd(tags: &[String]) -> Self {
        let tags = tags.iter().map(|tag| format!(",{}", safe(tag, ":/."))).collect();
        Self::DogStatsd { tags }
    }

    /// Writes a line; `None` if this dialect has no way to say it.
    fn line(&self, change: &Change) -> Option<String> {
        let mut line = change.name.replacen('_', ".", 1);
        if !line.starts_with("dkron.") {
            line.insert_str(0, "dkron.");
        }
        if let (Self::Statsd, Some((label, value))) = (self, &change.label) {
            if *label == "job_name" {
                return None;
            }
            line.push('.');
            line.push_str(&safe(value, ""));
        }
        // Writing to a String cannot fail.
        let _ = match change.value {
            ChangeValue::Count(number) => write!(line, ":{number}|c"),
            ChangeValue::Gauge(number) => write!(line, ":{number}|g"),
        };
        if let Self::DogStatsd { tags } = self {
            let own = change.label.as_ref();
            let own = own.map(|(label, value)| format!(",{label}:{}", safe(value, ":/.")));
            let all = own.unwrap_or_default() + tags;
            if let Some(all) = all.strip_prefix(',') {
                line.push_str("|#");
                line.push_str(all);
            }
        }
        Some(line)
    }
}

/// Replaces what would end a name or a tag; letters, digits, `_`, `-` and `more` stay.
fn safe(text: &str, more: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "_-".contains(c) || more.contains(c);
    text.chars().map(|c| if is_safe(c) { c } else { '_' }).collect()
}

/// Writes changes into as few datagrams as hold them, none longer than [`DATAGRAM_BYTES_MAX`]
/// unless a single line is.
pub(super) fn datagrams(changes: &[Change], dialect: &Dialect) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in changes.iter().filter_map(|change| dialect.line(change)) {
        match datagrams.last_mut() {
            Some(last) if last.len() + 1 + line.len() <= DATAGRAM_BYTES_MAX => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => datagrams.push(line),
        }
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, label: Option<(&'static str, &str)>, value: ChangeValue) -> Change {
        let label = label.map(|(label, value)| (label, value.to_owned()));
        Change { name: name.to_owned(), label, value }
    }

    #[test]
    fn a_line_is_written_as_its_dialect_wants_it() {
        let tags = ["env:prod".to_owned(), "a|b,c\n#d:e".to_owned()];
        let dog = Dialect::dog_statsd(&tags);
        let check = |change: Change, statsd: Option<&str>, want_dog: &str| {
            assert_eq!(Dialect::Statsd.line(&change).as_deref(), statsd);
            assert_eq!(dog.line(&change).unwrap(), want_dog);
        };
        check(
            change("dkron_jobs", None, ChangeValue::Gauge(3.0)),
            Some("dkron.jobs:3|g"),
            "dkron.jobs:3|g|#env:prod,a_b_c__d:e",
        );
        check(
            change("dkron_fires_skipped_total", Some(("reason", "x|y")), ChangeValue::Count(2.0)),
            Some("dkron.fires_skipped_total.x_y:2|c"),
            "dkron.fires_skipped_total:2|c|#reason:x_y,env:prod,a_b_c__d:e",
        );
        check(
            change("dkron_job_a_total", Some(("job_name", "b")), ChangeValue::Count(0.5)),
            None,
            "dkron.job_a_total:0.5|c|#job_name:b,env:prod,a_b_c__d:e",
        );
        check(
            change("process_open_fds", None, ChangeValue::Gauge(0.001)),
            Some("dkron.process.open_fds:0.001|g"),
            "dkron.process.open_fds:0.001|g|#env:prod,a_b_c__d:e",
        );
        let line = Dialect::dog_statsd(&[])
            .line(&change("dkron_jobs", None, ChangeValue::Gauge(3.0)))
            .unwrap();
        assert_eq!(line, "dkron.jobs:3|g");
    }

    #[test]
    fn datagrams_are_full_and_never_too_long() {
        let changes: Vec<Change> = (0..1_000)
            .map(|i| change(&format!("dkron_metric-{i}"), None, ChangeValue::Gauge(1.0)))
            .collect();
        let written = datagrams(&changes, &Dialect::Statsd);
        assert!(written.len() > 1);
        for datagram in &written {
            assert!(datagram.len() <= DATAGRAM_BYTES_MAX, "{}", datagram.len());
        }
        for datagram in &written[..written.len() - 1] {
            assert!(datagram.len() > DATAGRAM_BYTES_MAX - 40, "{}", datagram.len());
        }
        let lines: usize = written.iter().map(|datagram| datagram.lines().count()).sum();
        assert_eq!(lines, 1_000);
    }
}
