//! How long does it take to parse a schedule, and to find the next fire time?

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use dkron_core::schedule::{DstPolicy, Schedule, ScheduleContext};
use dkron_core::{Timestamp, parse_go_rfc3339};
use serde_json::Value;

use crate::Settings;
use crate::report::{Bound, Row};
use crate::sample::Sample;

/// The corpus that other programs agree with: everything that a schedule can be.
const CORPUS: [&str; 3] = [
    include_str!("../../../tests/corpus/cron/wall.jsonl"),
    include_str!("../../../tests/corpus/cron/once.jsonl"),
    include_str!("../../../tests/corpus/cron/five.jsonl"),
];

/// Each question is asked so often, and its quickest answer counts: what disturbs it is not ours.
const ROUNDS: usize = 20;

/// A question is repeated so often within one measurement: a clock takes longer than an answer.
const REPEATS: u32 = 50;

struct Question {
    expr: String,
    zone: String,
    job: String,
    dst: DstPolicy,
    from: Timestamp,
}

impl Question {
    fn parse(line: &str) -> Result<Self> {
        let row: Value = serde_json::from_str(line)?;
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let dst = if row["dst"] == "wall" { DstPolicy::Wall } else { DstPolicy::Once };
        let from = parse_go_rfc3339(&text("from")).ok().context("`from` is no instant")?;
        Ok(Self { expr: text("expr"), zone: text("tz"), job: text("job"), dst, from })
    }

    fn context(&self) -> ScheduleContext<'_> {
        ScheduleContext {
            timezone: &self.zone,
            job: &self.job,
            dst: self.dst,
            ..ScheduleContext::default()
        }
    }
}

/// Asks every row of the corpus.
pub fn run(_: &Settings) -> Result<Vec<Row>> {
    let lines = CORPUS.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty());
    let questions = lines.map(Question::parse).collect::<Result<Vec<_>>>()?;
    let (mut next_us, mut parse_us) = (Vec::new(), Vec::new());
    for question in &questions {
        let context = question.context();
        // What no date can satisfy is refused, which a row of the corpus permits.
        let Ok(schedule) = Schedule::parse(&question.expr, &context) else { continue };
        next_us.push(quickest_us(|| {
            black_box(schedule.next_after(black_box(question.from)));
        }));
        parse_us.push(quickest_us(|| {
            let _ = black_box(Schedule::parse(black_box(&question.expr), &context));
        }));
    }
    let (next, parse) = (Sample::new(next_us), Sample::new(parse_us));
    Ok(vec![
        Row::free("schedules of the corpus", next.len() as f64, ""),
        Row::new("next, p50", next.quantile(0.5), "µs", Bound::AtMost(0.5)),
        Row::free("next, p99", next.quantile(0.99), "µs"),
        Row::new("next, largest", next.quantile(1.0), "µs", Bound::AtMost(20.0)),
        Row::new("parse, p50", parse.quantile(0.5), "µs", Bound::AtMost(5.0)),
        Row::new("parse, largest", parse.quantile(1.0), "µs", Bound::AtMost(5.0)),
        Row::new("parsed", size_of::<Schedule>() as f64, "bytes", Bound::AtMost(100.0)),
    ])
}

/// Returns the shortest time of one call.
fn quickest_us(mut work: impl FnMut()) -> f64 {
    let mut quickest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..REPEATS {
            work();
        }
        quickest = quickest.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(REPEATS));
    }
    quickest
}
