//! Rounds of proposals: one at a time, endings first, then what is due, then what is to be swept.

use std::time::Duration;

use super::scene::Scene;
use super::term::Term;
use super::{Answer, Effect, Observation};
use crate::kernel::dispatch::{Circumstances, plan_due};
use crate::kernel::state::{Command, DueRow, Fire, Outcome, TableError, Tables, Verdict, query};
use crate::kernel::time::Timestamp;
use crate::limits::{DUE_ROWS_WALKED_MAX, FIRES_PER_ROUND_MAX, LOOK_AHEAD_MAX, WAKE_UP_MAX};

/// The pause after a round that failed or was refused as a whole: it doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// Its upper bound, and how often the engine wants to look at the clock while a round is open.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The pause while as many executions run as may.
const OVERLOAD_PAUSE: Duration = Duration::from_millis(100);
/// How long nothing has waited for room before that is said to be over: until then it comes and
/// goes with each execution that ends.
const OVERLOAD_QUIET: Duration = Duration::from_secs(60);

/// Fires of one instant that are counted, to know how long ahead to decide them.
const BURST_COUNTED_MAX: usize = 1 << 15;
/// How wide an instant is, for that purpose.
const BURST_SPAN: Duration = Duration::from_millis(10);
/// How long a count holds.
const BURST_RECOUNT: Duration = Duration::from_secs(1);

/// The round that is open, if one is, and when the next may be.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    open: Option<OpenRound>,
    pause: Option<Pause>,
    burst: Option<Burst>,
    overload: Option<Overload>,
}

/// As many executions run as may, or did not long ago.
#[derive(Clone, Copy, Debug)]
struct Overload {
    since: Timestamp,
    /// When something due last had to wait for that.
    until: Timestamp,
}

#[derive(Debug)]
struct OpenRound {
    number: u64,
    commands: usize,
    /// Tokens of the executions it ends; empty for decisions on what is due.
    ends: Vec<u64>,
    opened_at: Timestamp,
}

/// No round before `until`, by what the clock shows.
#[derive(Clone, Copy, Debug)]
struct Pause {
    from: Timestamp,
    span: Duration,
}

/// How many fires are due at the next instant.
#[derive(Clone, Copy, Debug)]
struct Burst {
    at: Timestamp,
    fires: usize,
    counted_at: Timestamp,
}

impl Term {
    /// Proposes what there is to propose, unless a round is open or a pause is on.
    pub(super) fn open_round<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
        last_round: &mut u64,
    ) -> Result<(), TableError> {
        self.open_round_of_ends(scene, last_round);
        if self.rounds.may_open(scene.now()) {
            let mut commands = self.plan(scene)?;
            commands.extend(self.sweep(scene, !commands.is_empty())?);
            self.propose(scene, last_round, commands, Vec::new());
        }
        Ok(())
    }

    /// Proposes the ends that there are to propose, unless a round is open or a pause is on.
    pub(super) fn open_round_of_ends<T>(&mut self, scene: &mut Scene<'_, T>, last_round: &mut u64) {
        if !self.rounds.may_open(scene.now()) {
            return;
        }
        let (commands, ends) = self.closing.commands(scene.now(), FIRES_PER_ROUND_MAX);
        if !commands.is_empty() {
            scene.note(Observation::Closing { executions: ends.len() });
        }
        self.propose(scene, last_round, commands, ends);
    }

    fn propose<T>(
        &mut self,
        scene: &mut Scene<'_, T>,
        last_round: &mut u64,
        commands: Vec<Command>,
        ends: Vec<u64>,
    ) {
        if commands.is_empty() {
            return;
        }
        *last_round += 1;
        self.rounds.open = Some(OpenRound {
            number: *last_round,
            commands: commands.len(),
            ends,
            opened_at: scene.now(),
        });
        scene.effects.push(Effect::Propose { round: *last_round, commands });
    }

    /// Decides what is due.
    fn plan<T: Tables>(&mut self, scene: &mut Scene<'_, T>) -> Result<Vec<Command>, TableError> {
        let now = scene.now();
        self.waiting.release_until(now);
        self.end_overload(scene);
        let Some(first) = self.first_open_row(scene)? else { return Ok(Vec::new()) };
        let horizon = now.saturating_add(self.look_ahead_for(scene, first)?);
        if first > horizon {
            return Ok(Vec::new());
        }
        let room = self.room(scene)?;
        if room == 0 {
            // What is due stays due: it falls due while somebody watches, so it is not missed.
            self.rounds.pause = Some(Pause { from: scene.now(), span: OVERLOAD_PAUSE });
            return Ok(Vec::new());
        }
        let circumstances = Circumstances {
            nodes: scene.views,
            region: scene.region,
            watch_start: self.watch_start,
            now,
            passed: scene.clock.passed(),
            horizon,
            seed: self.seed,
            decisions_max: FIRES_PER_ROUND_MAX.min(room),
        };
        let plan = plan_due(scene.view, scene.schedules, &circumstances, &self.waiting)?;
        let is_idle = plan.fires.is_empty() && plan.waiting.is_empty();
        for waiting in plan.waiting {
            self.waiting.add(waiting);
        }
        for (job, error) in plan.unreadable {
            scene.note(Observation::ScheduleUnreadable { job, error });
        }
        if is_idle {
            // Nothing to decide, yet something is due: look again, but not at once.
            self.rounds.pause = Some(Pause { from: scene.now(), span: PAUSE_MAX });
            return Ok(Vec::new());
        }
        if !plan.fires.is_empty() {
            scene.note(planned(&plan.fires, now));
        }
        Ok(plan.fires.into_iter().map(Command::Fire).collect())
    }

    /// Returns how many more executions may run, about: a fire may have several targets. Says so
    /// when none may any more.
    fn room<T: Tables>(&mut self, scene: &mut Scene<'_, T>) -> Result<usize, TableError> {
        let running = query::running_count(scene.view)?;
        let room = scene.runs_max.saturating_sub(usize::try_from(running).unwrap_or(usize::MAX));
        if room == 0 {
            let until = scene.now();
            if let Some(overload) = &mut self.rounds.overload {
                overload.until = until;
            } else {
                self.rounds.overload = Some(Overload { since: until, until });
                scene.note(Observation::Overloaded { running });
            }
        }
        Ok(room)
    }

    /// Says so when nothing has had to wait for room for a while.
    fn end_overload<T>(&mut self, scene: &mut Scene<'_, T>) {
        let now = scene.now();
        let is_over = |overload: &mut Overload| now.since(overload.until) >= OVERLOAD_QUIET;
        if let Some(Overload { since, until }) = self.rounds.overload.take_if(is_over) {
            scene.note(Observation::OverloadOver { span: until.since(since) });
        }
    }

    /// Takes in what became of a round; answers to other rounds than the open one are of no use.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the view cannot be read.
    pub(super) fn answered<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
        round: u64,
        answer: Answer<'_>,
    ) -> Result<(), TableError> {
        let shown = scene.now();
        let Some(open) = self.rounds.open.take_if(|open| open.number == round) else {
            return Ok(());
        };
        let Answer::Applied(outcomes) = answer else {
            let pause = self.rounds.pause_longer(shown);
            scene.note(Observation::RoundFailed { pause });
            return Ok(());
        };
        self.await_claims(scene)?;
        self.look_ahead.observe(shown.since(open.opened_at), open.commands);
        for token in open.ends {
            self.closing.remove(token);
        }
        let mut refused = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Rejected(why) => Some(why),
            _ => None,
        });
        let first = refused.next().cloned();
        let commands = first.iter().len() + refused.count();
        if commands > 0 && commands == outcomes.len() {
            self.rounds.pause_longer(shown);
        } else {
            self.rounds.pause = None;
        }
        if let Some(first) = first {
            scene.note(Observation::Refused { commands, first });
        }
        Ok(())
    }

    /// Returns when to look again while nothing more is decided: when the next claim starts, or a
    /// pause before ends are proposed is over.
    pub(super) fn wakeup_to_drain<T>(&self, scene: &Scene<'_, T>) -> Option<Timestamp> {
        let start = self.claims.first_at().map(|start_at| scene.wake_to_start(start_at));
        let pause = self.rounds.pause_end(scene.now());
        start.into_iter().chain(pause.filter(|_| !self.closing.is_empty())).min()
    }

    /// Returns when to look again.
    pub(super) fn wakeup<T: Tables>(
        &mut self,
        scene: &Scene<'_, T>,
    ) -> Result<Timestamp, TableError> {
        let (clock, shown) = (scene.clock, scene.now());
        let mut wakeup = shown.saturating_add(WAKE_UP_MAX);
        if let Some(start_at) = self.claims.first_at() {
            wakeup = wakeup.min(scene.wake_to_start(start_at));
        }
        if self.rounds.open.is_some() {
            return Ok(wakeup.min(shown.saturating_add(PAUSE_MAX)));
        }
        if let Some(pause_end) = self.rounds.pause_end(shown) {
            return Ok(wakeup.min(pause_end));
        }
        if let Some(overload) = self.rounds.overload {
            wakeup = wakeup.min(clock.wake_for(overload.until.saturating_add(OVERLOAD_QUIET)));
        }
        if let Some(until) = self.waiting.first_until() {
            wakeup = wakeup.min(clock.wake_for(until));
        }
        if let Some(first) = self.first_open_row(scene)? {
            let ahead = self.look_ahead_for(scene, first)?;
            wakeup = wakeup.min(clock.wake_for(first.saturating_sub(ahead)));
        }
        Ok(wakeup)
    }

    /// Returns when the first due row that does not wait is due, by what the clock shows.
    fn first_open_row<T: Tables>(
        &self,
        scene: &Scene<'_, T>,
    ) -> Result<Option<Timestamp>, TableError> {
        let (now, present) = (scene.now(), scene.clock.present());
        let (mut after, mut walked, mut limit): (Option<DueRow>, _, _) = (None, 0, 1);
        let mut first = None;
        while walked < DUE_ROWS_WALKED_MAX {
            // Behind the first one only those matter that are due before the clock shows it.
            let until = if first.is_none() { Timestamp::MAX } else { present.scan_end(now) };
            let rows = query::due_rows(scene.view, after.as_ref(), until, limit)?;
            for row in rows.iter().filter(|row| !self.waiting.holds(row, now)) {
                if present.is_due(row, now) {
                    return Ok(Some(row.at.min(now)));
                }
                first = first.or(Some(row.at));
                if row.at > present.scan_end(now) {
                    return Ok(first);
                }
            }
            if rows.len() < limit {
                return Ok(first);
            }
            walked += rows.len();
            after = rows.into_iter().next_back();
            limit = FIRES_PER_ROUND_MAX;
        }
        // Nobody looked further: as if the next one were due when the last one was.
        Ok(first.or(after.map(|row| row.at)))
    }

    /// Returns how long ahead of `at` to decide the fires that are due then.
    fn look_ahead_for<T: Tables>(
        &mut self,
        scene: &Scene<'_, T>,
        at: Timestamp,
    ) -> Result<Duration, TableError> {
        let now = scene.now();
        if at.since(now) > LOOK_AHEAD_MAX {
            // Too early to count: whoever waits for that instant is back by then.
            return Ok(LOOK_AHEAD_MAX);
        }
        let is_fresh =
            |burst: &Burst| burst.at == at && is_within(burst.counted_at, BURST_RECOUNT, now);
        let burst = match self.rounds.burst.filter(is_fresh) {
            Some(burst) => burst,
            None => {
                let until = at.saturating_add(BURST_SPAN);
                let fires = query::due_count(scene.view, until, BURST_COUNTED_MAX)?;
                Burst { at, fires, counted_at: now }
            }
        };
        self.rounds.burst = Some(burst);
        Ok(self.look_ahead.span(burst.fires))
    }
}

impl Rounds {
    /// Returns whether a round is open.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns whether there is neither a round open nor a pause on.
    fn may_open(&self, shown: Timestamp) -> bool {
        self.open.is_none() && self.pause_end(shown).is_none()
    }

    /// Returns when the pause that is on ends. A clock that was put back ends it.
    fn pause_end(&self, shown: Timestamp) -> Option<Timestamp> {
        let is_on = |pause: &Pause| is_within(pause.from, pause.span, shown);
        self.pause.filter(is_on).map(|pause| pause.from.saturating_add(pause.span))
    }

    /// Begins a pause, twice as long as the last one if that was followed by no success.
    fn pause_longer(&mut self, shown: Timestamp) -> Duration {
        let span = self.pause.map_or(PAUSE_MIN, |pause| (pause.span * 2).min(PAUSE_MAX));
        self.pause = Some(Pause { from: shown, span });
        span
    }
}

/// Returns whether less than `span` has passed since `from`; not so if the clock was put back.
fn is_within(from: Timestamp, span: Duration, now: Timestamp) -> bool {
    from <= now && now.since(from) < span
}

fn planned(fires: &[Fire], now: Timestamp) -> Observation {
    let is_start = |fire: &&Fire| matches!(fire.verdict, Verdict::Start { .. });
    let starts = fires.iter().filter(is_start).count();
    let earliest = fires.iter().map(|fire| fire.at).min();
    let late = earliest.map_or(Duration::ZERO, |at| now.since(at));
    Observation::Planned { starts, skips: fires.len() - starts, late }
}
