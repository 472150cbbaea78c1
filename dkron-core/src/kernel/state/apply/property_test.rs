//! Random histories: every invariant after every command, and the counts of a naive model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::apply;
use super::harness::{World, child, job, name};
use crate::kernel::model::{
    ConcurrencyPolicy, Execution, ExecutionId, ExecutionState, Job, JobStatus, LostRunPolicy,
    Retention, RetryBackoff, RunStatus, SkipReason,
};
use crate::kernel::state::{
    ApplyJobs, Command, DueKind, DueRow, Entry, Envelope, Event, Fire, JobChange, JobWrite,
    MemoryTables, Order, Outcome, RequestId, SnapshotReader, SnapshotWriter, Verdict,
    check_integrity, decode_entry, encode_entry, query, state_hash,
};
use crate::kernel::time::Timestamp;

const NAMES: [&str; 6] = ["a", "ab", "abc", "b", "b-1", "c"];
const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];

/// A random source that is the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        ((self.0 >> 33) % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn of<V: Copy>(&mut self, values: &[V]) -> V {
        values[self.below(values.len())]
    }
}

/// What a fire must come to, told by the definition: the last attempt on each node.
#[derive(Debug, Default)]
struct NaiveFire {
    /// Ended rows of attempts: whether the last one succeeded.
    results: Vec<bool>,
    /// Rows that go on.
    open: usize,
    /// How many of them run; the others are due.
    running: usize,
}

/// What is counted of a job, told by the events alone.
#[derive(Debug, Default)]
struct NaiveJob {
    successes: u32,
    errors: u32,
    status: RunStatus,
    decided: BTreeSet<String>,
}

/// The model: it sees only commands that were accepted, and the events they made known.
#[derive(Default)]
struct Naive {
    jobs: BTreeMap<String, NaiveJob>,
    /// Open ones by job, fire time and cause; those of a deleted job as long as they run.
    fires: BTreeMap<(String, Timestamp, u8), NaiveFire>,
}

impl Naive {
    fn fire_of(&mut self, run: &Execution) -> &mut NaiveFire {
        let key = (run.job.to_string(), run.fire_time, run.cause as u8);
        self.fires.entry(key).or_default()
    }

    /// Ends a row of attempts; `None` = as if it had never been.
    fn end_row(&mut self, job: &str, (fire_time, cause): (Timestamp, u8), result: Option<bool>) {
        let key = (job.to_owned(), fire_time, cause);
        let fire = self.fires.get_mut(&key).unwrap();
        fire.open -= 1;
        // Of a job that is gone nothing is kept.
        fire.results.extend(result.filter(|_| self.jobs.contains_key(job)));
        if fire.open > 0 {
            return;
        }
        let fire = self.fires.remove(&key).unwrap();
        let Some(job) = self.jobs.get_mut(job) else { return };
        let succeeded = fire.results.iter().filter(|result| **result).count();
        job.status = match (succeeded, fire.results.len()) {
            (_, 0) => job.status,
            (0, _) => RunStatus::Failed,
            (some, all) if some == all => RunStatus::Success,
            _ => RunStatus::PartiallyFailed,
        };
    }

    /// Forgets a job, but for what runs of it.
    fn delete(&mut self, job: &str) {
        self.jobs.remove(job);
        self.fires.retain(|(name, ..), fire| {
            if name == job {
                fire.open = fire.running;
                fire.results.clear();
            }
            fire.open > 0
        });
    }

    fn see(&mut self, command: &Command, events: &[Event]) {
        let is_retry = matches!(command, Command::Fire(fire) if matches!(
            fire.due, Some(DueRow { kind: DueKind::Retry { .. }, .. })
        ));
        let mut claims = 0;
        for event in events {
            match event {
                Event::JobChanged { job, change: JobChange::Created } => {
                    self.jobs.insert(job.to_string(), NaiveJob::default());
                }
                Event::JobChanged { job, change: JobChange::Deleted } => {
                    self.delete(job.as_str());
                }
                Event::Claimed(claim) => {
                    claims += 1;
                    // The first claim of a retry goes on with the row of the failed attempt.
                    let opened = usize::from(!is_retry || claims > 1);
                    let fire = self.fire_of(&claim.execution);
                    fire.open += opened;
                    fire.running += 1;
                }
                Event::Finished { execution, retry_at, .. } => {
                    self.fire_of(execution).running -= 1;
                    let is_success = execution.state == ExecutionState::Succeeded;
                    if let Some(job) = self.jobs.get_mut(execution.job.as_str()) {
                        job.successes += u32::from(is_success);
                        job.errors += u32::from(!is_success);
                    }
                    if retry_at.is_none() {
                        let key = (execution.fire_time, execution.cause as u8);
                        self.end_row(execution.job.as_str(), key, Some(is_success));
                    }
                }
                Event::Withdrawn { execution, .. } => {
                    self.fire_of(execution).running -= 1;
                    let key = (execution.fire_time, execution.cause as u8);
                    let result = (execution.attempt > 1).then_some(false);
                    self.end_row(execution.job.as_str(), key, result);
                }
                Event::Skipped { skip, .. } => match command {
                    Command::Fire(fire) => {
                        if let Some(DueRow {
                            kind: DueKind::Retry { fire_time, cause, .. }, ..
                        }) = fire.due
                        {
                            self.end_row(skip.job.as_str(), (fire_time, cause as u8), Some(false));
                        }
                    }
                    // A write took away what had come.
                    Command::SetJob(_) | Command::SetDisabled { .. } | Command::ApplyJobs(_) => {
                        assert_eq!(skip.attempt, 1, "{command:?}");
                    }
                    _ => panic!("{command:?}"),
                },
                Event::JobChanged { .. } | Event::CancelRequested(_) | Event::Paused(_) => {}
            }
        }
        if let Command::DeleteExecutions { job } = command {
            let job = self.jobs.get_mut(job.as_str()).unwrap();
            (job.successes, job.errors) = (0, 0);
        }
    }

    /// A due row of one incarnation of a job is decided once.
    fn decide(&mut self, fire: &Fire) {
        let job = self.jobs.get_mut(fire.job.as_str()).unwrap();
        if let Some(due) = fire.due.as_ref().filter(|due| due.kind != DueKind::Schedule) {
            assert!(job.decided.insert(format!("{due:?}")), "{due:?} is decided twice");
        }
    }
}

/// A history under way.
struct History {
    random: Random,
    world: World,
    naive: Naive,
    entries: Vec<Entry>,
    requests: u128,
}

impl History {
    fn new(seed: u64) -> Self {
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (naive, entries) = (Naive::default(), Vec::new());
        Self { random, world: World::new(), naive, entries, requests: 0 }
    }

    fn random_job(&mut self) -> Job {
        let random = &mut self.random;
        let text = random.of(&NAMES);
        let mut job = if random.one_in(3) { child(text, random.of(&NAMES)) } else { job(text) };
        job.retries = random.below(3) as u32;
        job.retry_backoff = random.of(&[
            RetryBackoff::Dkron,
            RetryBackoff::Fixed { delay: Duration::ZERO },
            RetryBackoff::Fixed { delay: Duration::from_secs(3) },
        ]);
        job.lost_run =
            random.of(&[LostRunPolicy::Fail, LostRunPolicy::Rerun, LostRunPolicy::Never]);
        job.concurrency = random.of(&[ConcurrencyPolicy::Allow, ConcurrencyPolicy::Forbid]);
        job.disabled = random.one_in(5);
        job.ephemeral = random.one_in(8);
        job.retention = Retention {
            executions_max: random.of(&[1, 3, 100]),
            age_max: random.of(&[None, Some(Duration::from_secs(40))]),
            output_bytes_max: random.of(&[None, Some(25)]),
        };
        if random.one_in(6) {
            job.schedule = "@at 2026-01-01T00:01:00Z".to_owned();
        }
        job
    }

    fn random_running(&mut self) -> Option<Execution> {
        let running = query::running(&self.world.tables, None, usize::MAX).unwrap();
        if running.is_empty() {
            None
        } else {
            Some(running[self.random.below(running.len())].clone())
        }
    }

    fn random_ended(&mut self) -> Option<Execution> {
        let text = self.random.of(&NAMES);
        let ended = self.world.executions(text).into_iter().filter(|run| run.state.is_final());
        let ended: Vec<_> = ended.collect();
        if ended.is_empty() { None } else { Some(ended[self.random.below(ended.len())].clone()) }
    }

    fn random_nodes(&mut self) -> Vec<&'static str> {
        (0..=self.random.below(3)).map(|_| self.random.of(&NODES)).collect()
    }

    fn random_fire(&mut self) -> Option<Command> {
        let due = self.world.due();
        let row = due.get(self.random.below(due.len().max(1)).min(3))?.clone();
        let nodes = self.random_nodes();
        let mut fire = self.world.start_of(&row, &nodes);
        if self.random.one_in(5) {
            let reason = self.random.of(&[0, 1]);
            let reason = [SkipReason::Disabled, SkipReason::CaughtUp][reason].clone();
            fire.verdict = Verdict::Skip { last: row.at, fires: 1, reason };
        }
        match self.random.below(20) {
            0 => fire.revision += 1,
            1 => {
                fire.due = Some(DueRow { at: row.at.saturating_add(Duration::from_secs(1)), ..row })
            }
            _ => {}
        }
        Some(Command::Fire(fire))
    }

    fn random_report(&mut self) -> Option<Command> {
        let is_running = !self.random.one_in(6);
        let run = if is_running { self.random_running() } else { self.random_ended() }?;
        let states = [
            ExecutionState::Succeeded,
            ExecutionState::Succeeded,
            ExecutionState::Failed,
            ExecutionState::Failed,
            ExecutionState::Cancelled,
            ExecutionState::Lost,
        ];
        let state = if is_running { self.random.of(&states) } else { run.state };
        let mut report = self.world.report(run.job.as_str(), &run.id, state);
        report.finished_at = run.finished_at.unwrap_or(report.finished_at);
        report.output.bytes = vec![b'x'; self.random.below(20)];
        if self.random.one_in(20) {
            report.token += 1;
        }
        Some(Command::Finish(report))
    }

    fn random_declaration(&mut self) -> Command {
        let first = Some(self.world.now.saturating_add(Duration::from_secs(60)));
        let count = self.random.below(4);
        let jobs = (0..count).map(|_| JobWrite::new(self.random_job(), first)).collect();
        let declared_by = self.random.of(&["one", "on"]).to_owned();
        let prune = self.random.one_in(2);
        Command::ApplyJobs(Box::new(ApplyJobs { declared_by, jobs, prune }))
    }

    fn random_command(&mut self) -> Option<Command> {
        let text = self.random.of(&NAMES);
        match self.random.below(104) {
            0..12 => {
                let job = self.random_job();
                let first = Some(self.world.now.saturating_add(Duration::from_secs(60)));
                let mut write = JobWrite::new(job, first);
                if self.random.one_in(10) {
                    let success_count = self.random.below(50) as u32;
                    let restored = JobStatus { success_count, ..JobStatus::default() };
                    write.restored = Some(restored);
                }
                Some(Command::SetJob(Box::new(write)))
            }
            12..14 => Some(Command::DeleteJob { job: name(text) }),
            14..16 => Some(Command::DeleteExecutions { job: name(text) }),
            16..19 => {
                let revision = query::revision(&self.world.tables, &name(text)).unwrap();
                let disabled = self.random.one_in(2);
                let first = Some(self.world.now.saturating_add(Duration::from_secs(60)));
                Some(Command::SetDisabled {
                    job: name(text),
                    revision,
                    disabled,
                    first,
                    overdue: None,
                })
            }
            19..23 => Some(self.random_declaration()),
            23..24 => Some(Command::SetPaused { paused: self.random.one_in(2) }),
            24..28 => {
                let run = self.random_running()?;
                let (job, token) = (run.job, run.token);
                let reason = SkipReason::Withdrawn;
                Some(Command::Withdraw { job, execution: run.id, token, reason })
            }
            28..31 => {
                let run = self.random_running()?;
                Some(Command::Cancel { job: run.job, execution: run.id })
            }
            31..36 => {
                let nodes = self.random_nodes();
                Some(Command::Fire(self.world.manual_of(text, &nodes)))
            }
            36..66 => self.random_fire(),
            66..100 => self.random_report(),
            _ => {
                let removals_max = self.random.below(4) as u32;
                Some(Command::Sweep { removals_max })
            }
        }
    }

    /// Carries out a command, and looks at everything.
    fn step(&mut self) {
        let seconds = self.random.of(&[0, 0, 1, 20]);
        self.world.now = self.world.now.saturating_add(Duration::from_secs(seconds));
        let Some(command) = self.random_command() else { return };
        let overlapping = self.overlapping(&command);
        let request = self.random.one_in(4).then(|| {
            self.requests += 1;
            RequestId(self.requests)
        });
        let commands = vec![Envelope { request, command: command.clone() }];
        let entry = Entry { at: self.world.now, commands };
        let before = self.world.tables.clone();
        let mut events = Vec::new();
        let outcome = apply(&mut self.world.tables, &entry, &mut events).unwrap().remove(0);

        match (&outcome, &command) {
            (Outcome::Rejected(why), _) => {
                assert_eq!(events, [], "{why}");
                let is_remembered = request.is_some();
                assert!(is_remembered || self.world.tables == before, "{why} changes something");
            }
            (_, Command::Fire(fire)) => {
                assert!(!overlapping, "forbid overlaps: {command:?}");
                self.naive.decide(fire);
            }
            _ => {}
        }
        if !matches!(outcome, Outcome::Rejected(_)) {
            self.naive.see(&command, &events);
        }
        self.check(&command, &outcome, &events);
        self.entries.push(entry);
    }

    /// Whether a claim would overlap with another fire of a job that forbids it.
    fn overlapping(&self, command: &Command) -> bool {
        let Command::Fire(fire) = command else { return false };
        let job = query::definition(&self.world.tables, &fire.job).unwrap();
        let forbids = job.is_some_and(|job| job.concurrency == ConcurrencyPolicy::Forbid);
        let own = match &fire.due {
            Some(DueRow { kind: DueKind::Retry { fire_time, .. }, .. }) => Some(*fire_time),
            _ => None,
        };
        let running = query::running(&self.world.tables, Some(&fire.job), usize::MAX).unwrap();
        let starts = matches!(&fire.verdict, Verdict::Start { targets } if !targets.is_empty());
        starts && forbids && !fire.is_forced && running.iter().any(|run| Some(run.fire_time) != own)
    }

    fn check(&self, command: &Command, outcome: &Outcome, events: &[Event]) {
        let violations = check_integrity(&self.world.tables).unwrap();
        assert_eq!(violations, [], "after {command:?}: {outcome:?}");
        for (text, naive) in &self.naive.jobs {
            let status = self.world.status(text);
            let is_restored = status.success_count > naive.successes;
            assert!(is_restored || status.success_count == naive.successes, "{text}: {naive:?}");
            assert_eq!(status.error_count, naive.errors, "{text} after {command:?}");
            assert_eq!(status.status, naive.status, "{text} after {command:?}: {naive:?}");
        }
        for text in NAMES.into_iter().filter(|text| !self.naive.jobs.contains_key(*text)) {
            let ended = self.world.executions(text).into_iter().find(|run| run.state.is_final());
            assert_eq!(ended, None, "of a deleted job after {command:?}");
            let skips = query::skips(&self.world.tables, &name(text), Order::Ascending, 1);
            assert_eq!(skips, Ok(Vec::new()), "of {text} after {command:?}");
        }
        // A repeated report is no end: what is kept may be more since the retention was lowered.
        if let (Command::Finish(report), [_, ..]) = (command, events) {
            let job = query::definition(&self.world.tables, &report.job).unwrap();
            if let Some(job) = job {
                let ended = self.world.executions(report.job.as_str());
                let ended = ended.iter().filter(|run| run.state.is_final()).count();
                let max = job.retention.executions_max as usize;
                assert!(ended <= max, "{ended} kept, at most {max} are wanted");
            }
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("DKRON_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..8,
    }
}

/// Goal: whatever happens, every invariant of the state holds, rejected commands change nothing,
/// and counts and statuses are those of the naive model.
/// Replay with `DKRON_TEST_SEED=<seed> cargo test -p dkron-core random_histories`.
#[test]
fn random_histories_keep_every_invariant() {
    let mut sweeps = 0;
    for seed in seeds() {
        println!("seed {seed}");
        let mut history = History::new(seed);
        for _ in 0..300 {
            history.step();
        }
        while query::has_unswept(&history.world.tables).unwrap() {
            history.world.run(Command::Sweep { removals_max: 2 });
            assert_eq!(check_integrity(&history.world.tables).unwrap(), []);
            sweeps += 1;
        }
    }
    assert!(sweeps > 0 || seeds().count() == 1, "no history was long enough to be swept");
}

/// Goal: equal logs give equal states, also through their encodings, also when a snapshot is taken
/// and restored on the way.
#[test]
fn equal_logs_give_equal_states() {
    for seed in seeds().take(10) {
        println!("seed {seed}");
        let mut history = History::new(seed + 1_000);
        for _ in 0..300 {
            history.step();
        }
        let mut replayed = MemoryTables::new();
        for (index, entry) in history.entries.iter().enumerate() {
            let decoded = decode_entry(&encode_entry(entry)).unwrap();
            assert_eq!(&decoded, entry);
            apply(&mut replayed, &decoded, &mut Vec::new()).unwrap();
            if index % 100 == 50 {
                replayed = through_a_snapshot(&replayed);
            }
        }
        assert_eq!(state_hash(&replayed), state_hash(&history.world.tables));
        assert!(replayed == history.world.tables);
    }
}

fn through_a_snapshot(tables: &MemoryTables) -> MemoryTables {
    let mut restored = MemoryTables::new();
    let (mut writer, mut reader) = (SnapshotWriter::new(), SnapshotReader::new(&mut restored));
    while let Some(chunk) = writer.next_chunk(tables).unwrap() {
        reader.push(&chunk).unwrap();
    }
    reader.finish().unwrap();
    restored
}

/// Goal: several commands in one entry do what they do in entries of their own.
#[test]
fn a_batch_is_the_sum_of_its_commands() {
    let mut history = History::new(7);
    for _ in 0..300 {
        history.step();
    }
    let at = history.world.now;
    let commands = history.entries.iter().flat_map(|entry| entry.commands.clone());
    let commands: Vec<Envelope> = commands.collect();
    let mut one_by_one = MemoryTables::new();
    let mut outcomes = Vec::new();
    for envelope in &commands {
        let entry = Entry { at, commands: vec![envelope.clone()] };
        outcomes.extend(apply(&mut one_by_one, &entry, &mut Vec::new()).unwrap());
    }
    let mut at_once = MemoryTables::new();

    let entry = Entry { at, commands };
    assert_eq!(apply(&mut at_once, &entry, &mut Vec::new()).unwrap(), outcomes);
    assert!(at_once == one_by_one);
}

#[test]
fn ids_of_executions_are_never_shared() {
    let mut world = World::new();
    world.set(job("a"));
    let mut seen: BTreeSet<ExecutionId> = BTreeSet::new();
    for _ in 0..50 {
        for id in world.start_manual("a", &["n1", "n2"]) {
            assert!(seen.insert(id.clone()), "{id}");
        }
    }
}
