//! Planning what is due, and the engine's way from an instant to the starts, on tables in memory.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dkron_core::kernel::dispatch::{
    Circumstances, Plan, Schedules, WaitingRows, first_due, plan_due,
};
use dkron_core::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, Job, JobName, NodeName, NodeView,
};
use dkron_core::kernel::node::{Answer, Effect, Engine, EngineConfig, Input};
use dkron_core::kernel::state::{
    Command, Entry, Envelope, Event, JobWrite, MemoryTables, Outcome, apply,
};
use dkron_core::{Timestamp, Zone};

/// Rows that one plan decides.
const ROUND: usize = 8_192;

fn now() -> Timestamp {
    Timestamp::from_unix_s(1_900_000_799).expect("an instant")
}

fn nodes(count: usize) -> Vec<NodeView> {
    let node = |number| NodeView {
        name: NodeName::parse(&format!("node-{number}")).expect("a node name"),
        instance: 7,
        tags: [("region".to_owned(), "global".to_owned())].into(),
        handlers: BTreeSet::from(["noop".to_owned()]),
    };
    (0..count).map(node).collect()
}

/// Tables with so many jobs, each adjusted by `adjust`, written at `now`.
fn tables(jobs: usize, adjust: impl Fn(usize, &mut Job)) -> MemoryTables {
    let write = |number| {
        let name = JobName::parse(&format!("job-{number:06}")).expect("a job name");
        let mut job = Job::new(name);
        job.executor = "handler".to_owned();
        job.executor_config.insert("handler".to_owned(), "noop".to_owned());
        adjust(number, &mut job);
        let first = first_due(&job, now(), Zone::UTC).expect("a schedule");
        Command::SetJob(Box::new(JobWrite::new(job, first)))
    };
    let mut tables = MemoryTables::new();
    apply_all(&mut tables, now(), (0..jobs).map(write).collect(), &mut Vec::new());
    tables
}

fn config() -> EngineConfig {
    EngineConfig { region: "global".to_owned(), server_zone: Zone::UTC, runs_max: usize::MAX }
}

fn apply_all(
    tables: &mut MemoryTables,
    at: Timestamp,
    commands: Vec<Command>,
    events: &mut Vec<Event>,
) -> Vec<Outcome> {
    let envelope = |command| Envelope { request: None, command };
    let entry = Entry { at, commands: commands.into_iter().map(envelope).collect() };
    apply(tables, &entry, events).expect("tables in memory do not fail")
}

/// Measures one plan; divide by the decisions.
fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch/plan");
    let mut measure = |name: &str, tables: &MemoryTables, nodes: &[NodeView], missed: Duration| {
        let watch_start = now().saturating_add(missed);
        let circumstances = Circumstances {
            nodes,
            region: "global",
            watch_start,
            now: watch_start,
            passed: watch_start,
            horizon: watch_start.saturating_add(Duration::from_secs(1)),
            seed: 1,
            decisions_max: ROUND,
        };
        let mut schedules = Schedules::new(Zone::UTC);
        let mut run = || -> Plan {
            plan_due(tables, &mut schedules, &circumstances, &WaitingRows::default())
                .expect("a view")
        };
        let decisions = run().fires.len();
        group.throughput(Throughput::Elements(decisions as u64));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run())));
    };
    let alike = tables(20_000, |_, job| job.schedule = "* * * * * *".to_owned());
    measure("one node", &alike, &nodes(1), Duration::ZERO);
    measure("five nodes", &alike, &nodes(5), Duration::ZERO);
    let one = tables(20_000, |_, job| {
        job.schedule = "* * * * * *".to_owned();
        job.tags.insert("region".to_owned(), "global:1".to_owned());
    });
    measure("one of 200 nodes", &one, &nodes(200), Duration::ZERO);
    let each = tables(20_000, |number, job| {
        job.schedule = format!("{},20-59 * * * * *", number % 10);
        job.timezone = "Europe/Berlin".to_owned();
        job.concurrency = ConcurrencyPolicy::Forbid;
    });
    measure("forbid", &each, &nodes(1), Duration::ZERO);
    let week = tables(1_000, |_, job| {
        job.schedule = "* * * * * *".to_owned();
        job.catch_up = CatchUpPolicy::Latest;
    });
    measure("1,000 jobs a week late", &week, &nodes(1), Duration::from_secs(604_800));
    group.finish();
}

/// A leader whose log costs nothing but the work of applying.
struct Leader {
    tables: MemoryTables,
    engine: Engine,
    starts: usize,
}

impl Leader {
    fn new(tables: MemoryTables) -> Self {
        let mut leader = Self { tables, engine: Engine::new(config()), starts: 0 };
        let nodes = nodes(1);
        leader.step(now(), Input::Nodes(&nodes));
        leader.step(now(), Input::Leading { seed: 1, last_entry_at: Timestamp::MIN });
        leader
    }

    /// Takes a step, and everything that follows from it at the same instant.
    fn step(&mut self, at: Timestamp, input: Input<'_>) {
        let mut effects = Vec::new();
        self.engine.step(&self.tables, at, input, &mut effects).expect("a view");
        for effect in effects {
            match effect {
                Effect::Start(_) | Effect::StartAgain(_) => self.starts += 1,
                Effect::Propose { round, commands } => self.commit(at, round, commands),
                Effect::CancelRun { .. } | Effect::Note(_) => {}
            }
        }
    }

    fn commit(&mut self, at: Timestamp, round: u64, commands: Vec<Command>) {
        let mut events = Vec::new();
        let outcomes = apply_all(&mut self.tables, at, commands, &mut events);
        self.step(at, Input::Applied { at, events: &events });
        self.step(at, Input::Answered { round, answer: Answer::Applied(&outcomes) });
    }
}

/// From the instant at which so many jobs fall due until the last is handed out.
fn burst(criterion: &mut Criterion) {
    let jobs = 20_000;
    let tables = tables(jobs, |_, job| job.schedule = "* * * * * *".to_owned());
    let due = now().saturating_add(Duration::from_secs(1));
    let mut group = criterion.benchmark_group("node/burst");
    group.sample_size(10);
    group.throughput(Throughput::Elements(jobs as u64));
    group.bench_function("20,000 jobs", |bencher| {
        let ready = || Leader::new(tables.clone());
        let fire = |mut leader: Leader| {
            leader.step(due, Input::Woken);
            assert_eq!(leader.starts, jobs);
            leader
        };
        bencher.iter_batched(ready, fire, criterion::BatchSize::LargeInput);
    });
    group.finish();
}

/// A step with nothing due, beside so many jobs.
fn idle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("node/step");
    let tables = tables(100_000, |_, job| job.schedule = "@yearly".to_owned());
    let mut engine = Engine::new(config());
    let mut effects = Vec::new();
    engine.step(&tables, now(), Input::Nodes(&nodes(3)), &mut effects).expect("a view");
    let leading = Input::Leading { seed: 1, last_entry_at: Timestamp::MIN };
    engine.step(&tables, now(), leading, &mut effects).expect("a view");
    group.bench_function("idle beside 100,000 jobs", |bencher| {
        bencher.iter(|| {
            effects.clear();
            engine.step(&tables, now(), Input::Woken, &mut effects).expect("a view");
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    plan(criterion);
    burst(criterion);
    idle(criterion);
}

criterion_group!(dispatch, all);
criterion_main!(dispatch);
