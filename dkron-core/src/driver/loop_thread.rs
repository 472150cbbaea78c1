//! The engine's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::late_view::LateView;
use super::news::{EngineNews, NewsSender};
use super::runs::Runs;
use super::tally::Counter;
use super::watch::Watch;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::{Execution, JobName};
use crate::kernel::node::{Answer, Effect, Engine, Input, Observation};
use crate::kernel::state::{Claim, Command, Envelope, Event, query};
use crate::ports::{Clock, Log, Store};

/// The longest sleep in one piece: after it the wall clock is read again, for it may have been set,
/// or the machine may have been suspended (timers stop then, the wall clock does not).
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the driver is made of.
pub struct DriverParts<S> {
    /// Decides.
    pub engine: Engine,
    /// Where the engine reads.
    pub store: Arc<S>,
    /// Where its proposals go.
    pub log: Arc<dyn Log>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where claims of this node start.
    pub runs: Arc<Runs>,
    /// Who is told what happened.
    pub watch: Arc<Watch>,
    /// Counts it.
    pub counter: Counter,
    /// Where proposals wait for their answers.
    pub runtime: Handle,
    /// Brings those answers back.
    pub sender: NewsSender,
}

/// Drives one engine.
pub struct Driver<S> {
    parts: DriverParts<S>,
    effects: Vec<Effect>,
    /// Whether nothing but the clock led to the present step.
    is_woken: bool,
    /// Who waits for the engine to have nothing under way.
    draining: Option<oneshot::Sender<()>>,
}

impl<S: Store> Driver<S> {
    /// Puts the parts together.
    pub fn new(parts: DriverParts<S>) -> Self {
        Self { parts, effects: Vec::new(), is_woken: false, draining: None }
    }

    /// Turns news into effects until [`EngineNews::Stop`] comes.
    ///
    /// # Errors
    ///
    /// That of the store: the engine cannot decide on what it cannot read, so it stops.
    pub fn run(mut self, news: &Receiver<EngineNews>) -> Result<(), Error> {
        loop {
            match news.recv_timeout(self.sleep()) {
                Ok(EngineNews::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(EngineNews::Drain(answer)) => {
                    self.draining = Some(answer);
                    self.step(Input::Draining)?;
                }
                Ok(news) => self.take(&news)?,
                Err(RecvTimeoutError::Timeout) => self.step(Input::Woken)?,
            }
            if let Some(answer) = self.draining.take_if(|_| self.parts.engine.is_idle()) {
                // Fails only if nobody waits any more.
                let _ = answer.send(());
            }
        }
    }

    /// Returns how long there is nothing to do.
    fn sleep(&self) -> Duration {
        match self.parts.engine.next_wakeup() {
            Some(at) => at.since(self.parts.clock.now()).min(SLEEP_MAX),
            None => SLEEP_MAX,
        }
    }

    fn take(&mut self, news: &EngineNews) -> Result<(), Error> {
        match news {
            EngineNews::Applied { at, events } => {
                // First: who is told that something has happened finds it counted.
                self.count(events);
                self.parts.watch.publish(events);
                log_events(events);
                self.step(Input::Applied { at: *at, events })
            }
            EngineNews::Answered { round, result } => {
                let answer = match result {
                    Ok(outcomes) => Answer::Applied(outcomes),
                    Err(_) => Answer::Failed,
                };
                self.step(Input::Answered { round: *round, answer })
            }
            EngineNews::Leading { seed, last_entry_at } => {
                self.parts.counter.set_leading(true);
                self.step(Input::Leading { seed: *seed, last_entry_at: *last_entry_at })
            }
            EngineNews::Following => {
                self.parts.counter.set_leading(false);
                self.step(Input::Following)
            }
            EngineNews::Nodes(nodes) => self.step(Input::Nodes(nodes)),
            // Taken apart by `run`.
            EngineNews::Drain(_) | EngineNews::Stop => Ok(()),
        }
    }

    /// Counts what has become part of the state.
    fn count(&mut self, events: &[Event]) {
        let store = &self.parts.store;
        // A state that cannot be read ends the engine, with the next step at the latest.
        let exists = |job: &JobName| {
            store.read().is_ok_and(|view| query::job_exists(&view, job).unwrap_or(false))
        };
        for event in events {
            self.parts.counter.count(event, exists);
        }
    }

    fn step(&mut self, input: Input<'_>) -> Result<(), Error> {
        self.is_woken = matches!(input, Input::Woken);
        let view = LateView::new(&*self.parts.store);
        let now = self.parts.clock.now();
        self.parts.engine.start_ahead(self.parts.runs.start_ahead());
        let stepped = self.parts.engine.step(&view, now, input, &mut self.effects);
        view.close()?;
        stepped.map_err(|error| {
            Error::new(ErrorKind::Storage, "decide what is due").with_source(error)
        })?;
        let mut effects = std::mem::take(&mut self.effects);
        let mut starts = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Start(claim) => starts.push(claim),
                effect => {
                    // In the order given: a start never comes after the request for its end.
                    self.start(std::mem::take(&mut starts));
                    self.perform(effect)?;
                }
            }
        }
        self.start(starts);
        self.effects = effects;
        Ok(())
    }

    fn perform(&self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::Propose { round, commands } => self.propose(round, commands),
            Effect::Start(claim) => self.start(vec![claim]),
            Effect::StartAgain(claim) => self.start_again(claim)?,
            Effect::CancelRun { token, .. } => self.parts.runs.cancel(token),
            Effect::Note(observation) => {
                self.parts.counter.tally().observe(&observation);
                note(&observation);
            }
        }
        Ok(())
    }

    /// Proposes a round; the answer comes back as news.
    fn propose(&self, round: u64, commands: Vec<Command>) {
        let envelopes =
            commands.into_iter().map(|command| Envelope { request: None, command }).collect();
        let answer = self.parts.log.propose(envelopes);
        let sender = self.parts.sender.clone();
        self.parts.runtime.spawn(async move {
            let result = answer.await;
            if let Err(error) = &result {
                tracing::warn!(round, error = error.report(), "a round of decisions failed");
            }
            let answered = EngineNews::Answered { round, result };
            if let Err(TrySendError::Full(answered)) = sender.try_send(answered) {
                // The engine is behind by NEWS_MAX: wait for it where waiting is allowed.
                let _ = tokio::task::spawn_blocking(move || sender.send(answered)).await;
            }
        });
    }

    fn start(&self, claims: Vec<Claim>) {
        for claim in &claims {
            tracing::debug!(
                job = %claim.execution.job,
                execution = %claim.execution.id,
                attempt = claim.execution.attempt,
                "start"
            );
        }
        if !claims.is_empty() {
            self.parts.runs.start(claims, self.is_woken);
        }
    }

    /// Starts a claim that an earlier term may have started: first the runs are asked, then the
    /// state, for a run leaves the runs after its end is part of the state.
    fn start_again(&self, claim: Claim) -> Result<(), Error> {
        let execution = &claim.execution;
        if self.parts.runs.get(execution.token).is_some() {
            return Ok(());
        }
        let view = self.parts.store.read()?;
        let stored = query::execution(&view, &execution.job, &execution.id).map_err(|error| {
            Error::new(ErrorKind::Storage, "read a claimed execution").with_source(error)
        })?;
        drop(view);
        let is_open =
            |stored: Execution| stored.token == execution.token && !stored.state.is_final();
        if stored.is_some_and(is_open) {
            self.start(vec![claim]);
        }
        Ok(())
    }
}

/// Logs what an operator looks for; everything else is in the state.
fn log_events(events: &[Event]) {
    for event in events {
        match event {
            // One line for a row of fires skipped for one reason, as there is one record of it.
            Event::Skipped { skip, is_continued: false, .. } => tracing::info!(
                job = %skip.job,
                first = %skip.first,
                last = %skip.last,
                fires = skip.fires,
                reason = %skip.reason,
                "skip"
            ),
            Event::Finished { execution, .. } => tracing::debug!(
                job = %execution.job,
                execution = %execution.id,
                state = %execution.state,
                "finished"
            ),
            _ => {}
        }
    }
}

/// Logs what the engine observed.
fn note(observation: &Observation) {
    match observation {
        Observation::Planned { .. } => tracing::trace!("{observation}"),
        Observation::WithdrewClaim { job, execution } => {
            tracing::info!(%job, %execution, "{observation}");
        }
        Observation::ScheduleUnreadable { job, .. } => tracing::warn!(%job, "{observation}"),
        // A job was written, or a run claimed, while decisions were on their way: nothing is amiss.
        Observation::Refused { .. } => tracing::debug!("{observation}"),
        Observation::TookOffice { .. } | Observation::OverloadOver { .. } => {
            tracing::info!("{observation}");
        }
        _ => tracing::warn!("{observation}"),
    }
}

#[cfg(test)]
#[path = "loop_thread_test.rs"]
mod tests;
