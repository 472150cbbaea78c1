//! The thread that applies: all entries that were handed over together become one transaction.
//!
//! *Owner*: [`ApplyThread`], through openraft's state machine worker. *Inputs*: one request at a
//! time; the next comes when this one is answered. *Bound*: entries are what openraft committed
//! together; a transaction takes at most [`COMMANDS_PER_CHANGE_MAX`] commands. Events go to a
//! bounded channel, whose reader holds this thread off when it lags. *Ends* when the last handle is
//! dropped.
//!
//! Invariants: events are sent after their transaction is committed, in the order of the log.
//! Answers are given before the events are sent, so that whoever waits for an answer may also be
//! the one who reads the events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use openraft::EntryPayload;
use tokio::sync::{mpsc, oneshot, watch};

use super::handle::EntryEvents;
use super::log_tail::LogTail;
use super::machine::{AppliedEntry, AppliedState, Machine};
use super::raft_types::RaftEntry;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::Outcome;
use crate::kernel::time::Timestamp;
use crate::ports::{LogPosition, SnapshotStore};

/// Commands in one transaction, unless a single entry has more.
const COMMANDS_PER_CHANGE_MAX: usize = 16_384;
/// Requests that wait: openraft's worker sends one and waits for its answer.
const REQUESTS_MAX: usize = 4;

/// How far the state is applied; what is shown here is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyProgress {
    /// The last entry.
    pub position: Option<LogPosition>,
    /// The greatest time of all entries.
    pub at: Option<Timestamp>,
}

/// Answers of entries, in their order.
type Answers = Vec<Vec<Outcome>>;

/// What the thread is asked for.
enum Request {
    /// Apply these.
    Apply(Vec<RaftEntry>, oneshot::Sender<Result<Answers, Error>>),
    /// Replace the state by the newest snapshot.
    Restore(Arc<dyn SnapshotStore>, oneshot::Sender<Result<AppliedState, Error>>),
}

/// A handle of the thread.
pub struct ApplyThread {
    requests: SyncSender<Request>,
    progress: watch::Receiver<ApplyProgress>,
    is_live: Arc<AtomicBool>,
}

impl ApplyThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read, [`ErrorKind::Unavailable`] if the system
    /// gives no thread.
    pub fn start(
        machine: Arc<dyn Machine>,
        tail: Arc<LogTail>,
        events: mpsc::Sender<EntryEvents>,
    ) -> Result<Self, Error> {
        let progress = watch::Sender::new(progress_of(&machine.applied()?));
        let (requests, incoming) = sync_channel(REQUESTS_MAX);
        let is_live = Arc::new(AtomicBool::new(false));
        let handle =
            Self { requests, progress: progress.subscribe(), is_live: Arc::clone(&is_live) };
        let worker = Worker { machine, tail, events, progress, is_live };
        std::thread::Builder::new()
            .name("dkron-apply".to_owned())
            .spawn(move || worker.run(&incoming))
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "start the thread that applies")
                    .with_source(error)
            })?;
        Ok(handle)
    }

    /// Follows how far the state is applied.
    pub fn progress(&self) -> watch::Receiver<ApplyProgress> {
        self.progress.clone()
    }

    /// Returns the switch that lets events out. Until it is set they are dropped: what is applied
    /// while the node opens is in the state that its engine reads first.
    pub fn live(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_live)
    }

    /// Applies entries; answers once they are committed, with the outcomes of each.
    pub async fn apply(&self, entries: Vec<RaftEntry>) -> Result<Answers, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Apply(entries, answer), answered).await
    }

    /// Replaces the state by the newest snapshot.
    pub async fn restore(&self, snapshots: Arc<dyn SnapshotStore>) -> Result<AppliedState, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Restore(snapshots, answer), answered).await
    }

    async fn ask<T>(
        &self,
        request: Request,
        answered: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let ended = || Error::new(ErrorKind::Stopped, "apply to the state: its thread has ended");
        // Never waits: only one request is under way.
        self.requests.try_send(request).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// The thread's own half.
struct Worker {
    machine: Arc<dyn Machine>,
    tail: Arc<LogTail>,
    events: mpsc::Sender<EntryEvents>,
    progress: watch::Sender<ApplyProgress>,
    is_live: Arc<AtomicBool>,
}

impl Worker {
    fn run(&self, incoming: &Receiver<Request>) {
        while let Ok(request) = incoming.recv() {
            match request {
                Request::Apply(entries, answer) => self.apply(&entries, answer),
                Request::Restore(snapshots, answer) => {
                    let restored = self.machine.restore(&*snapshots);
                    if let Ok(state) = &restored {
                        self.progress.send_replace(progress_of(state));
                    }
                    drop(answer.send(restored));
                }
            }
        }
    }

    fn apply(&self, entries: &[RaftEntry], answer: oneshot::Sender<Result<Answers, Error>>) {
        let mut answers = Vec::with_capacity(entries.len());
        let mut events = Vec::new();
        let mut rest = entries;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(one_change(rest));
            rest = later;
            let applied = match self.machine.apply(now) {
                Ok(applied) => applied,
                Err(error) => {
                    drop(answer.send(Err(error)));
                    return self.publish(events);
                }
            };
            self.note(&applied);
            for AppliedEntry { position, at, outcomes, events: made } in applied {
                answers.push(outcomes);
                if let Some(at) = at {
                    events.push(EntryEvents { index: position.index, at, events: made });
                }
            }
        }
        drop(answer.send(Ok(answers)));
        self.publish(events);
    }

    /// Shows how far the state is applied now.
    fn note(&self, applied: &[AppliedEntry]) {
        let Some(last) = applied.last() else { return };
        self.tail.set_applied(last.position.index);
        let at = applied.iter().filter_map(|entry| entry.at).max();
        self.progress.send_modify(|progress| {
            progress.position = Some(last.position);
            progress.at = progress.at.max(at);
        });
    }

    fn publish(&self, events: Vec<EntryEvents>) {
        if !self.is_live.load(Ordering::Acquire) {
            return;
        }
        for event in events {
            if self.events.blocking_send(event).is_err() {
                return; // Nobody reads them any more: the node stops.
            }
        }
    }
}

fn progress_of(state: &AppliedState) -> ApplyProgress {
    let mark = state.mark.as_ref();
    ApplyProgress { position: mark.map(|mark| mark.position), at: mark.map(|mark| mark.at) }
}

/// Returns how many of the entries go into the next transaction: at least one.
fn one_change(entries: &[RaftEntry]) -> usize {
    let mut commands = 0;
    let within = entries.iter().take_while(|entry| {
        let is_first = commands == 0;
        commands += match &entry.payload {
            EntryPayload::Normal(payload) => payload.commands().max(1),
            _ => 1,
        };
        is_first || commands <= COMMANDS_PER_CHANGE_MAX
    });
    within.count()
}
