//! A cluster on one page: tables, an engine, nodes that run what they are handed, and a clock that
//! goes where the test wants it.
//!
//! Time runs in jumps from one happening to the next, so days pass in milliseconds. The harness
//! checks at each start what must never be broken: nothing starts before its instant, twice, or
//! without a claim, and no run of a job that forbids overlap meets another fire of it. What came of
//! it is asked in `record`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Answer, Effect, Engine, EngineConfig, Input, Observation};
use crate::kernel::dispatch::first_due;
use crate::kernel::model::{
    Cause, ConcurrencyPolicy, ExecutionId, ExecutionState, Job, JobName, NodeName, NodeView, Skip,
};
use crate::kernel::state::{
    Claim, Command, Entry, Envelope, Event, JobWrite, MemoryTables, Outcome, Report, StoredOutput,
    apply,
};
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::{COMMANDS_PER_ENTRY_MAX, RUNS_MAX};

pub(super) use super::props::{DAY, Dice, MIN, MS, S, at, disable, every, forbid, job, name, run};

/// What has been started on a node.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) job: JobName,
    pub(super) id: ExecutionId,
    pub(super) fire_time: Timestamp,
    pub(super) cause: Cause,
    pub(super) attempt: u32,
    /// By the clock of the leader.
    pub(super) at: Timestamp,
}

/// A run that has not ended.
#[derive(Clone, Debug)]
struct Run {
    token: u64,
    fire_time: Timestamp,
    cause: Cause,
    started_at: Timestamp,
    is_exclusive: bool,
}

/// A process that runs what it is handed.
#[derive(Clone, Debug)]
struct Process {
    view: NodeView,
    /// Tokens of everything it was ever handed.
    known: BTreeSet<u64>,
    runs: BTreeMap<(JobName, ExecutionId), Run>,
}

/// Something that will happen.
enum Happening {
    Commit { round: Option<u64>, commands: Vec<Command> },
    RunEnds { node: NodeName, instance: u64, job: JobName, id: ExecutionId },
}

pub(super) struct World {
    pub(super) tables: MemoryTables,
    pub(super) engine: Engine,
    /// What the clock showed at the beginning, and real time since.
    epoch: Timestamp,
    elapsed: Duration,
    /// What the clock is ahead of real time, or behind it if negative, in nanoseconds.
    offset_ns: i64,
    /// The time of the last entry: those of entries never go back.
    last_entry_at: Timestamp,
    happenings: BTreeMap<(Duration, u64), Happening>,
    serial: u64,
    processes: BTreeMap<NodeName, Process>,

    /// How long before their instants claims are handed out.
    start_ahead: Duration,
    /// How long a commit takes.
    pub(super) commit: Duration,
    /// How long runs of a job take; those not named take none.
    pub(super) run_time: BTreeMap<JobName, Duration>,
    /// Jobs whose runs fail.
    pub(super) failing: BTreeSet<JobName>,
    /// Percentages of proposals that never come into effect, and of answers that never come.
    pub(super) lost_proposals: u64,
    pub(super) lost_answers: u64,
    pub(super) dice: Dice,

    pub(super) starts: Vec<Start>,
    pub(super) claims: Vec<Claim>,
    pub(super) skips: Vec<Skip>,
    pub(super) skipped_retries: Vec<Skip>,
    pub(super) notes: Vec<Observation>,
    pub(super) steps: u64,
    /// How often a claim was handed out.
    pub(super) handed: u64,
    pub(super) cancelled: Vec<ExecutionId>,
    /// For processes that come back under a name.
    pub(super) serial_instance: u64,
}

impl World {
    /// A world with one node, which leads.
    pub(super) fn new(epoch: &str) -> Self {
        let mut world = Self {
            tables: MemoryTables::new(),
            engine: engine(),
            epoch: at(epoch),
            elapsed: Duration::ZERO,
            offset_ns: 0,
            last_entry_at: Timestamp::MIN,
            happenings: BTreeMap::new(),
            serial: 0,
            processes: BTreeMap::new(),
            start_ahead: Duration::ZERO,
            commit: 2 * MS,
            run_time: BTreeMap::new(),
            failing: BTreeSet::new(),
            lost_proposals: 0,
            lost_answers: 0,
            dice: Dice(1),
            starts: Vec::new(),
            claims: Vec::new(),
            skips: Vec::new(),
            skipped_retries: Vec::new(),
            notes: Vec::new(),
            steps: 0,
            handed: 0,
            cancelled: Vec::new(),
            serial_instance: 100,
        };
        world.add_node("n1", 1);
        world.lead();
        world
    }

    /// What the clock shows.
    pub(super) fn now(&self) -> Timestamp {
        let real = self.epoch.saturating_add(self.elapsed);
        let offset = Duration::from_nanos(self.offset_ns.unsigned_abs());
        match self.offset_ns >= 0 {
            true => real.saturating_add(offset),
            false => real.saturating_sub(offset),
        }
    }

    /// Real time at which the clock, as it goes now, shows `instant`.
    fn real(&self, instant: Timestamp) -> Duration {
        self.elapsed + instant.since(self.now())
    }

    // ---- What happens in the world.

    pub(super) fn add_node(&mut self, node: &str, instance: u64) {
        let name = NodeName::parse(node).unwrap();
        let tags = [("region", "global"), ("node", node)];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let view = NodeView { name: name.clone(), instance, tags, handlers: BTreeSet::new() };
        let process = Process { view, known: BTreeSet::new(), runs: BTreeMap::new() };
        self.processes.insert(name, process);
        self.tell_nodes();
    }

    /// Ends a process with everything it runs.
    pub(super) fn kill_node(&mut self, node: &str) {
        self.processes.remove(&NodeName::parse(node).unwrap());
        self.tell_nodes();
    }

    pub(super) fn tell_nodes(&mut self) {
        let views = self.nodes();
        self.step(Input::Nodes(&views));
    }

    pub(super) fn nodes(&self) -> Vec<NodeView> {
        self.processes.values().map(|process| process.view.clone()).collect()
    }

    /// Makes the engine lead: as it is, or anew.
    pub(super) fn lead(&mut self) {
        let (seed, last_entry_at) = (self.dice.0, self.last_entry_at);
        self.step(Input::Leading { seed, last_entry_at });
    }

    /// Another leader takes over with an engine of its own. What was proposed is in the log, or it
    /// never will be.
    pub(super) fn change_leader(&mut self) {
        self.settle_proposals();
        self.engine = engine();
        self.engine.start_ahead(self.start_ahead);
        self.tell_nodes();
        self.lead();
    }

    /// From now on claims are handed out so long before their instants.
    pub(super) fn start_ahead(&mut self, span: Duration) {
        self.start_ahead = span;
        self.engine.start_ahead(span);
    }

    /// The only process is killed and comes back `down` later.
    pub(super) fn crash(&mut self, down: Duration) {
        self.settle_proposals();
        self.happenings.clear();
        self.elapsed += down;
        self.engine = engine();
        let nodes: Vec<_> = std::mem::take(&mut self.processes).into_values().collect();
        for process in nodes {
            self.serial_instance += 1;
            self.add_node(process.view.name.as_str(), self.serial_instance);
        }
        self.lead();
    }

    /// Half of what is under way has been committed; nobody hears of it.
    fn settle_proposals(&mut self) {
        let happenings = std::mem::take(&mut self.happenings);
        for (key, happening) in happenings {
            match happening {
                Happening::Commit { commands, .. } => {
                    if self.dice.percent(50) {
                        self.apply(&commands);
                    }
                }
                other => _ = self.happenings.insert(key, other),
            }
        }
    }

    /// Time passes, and nobody gets to do anything.
    pub(super) fn stand_still(&mut self, span: Duration) {
        self.elapsed += span;
    }

    /// The clock is put forward (or back, if negative) by so many seconds.
    pub(super) fn put_clock(&mut self, seconds: i64) {
        self.offset_ns += seconds * 1_000_000_000;
    }

    // ---- What users do.

    /// Writes a job, at once.
    pub(super) fn set(&mut self, job: Job) {
        let first = first_due(&job, self.now(), Zone::UTC).unwrap();
        let write = JobWrite::new(job, first);
        let outcome = self.command(Command::SetJob(Box::new(write)));
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    }

    /// Applies a command at once and tells the engine.
    pub(super) fn command(&mut self, command: Command) -> Outcome {
        let (mut outcomes, events) = self.apply(&[command]);
        self.tell(&events);
        outcomes.remove(0)
    }

    // ---- Time.

    /// Lets everything happen that happens within `span`.
    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.elapsed + span;
        let (mut still, mut last) = (0, self.elapsed);
        loop {
            let wakeup = self.engine.next_wakeup().map(|instant| self.real(instant));
            let happening = self.happenings.keys().next().copied();
            let next = wakeup.into_iter().chain(happening.map(|(real, _)| real)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.elapsed = self.elapsed.max(next);
            still = if self.elapsed == last { still + 1 } else { 0 };
            assert!(still < 1_000, "no end of steps at {}", self.now());
            last = self.elapsed;
            match happening.filter(|(real, _)| *real <= self.elapsed) {
                Some(key) => self.happen(key),
                None => self.step(Input::Woken),
            }
        }
        self.elapsed = self.elapsed.max(end);
    }

    pub(super) fn run_until(&mut self, instant: &str) {
        self.run_for(at(instant).since(self.now()));
    }

    /// Lets the next thing happen that is under way; the engine is told what it is told then.
    pub(super) fn next_happening(&mut self) {
        let key = *self.happenings.keys().next().unwrap();
        self.elapsed = self.elapsed.max(key.0);
        self.happen(key);
    }

    fn happen(&mut self, key: (Duration, u64)) {
        match self.happenings.remove(&key).unwrap() {
            Happening::Commit { round, commands } => self.commit(round, &commands),
            Happening::RunEnds { node, instance, job, id } => {
                self.run_ends(&node, instance, &job, &id);
            }
        }
    }

    fn later(&mut self, span: Duration, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((self.elapsed + span, self.serial), happening);
    }

    fn commit(&mut self, round: Option<u64>, commands: &[Command]) {
        let is_lost = round.is_some() && self.dice.percent(self.lost_proposals);
        let mut applied = (Vec::new(), Vec::new());
        if !is_lost {
            applied = self.apply(commands);
        }
        let (outcomes, events) = applied;
        let is_unanswered = is_lost || self.dice.percent(self.lost_answers);
        let answer = if is_unanswered { Answer::Failed } else { Answer::Applied(&outcomes) };
        let answers_first = self.dice.percent(50);
        if let Some(round) = round.filter(|_| answers_first) {
            self.step(Input::Answered { round, answer });
        }
        self.tell(&events);
        if let Some(round) = round.filter(|_| !answers_first) {
            self.step(Input::Answered { round, answer });
        }
    }

    /// Applies the round that is under way now; nobody is told.
    pub(super) fn commit_open_round(&mut self) -> (u64, Vec<Outcome>, Vec<Event>) {
        let is_round = |happening: &&mut Happening| {
            matches!(happening, Happening::Commit { round: Some(_), .. })
        };
        let happening = self.happenings.values_mut().find(is_round).unwrap();
        let Happening::Commit { round, commands } = happening else { unreachable!() };
        let (round, commands) = (round.take().unwrap(), std::mem::take(commands));
        let (outcomes, events) = self.apply(&commands);
        (round, outcomes, events)
    }

    /// Applies commands without telling the engine.
    pub(super) fn apply(&mut self, commands: &[Command]) -> (Vec<Outcome>, Vec<Event>) {
        let (mut outcomes, mut events) = (Vec::new(), Vec::new());
        for commands in commands.chunks(COMMANDS_PER_ENTRY_MAX) {
            let envelope = |command: &Command| Envelope { request: None, command: command.clone() };
            let commands = commands.iter().map(envelope).collect();
            self.last_entry_at = self.last_entry_at.max(self.now());
            let entry = Entry { at: self.last_entry_at, commands };
            outcomes.append(&mut apply(&mut self.tables, &entry, &mut events).unwrap());
        }
        self.record(&events);
        (outcomes, events)
    }

    /// Keeps what became of fires; a skipped retry is no outcome of its fire, which was started.
    fn record(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Claimed(claim) => self.claims.push(claim.clone()),
                Event::Skipped { skip, .. } | Event::Withdrawn { skip, .. }
                    if skip.attempt == 1 =>
                {
                    self.skips.push(skip.clone());
                }
                Event::Skipped { skip, .. } => self.skipped_retries.push(skip.clone()),
                _ => {}
            }
        }
    }

    // ---- The engine and what it asks for.

    /// Tells the engine of facts, as those of the last entry.
    pub(super) fn tell(&mut self, events: &[Event]) {
        self.step(Input::Applied { at: self.last_entry_at, events });
    }

    pub(super) fn step(&mut self, input: Input<'_>) {
        self.steps += 1;
        let mut effects = Vec::new();
        let now = self.now();
        self.engine.step(&self.tables, now, input, &mut effects).unwrap();
        for effect in effects {
            match effect {
                Effect::Propose { round, commands } => {
                    assert!(!commands.is_empty());
                    let commit = self.commit;
                    self.later(commit, Happening::Commit { round: Some(round), commands });
                }
                Effect::Start(claim) => {
                    self.check_instant(&claim);
                    self.start(claim);
                }
                Effect::StartAgain(claim) => self.start(claim),
                Effect::CancelRun { job, execution, token } => self.cancel(&job, execution, token),
                Effect::Note(observation) => self.notes.push(observation),
            }
        }
    }

    /// Checks that the clock shows, but for the time the node waits, the instant of a fire.
    fn check_instant(&self, claim: &Claim) {
        let execution = &claim.execution;
        if execution.cause == Cause::Schedule && execution.attempt == 1 {
            let (job, id) = (&execution.job, &execution.id);
            let handed_until = self.now().saturating_add(self.start_ahead);
            assert!(execution.fire_time <= handed_until, "{job} {id} starts before its instant");
        }
    }

    fn start(&mut self, claim: Claim) {
        self.handed += 1;
        let now = self.now();
        let execution = claim.execution;
        let (job, id) = (execution.job.clone(), execution.id.clone());
        let handed_until = now.saturating_add(self.start_ahead);
        assert!(claim.start_at <= handed_until, "{job} {id} handed out long before its instant");
        // The process waits for the instant.
        let now = now.max(claim.start_at.min(now.saturating_add(self.start_ahead)));
        let wait = now.since(self.now());
        let time = wait + self.run_time.get(&job).copied().unwrap_or_default();
        let Some(process) = self.processes.get_mut(&id.node) else { return };
        let is_for_it = process.view.instance == execution.instance;
        if !is_for_it || !process.known.insert(execution.token) {
            return;
        }
        let run = Run {
            token: execution.token,
            fire_time: execution.fire_time,
            cause: execution.cause,
            started_at: now,
            is_exclusive: claim.job.concurrency == ConcurrencyPolicy::Forbid,
        };
        process.runs.insert((job.clone(), id.clone()), run.clone());
        self.check_overlap(&job, &run);
        let (fire_time, cause) = (execution.fire_time, execution.cause);
        let attempt = execution.attempt;
        let start = Start { job: job.clone(), id: id.clone(), fire_time, cause, attempt, at: now };
        // A fire has one first attempt on each node; an identity may come back once its execution
        // is no longer kept and the clock was put back.
        let is_same = |other: &&Start| {
            other.job == start.job
                && (other.fire_time, other.cause, other.attempt)
                    == (start.fire_time, start.cause, start.attempt)
                && start.attempt == 1
                && other.id.node == start.id.node
        };
        let double = self.starts.iter().rev().take(1_000).find(is_same);
        assert!(double.is_none(), "{start:?} started twice, before as {double:?}");
        self.starts.push(start);
        let (node, instance) = (id.node.clone(), execution.instance);
        self.later(time, Happening::RunEnds { node, instance, job, id });
    }

    fn check_overlap(&self, job: &JobName, run: &Run) {
        let runs = self.processes.values().flat_map(|process| &process.runs);
        for ((other_job, id), other) in runs {
            let is_same_fire = other.fire_time == run.fire_time && other.cause == run.cause;
            let is_in_the_way = run.is_exclusive && other_job == job && !is_same_fire;
            assert!(!is_in_the_way, "{job} overlaps {id} at {}", self.now());
        }
    }

    fn cancel(&mut self, job: &JobName, id: ExecutionId, token: u64) {
        self.cancelled.push(id.clone());
        if let Some(process) = self.processes.get_mut(&id.node) {
            let run = process.runs.remove(&(job.clone(), id.clone()));
            let started_at = run.map(|run| run.started_at);
            self.report(job, id, token, started_at, ExecutionState::Cancelled);
        }
    }

    fn run_ends(&mut self, node: &NodeName, instance: u64, job: &JobName, id: &ExecutionId) {
        let Some(process) = self.processes.get_mut(node) else { return };
        if process.view.instance != instance {
            return;
        }
        let Some(run) = process.runs.remove(&(job.clone(), id.clone())) else { return };
        let state = match self.failing.contains(job) {
            true => ExecutionState::Failed,
            false => ExecutionState::Succeeded,
        };
        self.report(job, id.clone(), run.token, Some(run.started_at), state);
    }

    fn report(
        &mut self,
        job: &JobName,
        execution: ExecutionId,
        token: u64,
        started_at: Option<Timestamp>,
        state: ExecutionState,
    ) {
        let (job, finished_at) = (job.clone(), self.now());
        let output = StoredOutput::default();
        let report = Report { job, execution, token, started_at, finished_at, state, output };
        let commands = vec![Command::Finish(report)];
        let commit = self.commit;
        self.later(commit, Happening::Commit { round: None, commands });
    }
}

fn engine() -> Engine {
    Engine::new(EngineConfig {
        region: "global".to_owned(),
        server_zone: Zone::UTC,
        runs_max: RUNS_MAX,
    })
}
