//! Planning what is due, and the engine's way from an instant to the starts, on tables in memory.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dkron_core::kernel::dispatch::{
    Circumstances, Plan, Schedules, WaitingRows, first_due, plan_due,
};
use dkron_core::kernel::model::{CatchUpPolicy, Job, JobName, NodeName, NodeView};
use dkron_core::kernel::node::{Answer, Effect, Engine, EngineConfig, Input};
use dkron_core::kernel::state::{Command, Entry, Envelope, JobWrite, MemoryTables, apply};
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
        Command::SetJob(Box::new(JobWrite { job, first, if_revision: None, restored: None }))
    };
    let mut tables = MemoryTables::new();
    commit(&mut tables, now(), (0..jobs).map(write), &mut Engine::new(config()));
    tables
}

fn config() -> EngineConfig {
    EngineConfig { region: "global".to_owned(), server_zone: Zone::UTC }
}

/// Applies commands and tells the engine; returns what it wants done.
fn commit(
    tables: &mut MemoryTables,
    at: Timestamp,
    commands: impl Iterator<Item = Command>,
    engine: &mut Engine,
) -> (usize, Vec<Effect>) {
    let commands: Vec<_> = commands.map(|command| Envelope { request: None, command }).collect();
    let (mut events, mut effects) = (Vec::new(), Vec::new());
    let entry = Entry { at, commands };
    let outcomes = apply(tables, &entry, &mut events).expect("tables in memory do not fail");
    engine.step(tables, at, Input::Applied(&events), &mut effects).expect("a view");
    (outcomes.len(), effects)
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
        job.schedule = format!("{},59 {} * * * *", number % 59, number / 59 % 60);
        job.schedule = format!("{},20-59 * * * * *", number % 10);
        job.timezone = "Europe/Berlin".to_owned();
        job.concurrency = dkron_core::kernel::model::ConcurrencyPolicy::Forbid;
    });
    measure("forbid", &each, &nodes(1), Duration::ZERO);
    let week = tables(1_000, |_, job| {
        job.schedule = "* * * * * *".to_owned();
        job.catch_up = CatchUpPolicy::Latest;
    });
    measure("1,000 jobs a week late", &week, &nodes(1), Duration::from_secs(604_800));
    group.finish();
}

/// From the instant at which so many jobs fall due until the last is handed out; the log costs
/// nothing but the work of applying.
fn burst(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("node/burst");
    group.sample_size(10);
    let jobs = 20_000;
    let tables = tables(jobs, |_, job| job.schedule = "* * * * * *".to_owned());
    group.throughput(Throughput::Elements(jobs as u64));
    group.bench_function("20,000 jobs", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let mut tables = tables.clone();
                let mut engine = Engine::new(config());
                let due = now().saturating_add(Duration::from_secs(1));
                let mut effects = Vec::new();
                let nodes = nodes(1);
                engine.step(&tables, now(), Input::Nodes(&nodes), &mut effects).expect("a view");
                engine
                    .step(&tables, now(), Input::Leading { seed: 1 }, &mut effects)
                    .expect("a view");
                effects.clear();
                let began = Instant::now();
                engine.step(&tables, due, Input::Woken, &mut effects).expect("a view");
                let mut started = 0;
                while started < jobs {
                    let mut next = Vec::new();
                    for effect in effects.drain(..) {
                        match effect {
                            Effect::Start(_) => started += 1,
                            Effect::Propose { round, commands } => {
                                let count = commands.len();
                                let (_, mut more) =
                                    commit(&mut tables, due, commands.into_iter(), &mut engine);
                                next.append(&mut more);
                                let outcomes =
                                    vec![dkron_core::kernel::state::Outcome::Done; count];
                                let answer = Answer::Applied(&outcomes);
                                let answered = Input::Answered { round, answer };
                                engine.step(&tables, due, answered, &mut next).expect("a view");
                            }
                            _ => {}
                        }
                    }
                    effects = next;
                }
                spent += began.elapsed();
            }
            spent
        });
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
    engine.step(&tables, now(), Input::Leading { seed: 1 }, &mut effects).expect("a view");
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
