//! What one step has at hand.

use std::time::Duration;

use super::engine_clock::EngineClock;
use super::nodes::Nodes;
use super::{Effect, Observation};
use crate::kernel::dispatch::Schedules;
use crate::kernel::model::NodeView;
use crate::kernel::time::Timestamp;

/// Everything around the term for the length of one step.
pub(super) struct Scene<'a, T> {
    pub(super) view: &'a T,
    pub(super) clock: &'a EngineClock,
    pub(super) nodes: &'a Nodes,
    pub(super) views: &'a [NodeView],
    pub(super) region: &'a str,
    pub(super) runs_max: usize,
    pub(super) schedules: &'a mut Schedules,
    /// How long before their instants claims are handed out.
    pub(super) start_ahead: Duration,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl<T> Scene<'_, T> {
    /// Returns what the clock shows.
    pub(super) const fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns when to be woken for a claim that starts at this instant.
    pub(super) fn wake_to_start(&self, start_at: Timestamp) -> Timestamp {
        self.clock.wake_for(start_at.saturating_sub(self.start_ahead))
    }

    pub(super) fn note(&mut self, observation: Observation) {
        self.effects.push(Effect::Note(observation));
    }
}
