//! Turns what the node tells into one row of events, for as long as somebody listens.
//!
//! # Concurrency
//!
//! *Owner*: the runtime of the API. *Inputs*: the events of the node; its running executions, which
//! it looks at now and then. *Bound*: it holds what is told at one time, and the ring. *Ends* with
//! the node, or some minutes after the last listener has left.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use dkron_core::{Cluster, Event, Events, JobName, News};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::data;
use super::filter::EventType;
use super::gap::{Gap, GapReason};
use super::hub::EventHub;
use super::position::{Position, unix_ms};
use super::ring::{Draft, Ring, read, write};
use super::tails::Tails;
use crate::clock;

/// Between two times of telling: each wakes every listener. What comes alone is told at once.
const TELL_PERIOD: Duration = Duration::from_millis(50);

/// So many bytes are told at once, whenever that is.
const DRAFT_BYTES_MAX: usize = 1 << 16;

/// Between two looks at the outputs of what runs.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// How long events, and outputs, are collected for listeners that may come back.
const LINGER: Duration = Duration::from_secs(120);

/// Collects a row of events.
pub(super) struct Collector {
    pub(super) cluster: Cluster,
    pub(super) events: Events,
    pub(super) ring: Arc<RwLock<Ring>>,
    /// Received by the hub, and by each listener.
    pub(super) told: watch::Sender<u64>,
    /// Received by the hub, and by each listener who wants outputs.
    pub(super) outputs: watch::Sender<()>,
    pub(super) draft: Draft,
    pub(super) tails: Tails,
    /// When something was told last, in milliseconds since 1970.
    pub(super) told_at_ms: u64,
}

/// Since when somebody was there last.
struct Presence {
    listener: Instant,
    /// One who wants outputs.
    output: Instant,
}

impl Collector {
    /// Collects until the node stops, or nobody listens any more.
    pub(super) async fn run(mut self, hub: EventHub) {
        let mut look = tokio::time::interval(LOOK_PERIOD);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell_at = Instant::now();
        let mut presence = Presence { listener: tell_at, output: tell_at };
        loop {
            tokio::select! {
                news = self.events.next() => match news {
                    Some(news) => self.take(news),
                    None => break,
                },
                () = sleep_until(tell_at), if !self.draft.is_empty() => {}
                now = look.tick() => {
                    self.look_at_outputs(now, &mut presence);
                    if self.is_deserted(&hub, now, &mut presence) {
                        return;
                    }
                }
            }
            let is_full = self.draft.len() >= DRAFT_BYTES_MAX;
            if !self.draft.is_empty() && (is_full || Instant::now() >= tell_at) {
                self.tell();
                tell_at = Instant::now() + TELL_PERIOD;
            }
        }
        self.tell();
    }

    fn take(&mut self, news: News) {
        match news {
            News::Started(run) => {
                self.tails.begin(&run);
                let execution = run.execution();
                let data = data::started(execution);
                self.add(EventType::ExecutionStarted, Some(&execution.job), &data);
            }
            News::Event(event) => self.take_event(&event),
            News::Missed(missed) => {
                // Ends are among them, and starts.
                self.tails.replace(self.cluster.started_runs().unwrap_or_default());
                let at = Position { row: 0, number: 0, at_ms: self.told_at_ms }.at();
                let reason = GapReason::NodeBehind;
                let gap = Gap { reason, missed: Some(missed), since: Some(at) };
                self.add(EventType::Gap, None, &gap.data());
            }
        }
    }

    fn take_event(&mut self, event: &Event) {
        match event {
            Event::JobChanged { job, change } => {
                let data = data::job_changed(job, *change);
                self.add(EventType::JobChanged, Some(job), &data);
            }
            Event::Skipped { skip, .. } => {
                let data = data::skipped(skip, None);
                self.add(EventType::FireSkipped, Some(&skip.job), &data);
            }
            Event::Withdrawn { execution, skip, .. } => {
                let data = data::skipped(skip, Some(execution));
                self.add(EventType::FireSkipped, Some(&skip.job), &data);
            }
            Event::Finished { execution, is_fire_complete, retry_at } => {
                if let Some(chunk) = self.tails.end(execution.token) {
                    let data = data::output(execution, &chunk);
                    self.add(EventType::ExecutionOutput, Some(&execution.job), &data);
                }
                let data = data::finished(execution, *is_fire_complete, *retry_at);
                self.add(EventType::ExecutionFinished, Some(&execution.job), &data);
            }
            // A claim is told when it begins, and the request for an end when that has come.
            Event::Claimed(_) | Event::CancelRequested(_) | Event::Paused(_) => {}
        }
    }

    fn add(&mut self, event: EventType, job: Option<&JobName>, data: &str) {
        let at_ms = unix_ms(clock::now());
        read(&self.ring).draft(&mut self.draft, event, job, at_ms, data);
    }

    fn tell(&mut self) {
        let mut ring = write(&self.ring);
        ring.tell(&mut self.draft);
        let next = ring.next();
        drop(ring);
        self.told_at_ms = unix_ms(clock::now());
        self.told.send_replace(next);
    }

    /// Tells what was written since the last look, if somebody wants it, or did so lately.
    fn look_at_outputs(&mut self, now: Instant, presence: &mut Presence) {
        if self.outputs.receiver_count() > 1 {
            presence.output = now;
        }
        let is_wanted = now < presence.output + LINGER;
        if is_wanted != self.tails.is_wanted() {
            self.tails.want(is_wanted);
            write(&self.ring).set_outputs(is_wanted, &self.draft);
        }
        for (run, chunk) in self.tails.look() {
            let data = data::output(run.execution(), &chunk);
            self.add(EventType::ExecutionOutput, Some(&run.execution().job), &data);
        }
    }

    /// Returns whether nobody has listened for long; then nobody can begin to any more.
    fn is_deserted(&self, hub: &EventHub, now: Instant, presence: &mut Presence) -> bool {
        if self.told.receiver_count() > 1 {
            presence.listener = now;
            return false;
        }
        now >= presence.listener + LINGER && hub.leave(|| self.told.receiver_count() <= 1)
    }
}
