//! Holds the history that a data directory has against schedules and ledger.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dkron_core::schedule::{Schedule, ScheduleContext};
use dkron_core::{Cause, Cluster, Execution, ExecutionState, Skip, Timestamp};
use dkron_e2e::ledger::{Line, Moment};

use super::jobs::{Closed, Planned};

/// More than any job of the test has.
const ALL: usize = 100_000;

/// How long the end of a run may take to become part of the state, on a busy machine: a child that
/// was written meanwhile runs for it.
const END_KNOWN_AFTER: Duration = Duration::from_secs(2);

/// Everything known at the end.
pub struct Audit<'a> {
    cluster: &'a Cluster,
    lines: Vec<Line>,
    /// How many lines there were when the daemon had started for the last time.
    lines_at_last_start: usize,
    started: Cell<usize>,
    skipped: Cell<usize>,
    lost: Cell<usize>,
}

impl<'a> Audit<'a> {
    pub fn new(cluster: &'a Cluster, lines: Vec<Line>, lines_at_last_start: usize) -> Self {
        let zero = || Cell::new(0);
        let (started, skipped, lost) = (zero(), zero(), zero());
        Self { cluster, lines, lines_at_last_start, started, skipped, lost }
    }

    /// Every instant of the schedule has one outcome, and there is no other outcome.
    pub fn check_job(&self, job: &Planned, closed: Closed) {
        let name = &job.name;
        let executions = self.cluster.executions(name, ALL).unwrap();
        let (skips, given_up): (Vec<Skip>, Vec<Skip>) =
            self.cluster.skips(name, ALL).unwrap().into_iter().partition(|skip| skip.attempt == 1);
        let mut fires: BTreeMap<Timestamp, Vec<&Execution>> = BTreeMap::new();
        for execution in &executions {
            assert!(execution.state.is_final(), "{name}: {execution:?} never ended");
            fires.entry(execution.fire_time).or_default().push(execution);
        }
        for attempts in fires.values_mut() {
            attempts.sort_by_key(|execution| execution.attempt);
            self.check_attempts(job, attempts);
        }
        for skip in &given_up {
            let last = fires.get(&skip.first).and_then(|attempts| attempts.last());
            assert_eq!(last.map(|last| last.attempt + 1), Some(skip.attempt), "{name}: {skip:?}");
        }
        let first_tokens: Vec<u64> = fires.values().map(|attempts| attempts[0].token).collect();
        assert!(first_tokens.is_sorted(), "{name}: tokens do not grow: {first_tokens:?}");
        if job.is_forbid {
            check_no_overlap(name, &executions);
        }

        self.started.set(self.started.get() + fires.len());
        self.lost.set(
            self.lost.get() + executions.iter().filter(|e| e.state == ExecutionState::Lost).count(),
        );
        if job.parent.is_some() {
            return;
        }
        let first = fires.keys().next().copied().into_iter().chain(skips.iter().map(|s| s.first));
        let due = due_instants(job, first.min(), closed.1);
        for at in &due {
            let covering = skips.iter().filter(|skip| skip.first <= *at && *at <= skip.last);
            let outcomes = usize::from(fires.contains_key(at)) + covering.count();
            let is_certain = *at > job.opened_until && *at < closed.0;
            if is_certain {
                assert_eq!(outcomes, 1, "{name}, due at {at}: {}", show(&fires, &skips, *at));
            } else {
                assert!(outcomes <= 1, "{name}, due at {at}: {}", show(&fires, &skips, *at));
            }
        }
        let due: BTreeSet<Timestamp> = due.into_iter().collect();
        for (at, attempts) in &fires {
            assert_eq!(attempts[0].cause, Cause::Schedule, "{name}");
            assert!(due.contains(at), "{name} ran at {at}, when it was not due");
        }
        for skip in &skips {
            let covered = due.range(skip.first..=skip.last).count();
            assert_eq!(covered, skip.fires as usize, "{name}: {skip:?}");
            self.skipped.set(self.skipped.get() + covered);
        }
    }

    /// Attempts count from one without a gap, never more than allowed, tokens growing.
    fn check_attempts(&self, job: &Planned, attempts: &[&Execution]) {
        let name = &job.name;
        for (number, execution) in (1..).zip(attempts) {
            assert_eq!(execution.attempt, number, "{name}: {attempts:?}");
        }
        assert!(attempts.len() <= job.retries as usize + 1, "{name}: {attempts:?}");
        for pair in attempts.windows(2) {
            assert!(pair[0].token < pair[1].token, "{name}: {pair:?}");
            assert_ne!(pair[0].state, ExecutionState::Succeeded, "{name}: {pair:?}");
        }
    }

    /// A child ran once for each success of its parent since it exists.
    pub fn check_children(&self, jobs: &[Planned], closed: &[Closed]) {
        for (job, closed) in jobs.iter().zip(closed) {
            let Some(parent) = &job.parent else { continue };
            let sure_until = closed.0.saturating_sub(Duration::from_secs(1));
            let mut ends: Vec<Timestamp> = self
                .cluster
                .executions(parent, ALL)
                .unwrap()
                .iter()
                .filter(|execution| execution.state == ExecutionState::Succeeded)
                .filter_map(|execution| execution.finished_at)
                .collect();
            ends.sort();
            let sure =
                ends.iter().filter(|at| **at > job.opened_until && **at < sure_until).count();
            let from = job.opened_after.saturating_sub(END_KNOWN_AFTER);
            let possible = ends.iter().filter(|at| **at >= from).count();
            let fires: BTreeSet<Timestamp> = self
                .cluster
                .executions(&job.name, ALL)
                .unwrap()
                .iter()
                .map(|execution| {
                    assert_eq!(execution.cause, Cause::Parent, "{}", job.name);
                    execution.fire_time
                })
                .collect();
            let skips = self.cluster.skips(&job.name, ALL).unwrap();
            let whole = skips.iter().filter(|skip| skip.attempt == 1);
            let skipped: u32 = whole.map(|skip| skip.fires).sum();
            let have = fires.len() + skipped as usize;
            assert!(
                (sure..=possible).contains(&have),
                "{}: {have} outcomes for {sure} to {possible} successes of {parent}, {ends:?}",
                job.name
            );
        }
    }

    /// What ran is what the history says ran, once.
    pub fn check_ledger(&self, jobs: &[Planned]) {
        let mut known = BTreeMap::new();
        for job in jobs {
            for execution in self.cluster.executions(&job.name, ALL).unwrap() {
                known.insert(execution.token, execution);
            }
        }
        let (mut starts, mut ends) = (BTreeMap::new(), BTreeSet::new());
        let mut identities = BTreeSet::new();
        for line in &self.lines {
            let identity = (&line.job, &line.fire_time, line.attempt);
            match line.moment {
                Moment::Start => {
                    assert!(identities.insert(identity), "twice in the ledger: {line:?}");
                    assert!(starts.insert(line.token, line).is_none(), "a token twice: {line:?}");
                }
                Moment::End => assert!(ends.insert(line.token), "ended twice: {line:?}"),
            }
            let execution = known
                .get(&line.token)
                .unwrap_or_else(|| panic!("it ran, and the history does not know it: {line:?}"));
            assert_eq!(execution.job.as_str(), line.job);
            assert_eq!(execution.fire_time.to_string(), line.fire_time);
            assert_eq!(execution.attempt, line.attempt);
        }
        for (token, execution) in &known {
            let is_whole = starts.contains_key(token) && ends.contains(token);
            let is_told = execution.state == ExecutionState::Lost;
            assert!(is_whole || is_told, "it ended well by the history only: {execution:?}");
        }
        for job in jobs.iter().filter(|job| job.is_forbid) {
            self.check_ledger_overlap(&job.name);
        }
        let lived: BTreeSet<&str> =
            self.lines[self.lines_at_last_start..].iter().map(|line| line.job.as_str()).collect();
        for job in jobs.iter().filter(|job| job.parent.is_none()) {
            assert!(lived.contains(job.name.as_str()), "{} did not go on", job.name);
        }
    }

    /// Between the start and the end of a run there is no line of another.
    ///
    /// A run that was killed has no end; nothing of it may be heard after the start of the next.
    fn check_ledger_overlap(&self, name: &str) {
        let mut over = BTreeSet::new();
        let mut current = None;
        for line in self.lines.iter().filter(|line| line.job == name) {
            assert!(!over.contains(&line.token), "{name}: {line:?} while another runs");
            if current != Some(line.token) {
                over.extend(current);
                current = Some(line.token);
            }
        }
    }

    /// Says what was seen, so that nobody takes a test that tested nothing for one that passed.
    pub fn report(&self) {
        let (started, skipped, lost) = (self.started.get(), self.skipped.get(), self.lost.get());
        println!("{started} fires started, {skipped} skipped, {lost} attempts lost to kills");
        // Skips come of a daemon that is away for longer than a period: on a fast machine none is.
        assert!(started > 1_000 && lost > 20, "hardly anything happened");
    }
}

/// Returns the instants at which a job was due, those of its first and last moments included.
fn due_instants(job: &Planned, first: Option<Timestamp>, until: Timestamp) -> Vec<Timestamp> {
    let context = ScheduleContext { job: &job.name, ..ScheduleContext::default() };
    let schedule = Schedule::parse(&job.schedule, &context).unwrap();
    let mut due = Vec::new();
    // A period counts from the instant of the write, which only the first fire tells.
    let mut next = if job.schedule.starts_with("@every") {
        let first = first.unwrap_or_else(|| panic!("{} never fired", job.name));
        let earliest = schedule.next_after(job.opened_after).unwrap();
        let latest = schedule.next_after(job.opened_until).unwrap();
        assert!((earliest..=latest).contains(&first), "{}: first due at {first}", job.name);
        Some(first)
    } else {
        schedule.next_after(job.opened_after)
    };
    // Fires are decided shortly before their instant.
    while let Some(at) = next.filter(|at| *at <= until.saturating_add(Duration::from_secs(1))) {
        due.push(at);
        next = schedule.next_after(at);
    }
    due
}

fn check_no_overlap(name: &str, executions: &[Execution]) {
    let mut spans: Vec<_> =
        executions.iter().map(|e| (e.started_at, e.finished_at, e.token)).collect();
    spans.sort();
    for pair in spans.windows(2) {
        let ended = pair[0].1.unwrap();
        assert!(ended <= pair[1].0, "{name} overlaps: {pair:?}");
    }
}

fn show(fires: &BTreeMap<Timestamp, Vec<&Execution>>, skips: &[Skip], at: Timestamp) -> String {
    let skips: Vec<_> = skips.iter().filter(|skip| skip.first <= at && at <= skip.last).collect();
    format!("{:?} and {skips:?}", fires.get(&at))
}
