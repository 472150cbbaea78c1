//! The step function.

use std::time::Duration;

use super::engine_clock::{Course, EngineClock};
use super::nodes::Nodes;
use super::scene::Scene;
use super::term::Term;
use super::{Effect, Input, Observation};
use crate::kernel::dispatch::Schedules;
use crate::kernel::state::{TableError, Tables};
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::START_AHEAD_MAX;

/// What an engine is made for.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The region of this node: while it leads, jobs run on nodes of this region only.
    pub region: String,
    /// The zone in which schedules are read that name none.
    pub server_zone: Zone,
    /// How many executions may run in the whole cluster before no more are claimed, about:
    /// [`limits::RUNS_MAX`](crate::limits::RUNS_MAX).
    pub runs_max: usize,
}

/// The decisions of one node.
///
/// Owns no state that matters: all it holds can be read again from the view, and is when a term
/// begins. So it may be thrown away and made anew at any moment.
#[derive(Debug)]
pub struct Engine {
    region: String,
    runs_max: usize,
    clock: EngineClock,
    nodes: Nodes,
    schedules: Schedules,
    /// The number of the last round; never used twice, so that late answers are recognised.
    last_round: u64,
    term: Option<Term>,
    is_draining: bool,
    wakeup: Option<Timestamp>,
    /// How long before their instants claims are handed out.
    start_ahead: Duration,
}

impl Engine {
    /// Makes the engine of a node that does not lead.
    pub fn new(config: EngineConfig) -> Self {
        Self {
            region: config.region,
            runs_max: config.runs_max,
            clock: EngineClock::new(),
            nodes: Nodes::default(),
            schedules: Schedules::new(config.server_zone),
            last_round: 0,
            term: None,
            is_draining: false,
            wakeup: None,
            start_ahead: Duration::ZERO,
        }
    }

    /// From the next step on hands claims out so long before their instants, at most
    /// [`START_AHEAD_MAX`]; at first, at their instants.
    pub fn start_ahead(&mut self, span: Duration) {
        self.start_ahead = span.min(START_AHEAD_MAX);
    }

    /// Takes one piece of news at the instant `now`, and appends what is to be done to `effects`.
    ///
    /// `now` is what the wall clock shows: it may jump either way. Costs what the news is about and
    /// what is due; nothing grows with the number of jobs, but for what is running when a term
    /// begins or a node goes.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the view cannot be read. Effects appended so far stand; the engine must be
    /// told [`Input::Leading`] again, or be thrown away.
    pub fn step(
        &mut self,
        view: &impl Tables,
        now: Timestamp,
        input: Input<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), TableError> {
        if let Input::Applied { at, .. } = input {
            self.clock.entered(at);
        }
        match self.clock.advance(now, self.wakeup) {
            Course::Steady => {}
            Course::WentBack(span) => {
                effects.push(Effect::Note(Observation::ClockWentBack { span }));
            }
            Course::Skipped(span) => {
                effects.push(Effect::Note(Observation::TimeSkipped { span }));
                if let Some(term) = &mut self.term {
                    term.watch_from(now);
                }
            }
        }
        if let Some(term) = &mut self.term {
            term.watch_at(now);
        }
        let gone = match input {
            Input::Nodes(nodes) => self.nodes.replace(nodes),
            _ => Default::default(),
        };
        match input {
            Input::Leading { seed, last_entry_at } => {
                if let Some(span) = self.clock.start_after(last_entry_at) {
                    effects.push(Effect::Note(Observation::ClockWentBack { span }));
                }
                self.term = Some(Term::new(seed, now));
            }
            Input::Following => self.term = None,
            Input::Draining => self.is_draining = true,
            _ => {}
        }

        self.wakeup = None;
        let (Some(term), Some(nodes)) = (&mut self.term, self.nodes.views()) else {
            return Ok(());
        };
        let mut scene = Scene {
            view,
            clock: &self.clock,
            nodes: &self.nodes,
            views: nodes,
            region: &self.region,
            runs_max: self.runs_max,
            schedules: &mut self.schedules,
            start_ahead: self.start_ahead,
            effects,
        };
        term.take_seat(&mut scene)?;
        match input {
            Input::Nodes(_) => term.nodes_changed(&mut scene, &gone)?,
            Input::Applied { events, .. } => term.applied(&mut scene, events)?,
            Input::Answered { round, answer } => term.answered(&mut scene, round, answer)?,
            // Claims that others proposed are claims too: news of them may be under way.
            Input::Draining => term.await_claims(&scene)?,
            Input::Woken | Input::Leading { .. } | Input::Following => {}
        }
        term.hand_out(&mut scene);
        if self.is_draining {
            // Whoever comes next could not tell that these never ran.
            term.open_round_of_ends(&mut scene, &mut self.last_round);
            self.wakeup = term.wakeup_to_drain(&scene);
            return Ok(());
        }
        term.open_round(&mut scene, &mut self.last_round)?;
        self.wakeup = Some(term.wakeup(&scene)?);
        Ok(())
    }

    /// Returns when the engine wants to be told [`Input::Woken`], by the wall clock; `None` = not
    /// before there is news.
    ///
    /// May lie in the past: then at once. It is what tells a clock that was put forward from time
    /// that passed: a step that comes long after it means that nobody watched. So the driver steps
    /// at this instant, by the wall clock, even if it has nothing to tell.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.wakeup
    }

    /// Returns whether nothing that was decided is still to be answered, to start or to be ended.
    ///
    /// After [`Input::Draining`] that stays so, unless a node goes: what ran there is to be ended.
    pub fn is_idle(&self) -> bool {
        self.term.as_ref().is_none_or(Term::is_idle)
    }
}
