//! Applying entries to tables in memory, encoding them, and reading pages.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dkron_core::Timestamp;
use dkron_core::kernel::model::{ExecutionState, Job, JobName, NodeName};
use dkron_core::kernel::state::{
    Command, DueKind, DueRow, Entry, Envelope, Event, Fire, JobWrite, MemoryTables, Order, Outcome,
    Report, StoredOutput, Target, Verdict, apply, decode_entry, encode_entry, query,
};

/// Jobs of the measured state; each keeps a hundred executions once it has run so often.
const JOBS: usize = 2_000;
/// Commands in one entry.
const COMMANDS: usize = 500;

fn job(number: usize) -> Job {
    let name = JobName::parse(&format!("job-{number:06}")).expect("a job name");
    let mut job = Job::new(name);
    job.schedule = "@every 1s".to_owned();
    job.executor = "handler".to_owned();
    job.executor_config.insert("handler".to_owned(), "noop".to_owned());
    job
}

fn start() -> Timestamp {
    Timestamp::from_unix_s(1_800_000_000).expect("an instant")
}

fn entry(at: Timestamp, commands: impl Iterator<Item = Command>) -> Entry {
    let commands = commands.map(|command| Envelope { request: None, command }).collect();
    Entry { at, commands }
}

fn set_jobs(numbers: impl Iterator<Item = usize>) -> Entry {
    let write = |number| {
        let (job, first) = (job(number), Some(start()));
        Command::SetJob(Box::new(JobWrite::new(job, first)))
    };
    entry(start(), numbers.map(write))
}

/// A state, and the job whose turn is next.
struct Runs {
    tables: MemoryTables,
    events: Vec<Event>,
    turn: usize,
}

impl Runs {
    fn new() -> Self {
        let mut runs = Self { tables: MemoryTables::new(), events: Vec::new(), turn: 0 };
        runs.apply(&set_jobs(0..JOBS));
        runs
    }

    fn apply(&mut self, entry: &Entry) -> Vec<Outcome> {
        self.events.clear();
        apply(&mut self.tables, entry, &mut self.events).expect("tables in memory do not fail")
    }

    /// Starts the jobs whose turn it is: what the leader proposes.
    fn fires(&mut self) -> Entry {
        let node = NodeName::parse("node-1").expect("a node name");
        let turn = self.turn;
        self.turn += COMMANDS;
        let fire = |number: usize| {
            let name = job(number % JOBS).name;
            let status = query::status(&self.tables, &name).expect("a view").expect("a job");
            let at = status.next.expect("a job that is scheduled");
            Command::Fire(Fire {
                job: name.clone(),
                revision: status.revision,
                due: Some(DueRow { at, job: name, kind: DueKind::Schedule }),
                at,
                next: Some(at.saturating_add(Duration::from_secs(1))),
                is_forced: false,
                verdict: Verdict::Start {
                    targets: vec![Target { node: node.clone(), instance: 7 }].into(),
                },
            })
        };
        entry(start(), (turn..turn + COMMANDS).map(fire))
    }

    /// Ends what the last entry started: what the nodes report.
    fn finishes(&self) -> Entry {
        let finish = |event: &Event| match event {
            Event::Claimed(claim) => Some(Command::Finish(Report {
                job: claim.execution.job.clone(),
                execution: claim.execution.id.clone(),
                token: claim.execution.token,
                started_at: Some(claim.start_at),
                finished_at: claim.start_at.saturating_add(Duration::from_millis(1)),
                state: ExecutionState::Succeeded,
                output: StoredOutput::default(),
            })),
            _ => None,
        };
        entry(start(), self.events.iter().filter_map(finish))
    }
}

/// Measures whole runs: a claim and an end each, in separate entries.
fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state/apply");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("runs", |bencher| {
        let mut runs = Runs::new();
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let fires = runs.fires();
                let began = std::time::Instant::now();
                black_box(runs.apply(&fires));
                spent += began.elapsed();
                let finishes = runs.finishes();
                let began = std::time::Instant::now();
                black_box(runs.apply(&finishes));
                spent += began.elapsed();
            }
            spent
        });
    });
    group.bench_function("new jobs", |bencher| {
        let mut runs = Runs::new();
        let mut number = JOBS;
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let entry = set_jobs(number..number + COMMANDS);
                number += COMMANDS;
                let began = std::time::Instant::now();
                black_box(runs.apply(&entry));
                spent += began.elapsed();
            }
            spent
        });
    });
    group.finish();
}

fn frames(criterion: &mut Criterion) {
    let mut runs = Runs::new();
    let fires = runs.fires();
    let bytes = encode_entry(&fires);
    let mut group = criterion.benchmark_group("state/frame");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("encode fires", |bencher| {
        bencher.iter(|| black_box(encode_entry(black_box(&fires))));
    });
    group.bench_function("decode fires", |bencher| {
        bencher.iter(|| black_box(decode_entry(black_box(&bytes))));
    });
    group.finish();
}

fn pages(criterion: &mut Criterion) {
    let mut runs = Runs::new();
    runs.apply(&set_jobs(JOBS..100_000));
    let part = query::Part { order: Order::Ascending, skip: 50_000, limit: 100 };
    let mut group = criterion.benchmark_group("state/query");
    group.bench_function("page of 100 in the middle of 100,000", |bencher| {
        bencher.iter(|| black_box(query::jobs_page(&runs.tables, part)));
    });
    group.bench_function("100 due rows", |bencher| {
        bencher.iter(|| black_box(query::due_rows(&runs.tables, None, Timestamp::MAX, 100)));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    runs(criterion);
    frames(criterion);
    pages(criterion);
}

criterion_group!(state, all);
criterion_main!(state);
