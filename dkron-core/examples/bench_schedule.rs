//! Figures of the schedule engine, one JSON object a line, for a table of benchmarks.
//!
//! Per input, the time of one call is the best of several rounds, so that what else runs on the
//! machine does not count; `p50_ns` is the median over the inputs and `max_ns` the worst input.
//!
//! `cargo run --release -p dkron-core --no-default-features --example bench_schedule`

#[path = "../benches/inputs/mod.rs"]
mod inputs;

use std::hint::black_box;
use std::time::Instant;

use dkron_core::schedule::{Schedule, ScheduleContext};
use inputs::Input;

/// Rounds per input, of which the best counts.
const ROUNDS: u32 = 9;
/// Calls per round, so that reading the clock does not count.
const CALLS: u32 = 64;

/// Returns the nanoseconds of one call, best of several rounds.
fn measure(mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

/// Prints the figures of one bench: each sample is an input and its time.
fn report(name: &str, mut samples: Vec<(String, f64)>) {
    samples.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(median), Some((worst, max_ns))) = (samples.get(samples.len() / 2), samples.last())
    else {
        return;
    };
    println!(
        "{{\"name\":\"{name}\",\"inputs\":{},\"p50_ns\":{:.0},\"max_ns\":{max_ns:.0},\
         \"worst\":\"{worst}\"}}",
        samples.len(),
        median.1
    );
}

fn next(name: &str, inputs: &[Input]) {
    let mut samples = Vec::new();
    for input in inputs {
        for after in &input.afters {
            let ns = measure(|| {
                black_box(input.schedule.next_after(black_box(*after)));
            });
            let (expr, zone, dst) = (&input.expr, input.timezone, input.dst);
            samples.push((format!("{expr} in {zone} after {after}, {dst:?}"), ns));
        }
    }
    report(name, samples);
}

fn parse() {
    let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
    let samples = inputs::MIXED.iter().map(|expr| {
        let ns = measure(|| {
            black_box(Schedule::parse(black_box(expr), &context)).expect("a valid schedule");
        });
        ((*expr).to_owned(), ns)
    });
    report("schedule parse, mixed", samples.collect());
}

/// The first schedule of each zone derives the zone's table: measured once, before all else.
fn first_parse_in_a_zone() {
    let samples = dkron_core::Zone::all().map(|zone| {
        let context = ScheduleContext { timezone: zone.name(), ..ScheduleContext::default() };
        let start = Instant::now();
        black_box(Schedule::parse("0 0 3 * * *", &context)).expect("a valid schedule");
        (zone.name().to_owned(), start.elapsed().as_nanos() as f64)
    });
    report("schedule parse, first in a zone", samples.collect());
}

fn main() {
    first_parse_in_a_zone();
    parse();
    next("schedule next, mixed", &inputs::mixed());
    next("schedule next, hard", &inputs::hard());
    next("schedule next, hard in every zone", &inputs::hard_in_every_zone());
    println!("{{\"name\":\"schedule size\",\"bytes\":{}}}", size_of::<Schedule>());
}
