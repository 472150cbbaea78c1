//! The plan: every row of the due table up to a horizon, each with its decision.

use std::time::Duration;

use super::chain::Chain;
use super::facts::{self, Facts};
use super::job_fires::{JobFires, TICK};
use super::overlap::Overlap;
use super::present::Present;
use super::random::SplitMix64;
use super::retry::Retries;
use super::schedules::Schedules;
use super::targets::Candidates;
use super::waiting::{WaitingRow, WaitingRows};
use super::{catch_up, runnable};
use crate::kernel::model::{JobName, NodeView, SkipReason};
use crate::kernel::schedule::ScheduleError;
use crate::kernel::state::{
    DueKind, DueRow, Fire, FireId, TableError, Tables, Target, Verdict, query,
};
use crate::kernel::time::Timestamp;
use crate::limits::{
    CATCH_UP_COUNT_MAX, CATCH_UP_COUNT_PER_ROUND_MAX, DUE_ROWS_WALKED_MAX, NODES_RETURN_MAX,
    RETRY_NODE_WAIT_MAX, SCHEDULE_RETRY_PERIOD,
};

/// Rows read at a time at least: many may be held in front of the one that is wanted.
const ROWS_READ_MIN: usize = 256;

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The nodes that are alive.
    pub nodes: &'a [NodeView],
    /// The leader's region: jobs run there only.
    pub region: &'a str,
    /// Since when the leader has been watching without a gap; what a schedule had due before is
    /// missed, and follows the job's catch-up policy.
    pub watch_start: Timestamp,
    /// The present instant.
    pub now: Timestamp,
    /// The greatest instant that has passed, as in [`Present`]: `now`, unless the clock is behind.
    pub passed: Timestamp,
    /// Rows due up to and including this instant are decided; not before `now`.
    pub horizon: Timestamp,
    /// Randomness for the choice of targets.
    pub seed: u64,
    /// How many decisions a plan holds at most; the rest is for the next one.
    pub decisions_max: usize,
}

/// What starts, and what does not and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The decisions, to be applied in this order: several of one job build on each other.
    pub fires: Vec<Fire>,
    /// Rows that could not start now, but may later; the decision falls at a set instant.
    pub waiting: Vec<WaitingRow>,
    /// Jobs whose stored schedule this version does not understand; their rows wait as well.
    pub unreadable: Vec<(JobName, ScheduleError)>,
}

/// Decides what is due.
///
/// Rows that `waiting` holds are passed over; it is for the caller to add those of the plan, and to
/// release them when something of theirs changes.
///
/// The plan is a function of its arguments: the cache of schedules makes it cheaper, not different.
/// It holds for the view it was made from: `apply` refuses a decision whose job, due row or overlap
/// is no longer what the view showed.
///
/// # Errors
///
/// [`TableError`] if the view cannot be read.
pub fn plan_due(
    view: &impl Tables,
    schedules: &mut Schedules,
    circumstances: &Circumstances<'_>,
    waiting: &WaitingRows,
) -> Result<Plan, TableError> {
    let mut planner = Planner {
        view,
        circumstances,
        candidates: Candidates::new(circumstances.nodes, circumstances.region),
        overlap: Overlap::default(),
        retries: Retries::default(),
        questions_left: CATCH_UP_COUNT_PER_ROUND_MAX,
        plan: Plan::default(),
    };
    for row in rows_to_decide(view, circumstances, waiting)? {
        if planner.is_full(0) {
            break;
        }
        planner.decide(schedules, row)?;
    }
    Ok(planner.plan)
}

/// Collects the rows that a plan has room for, earliest first.
fn rows_to_decide(
    view: &impl Tables,
    circumstances: &Circumstances<'_>,
    waiting: &WaitingRows,
) -> Result<Vec<DueRow>, TableError> {
    let Circumstances { now, passed, horizon, decisions_max, .. } = *circumstances;
    let present = Present { now, passed };
    let end = present.scan_end(horizon);
    let is_open = |row: &DueRow| present.is_due(row, horizon) && !waiting.holds(row, now);
    let step = decisions_max.max(ROWS_READ_MIN);
    let mut rows: Vec<DueRow> = Vec::new();
    let (mut after, mut walked) = (None, 0);
    loop {
        let found = query::due_rows(view, after.as_ref(), end, step)?;
        walked += found.len();
        let is_last = found.len() < step || walked >= DUE_ROWS_WALKED_MAX;
        after = found.last().cloned();
        rows.extend(found.into_iter().filter(is_open));
        if is_last || rows.len() >= decisions_max {
            return Ok(rows);
        }
    }
}

/// A plan in the making.
struct Planner<'a, T> {
    view: &'a T,
    circumstances: &'a Circumstances<'a>,
    candidates: Candidates<'a>,
    overlap: Overlap,
    retries: Retries,
    /// How often a schedule may still be asked merely to count what was missed.
    questions_left: u32,
    plan: Plan,
}

/// What to do with one fire.
enum Decision {
    Start(Vec<Target>),
    Skip(SkipReason),
    /// Nothing before this instant, unless something changes.
    Wait(Timestamp),
}

impl<T: Tables> Planner<'_, T> {
    /// Returns whether there is no room for another decision beside `pending` ones.
    fn is_full(&self, pending: usize) -> bool {
        self.plan.fires.len() + pending >= self.circumstances.decisions_max
    }

    fn decide(&mut self, schedules: &mut Schedules, row: DueRow) -> Result<(), TableError> {
        let Some(facts) = facts::of_job(self.view, &row.job)? else {
            // A row goes with its job: there is none to decide for.
            return Ok(());
        };
        match &row.kind {
            DueKind::Schedule => self.decide_schedule(schedules, &facts, row.at),
            DueKind::Retry { .. } | DueKind::Dependent { .. } => self.decide_once(&facts, row),
        }
    }

    /// Decides a row that stands for one fire, or one attempt, and has no successor.
    fn decide_once(&mut self, facts: &Facts, row: DueRow) -> Result<(), TableError> {
        let at = row.at;
        // That of a dependent run is the time of an entry, which the clock may be far from showing.
        let shown = at.min(self.circumstances.now);
        let decision = match runnable::refusal(&facts.job, shown, &row.kind) {
            Some(reason) => Decision::Skip(reason),
            None => self.decide_attempt(facts, &row)?,
        };
        let verdict = match decision {
            Decision::Wait(until) => {
                self.plan.waiting.push(WaitingRow { row, until });
                return Ok(());
            }
            Decision::Start(targets) => Verdict::Start { targets: targets.into() },
            Decision::Skip(reason) => Verdict::Skip { last: at, fires: 1, reason },
        };
        let (job, revision) = (row.job.clone(), facts.revision);
        let due = Some(row);
        let fire = Fire { job, revision, due, at, next: None, is_forced: false, verdict };
        self.plan.fires.push(fire);
        Ok(())
    }

    /// Decides the fires of a schedule from its row on, up to the horizon.
    fn decide_schedule(
        &mut self,
        schedules: &mut Schedules,
        facts: &Facts,
        first: Timestamp,
    ) -> Result<(), TableError> {
        let job = &facts.job;
        let mut chain = Chain::new(facts, first);
        let refusal = runnable::refusal(job, first, &DueKind::Schedule);
        match (refusal, schedules.of(job)) {
            (Some(reason @ (SkipReason::Disabled | SkipReason::Withdrawn)), _) => {
                chain.skip(first, 1, reason, None);
            }
            // Another version wrote it, or knew a zone that is gone. The row stays: once somebody
            // leads who understands it, what was missed follows the job's catch-up policy.
            (_, Err(error)) => {
                let row = DueRow { at: first, job: job.name.clone(), kind: DueKind::Schedule };
                let until = self.circumstances.now.saturating_add(SCHEDULE_RETRY_PERIOD);
                self.plan.waiting.push(WaitingRow { row, until });
                self.plan.unreadable.push((job.name.clone(), error));
            }
            (Some(reason), Ok(schedule)) => {
                let fires = JobFires::new(job, &schedule, first);
                chain.skip(first, 1, reason, fires.next_after(first));
                self.decide_chain(&mut chain, &fires, facts)?;
            }
            (None, Ok(schedule)) => {
                let fires = JobFires::new(job, &schedule, first);
                self.skip_decided(&mut chain, &fires, facts);
                self.skip_missed(&mut chain, &fires, facts);
                self.decide_chain(&mut chain, &fires, facts)?;
            }
        }
        self.plan.fires.append(&mut chain.into_fires());
        Ok(())
    }

    /// Skips instants that were decided before: a job was written while the clock, or the clock of
    /// the server that took the write, was behind its last fire.
    fn skip_decided(&mut self, chain: &mut Chain<'_>, fires: &JobFires<'_>, facts: &Facts) {
        let (Some(first), Some(last_fire)) = (chain.at(), facts.last_fire) else { return };
        if first <= last_fire {
            let last = fires.last_before(last_fire.saturating_add(TICK), Duration::ZERO);
            let count = fires.count(first, last, CATCH_UP_COUNT_MAX, &mut self.questions_left);
            chain.skip(last, count, SkipReason::AlreadyDecided, fires.next_after(last));
        }
    }

    /// Skips what was missed and shall not start.
    fn skip_missed(&mut self, chain: &mut Chain<'_>, fires: &JobFires<'_>, facts: &Facts) {
        let Some(first) = chain.at() else { return };
        let watch_start = self.circumstances.watch_start;
        let missed = catch_up::missed(fires, &facts.job, first, watch_start);
        let (last, next) = match missed {
            None => return,
            Some(missed) => match missed.start_from {
                Some(start_from) if start_from <= first => return,
                Some(start_from) => {
                    (fires.last_before(start_from, Duration::ZERO), Some(start_from))
                }
                None => (missed.newest, fires.next_after(missed.newest)),
            },
        };
        let count = fires.count(first, last, CATCH_UP_COUNT_MAX, &mut self.questions_left);
        chain.skip(last, count, SkipReason::CaughtUp, next);
    }

    /// Decides one fire after the other.
    fn decide_chain(
        &mut self,
        chain: &mut Chain<'_>,
        fires: &JobFires<'_>,
        facts: &Facts,
    ) -> Result<(), TableError> {
        while let Some(at) = chain.at() {
            if at > self.circumstances.horizon || self.is_full(chain.len()) {
                break;
            }
            let row = DueRow { at, job: facts.job.name.clone(), kind: DueKind::Schedule };
            match self.decide_attempt(facts, &row)? {
                Decision::Start(targets) => chain.start(targets, fires.next_after(at)),
                Decision::Skip(reason) => chain.skip(at, 1, reason, fires.next_after(at)),
                Decision::Wait(until) => {
                    self.plan.waiting.push(WaitingRow { row, until });
                    break;
                }
            }
        }
        Ok(())
    }

    /// Decides one attempt of a job that may run: is it in time, is the way free, and where?
    fn decide_attempt(&mut self, facts: &Facts, row: &DueRow) -> Result<Decision, TableError> {
        let (job, fire) = (&facts.job, FireId::of_row(row));
        let Circumstances { now, horizon, watch_start, seed, .. } = *self.circumstances;
        if runnable::is_too_late(job, row.at, now) {
            return Ok(Decision::Skip(SkipReason::TooLate));
        }
        // What is due though its instant is yet to come has nothing to wait for.
        let at = if row.at > horizon { now } else { row.at };
        if let Some(running) = self.overlap.in_the_way(self.view, job, fire)? {
            return Ok(skip_from(at, now, SkipReason::Forbidden { running }));
        }
        let mut random = SplitMix64::for_fire(seed, &job.name, row.at);
        let (chosen, patience) = match &row.kind {
            DueKind::Retry { node, .. } => {
                let candidates = &mut self.candidates;
                let node =
                    self.retries.choose(self.view, candidates, job, fire, node, &mut random)?;
                (node.map(|target| vec![target]), RETRY_NODE_WAIT_MAX)
            }
            DueKind::Schedule | DueKind::Dependent { .. } => {
                (self.candidates.choose(job, &mut random), Duration::ZERO)
            }
        };
        Ok(match chosen {
            Ok(targets) => {
                if let Some(target) = targets.first() {
                    self.overlap.claim(job, fire, row.at, &target.node);
                }
                Decision::Start(targets)
            }
            Err(wanted) => {
                // After a restart of the whole cluster nodes come back one by one.
                let until = at.max(watch_start).saturating_add(patience);
                let until = until.max(watch_start.saturating_add(NODES_RETURN_MAX));
                skip_from(until, now, SkipReason::NoCapableNode { wanted })
            }
        })
    }
}

/// Refuses a fire from `instant` on, and puts the decision off before: the way may become free.
fn skip_from(instant: Timestamp, now: Timestamp, reason: SkipReason) -> Decision {
    if now < instant { Decision::Wait(instant) } else { Decision::Skip(reason) }
}
