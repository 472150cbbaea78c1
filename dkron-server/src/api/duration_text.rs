//! Spans of time as Go writes them: `1m30s`, `1.5s`, `250ms`, `0s`.

use std::fmt;
use std::time::Duration;

/// A span, shown as Go shows it.
pub(super) struct GoDuration(pub(super) Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, subsec_ns) = (self.0.as_secs(), self.0.subsec_nanos());
        if seconds > 0 {
            if seconds >= 3_600 {
                write!(f, "{}h", seconds / 3_600)?;
            }
            if seconds >= 60 {
                write!(f, "{}m", seconds / 60 % 60)?;
            }
            return write_fraction(f, seconds % 60, subsec_ns, 9, "s");
        }
        let (micros, millis) = (u64::from(subsec_ns / 1_000), u64::from(subsec_ns / 1_000_000));
        match subsec_ns {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{subsec_ns}ns"),
            1_000..1_000_000 => write_fraction(f, micros, subsec_ns % 1_000, 3, "µs"),
            _ => write_fraction(f, millis, subsec_ns % 1_000_000, 6, "ms"),
        }
    }
}

fn write_fraction(
    f: &mut fmt::Formatter<'_>,
    whole: u64,
    fraction: u32,
    digits: usize,
    unit: &str,
) -> fmt::Result {
    if fraction == 0 {
        return write!(f, "{whole}{unit}");
    }
    let fraction = format!("{fraction:0digits$}");
    write!(f, "{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_go_writes_them_and_read_back() {
        for (ns, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (250_000_000, "250ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (5_400_000_000_001, "1h30m0.000000001s"),
        ] {
            let text = GoDuration(Duration::from_nanos(ns)).to_string();
            assert_eq!(text, want);
            assert_eq!(dkron_core::parse_go_duration(&text), Ok(i64::try_from(ns).unwrap()));
        }
    }
}
