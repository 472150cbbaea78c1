//! Parsing schedules and asking them for the next fire time.

#[expect(dead_code, reason = "the example names its inputs, this bench does not")]
mod inputs;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dkron_core::schedule::{Schedule, ScheduleContext};
use inputs::Input;

/// Measures a round through all references of all inputs; divide by their number.
fn next(criterion: &mut Criterion, name: &str, inputs: &[Input]) {
    let questions: usize = inputs.iter().map(|input| input.afters.len()).sum();
    let mut group = criterion.benchmark_group("schedule/next");
    group.throughput(criterion::Throughput::Elements(questions as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for input in inputs {
                for after in &input.afters {
                    black_box(input.schedule.next_after(black_box(*after)));
                }
            }
        });
    });
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule/parse");
    group.throughput(criterion::Throughput::Elements(inputs::MIXED.len() as u64));
    group.bench_function("mixed", |bencher| {
        let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
        bencher.iter(|| {
            for expr in inputs::MIXED {
                black_box(Schedule::parse(black_box(expr), &context)).expect("a valid schedule");
            }
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    next(criterion, "mixed", &inputs::mixed());
    next(criterion, "hard", &inputs::hard());
    next(criterion, "hard in every zone", &inputs::hard_in_every_zone());
    parse(criterion);
}

criterion_group!(schedule, all);
criterion_main!(schedule);
