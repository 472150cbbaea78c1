//! Tells those who wait what has become part of the state.
//!
//! A wait for a fire ends with whatever ends the fire: its last attempt, a further attempt that is
//! skipped, a claim that is taken back, or the end of its job. It also ends when the watch is
//! closed, for then nothing more will be told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{broadcast, oneshot};

use super::runs::StartedRun;
use crate::kernel::model::{Cause, JobName};
use crate::kernel::state::{Event, JobChange};
use crate::kernel::time::Timestamp;
use crate::limits::EVENTS_BEHIND_MAX;

/// What followers are told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Something became part of the state.
    Event(Arc<Event>),
    /// An execution begins on this node; told while somebody asks for it.
    Started(Arc<StartedRun>),
}

/// Fans events out: to followers of everything, and to those who wait for the end of one fire.
pub struct Watch {
    /// `None` once nothing more will be told.
    told: RwLock<Option<broadcast::Sender<Told>>>,
    /// How many want to be told of starts: lets what is about to begin skip the lock.
    asking_for_starts: AtomicUsize,
    /// How many wait for fires: lets the busy path skip the lock.
    waiting: AtomicUsize,
    fires: Mutex<Fires>,
}

/// Those who wait for fires.
#[derive(Default)]
struct Fires {
    waits: HashMap<JobName, Vec<Waiter>>,
    last_id: u64,
    is_closed: bool,
}

/// One who waits for a fire that was asked for.
struct Waiter {
    id: u64,
    wanted: Wanted,
    done: oneshot::Sender<()>,
}

/// What is waited for.
enum Wanted {
    /// A fire that is being asked for: until it is known which, all are remembered.
    Unknown {
        /// Those that go on.
        open: Vec<Timestamp>,
        /// Those that are over.
        over: Vec<Timestamp>,
    },
    /// This one.
    Fire(Timestamp),
}

/// What an event means to those who wait for fires of a job.
#[derive(Clone, Copy)]
enum Turn {
    Claimed(Timestamp),
    Over(Timestamp),
    /// All fires are over: the job is gone.
    AllOver,
}

/// A wait for the end of one fire that was asked for; dropping it ends it.
pub struct FireWait {
    watch: Arc<Watch>,
    job: JobName,
    id: u64,
    done: oneshot::Receiver<()>,
}

impl Watch {
    /// Starts with nobody listening.
    pub fn new() -> Self {
        let (told, _) = broadcast::channel(EVENTS_BEHIND_MAX);
        Self {
            told: RwLock::new(Some(told)),
            asking_for_starts: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            fires: Mutex::default(),
        }
    }

    /// Follows every event from now on; and every start, while somebody asks for these.
    pub fn follow(&self) -> broadcast::Receiver<Told> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        match &*told {
            Some(told) => told.subscribe(),
            // Without a sender: closed from the start.
            None => broadcast::channel(1).1,
        }
    }

    /// Asks for starts to be told, until the answer is dropped.
    pub fn ask_for_starts(self: &Arc<Self>) -> AsksForStarts {
        self.asking_for_starts.fetch_add(1, Ordering::Release);
        AsksForStarts { watch: Arc::clone(self) }
    }

    /// Tells of a run that is about to begin, if somebody asks for it.
    pub fn tell_start(&self, run: impl FnOnce() -> StartedRun) {
        if self.asking_for_starts.load(Ordering::Acquire) == 0 {
            return;
        }
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &*told {
            // Fails only if the last follower has just left.
            let _ = told.send(Told::Started(Arc::new(run())));
        }
    }

    /// Waits for the end of a fire of `job` that is about to be asked for, from now on;
    /// [`FireWait::expect`] says which one it is.
    pub fn fire_of(self: &Arc<Self>, job: &JobName) -> FireWait {
        let (sender, done) = oneshot::channel();
        let mut fires = self.lock();
        fires.last_id += 1;
        let id = fires.last_id;
        // After the end the sender is dropped here, which tells the waiter.
        if !fires.is_closed {
            let waiter = Waiter {
                id,
                wanted: Wanted::Unknown { open: Vec::new(), over: Vec::new() },
                done: sender,
            };
            fires.waits.entry(job.clone()).or_default().push(waiter);
            self.waiting.fetch_add(1, Ordering::Release);
        }
        drop(fires);
        FireWait { watch: Arc::clone(self), job: job.clone(), id, done }
    }

    /// Passes events on; they are part of the state by now.
    pub fn publish(&self, events: &[Event]) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.wake_waiting(events);
        }
        let followers = self.told.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(followers) = &*followers
            && followers.receiver_count() > 0
        {
            for event in events {
                // Fails only if the last follower has just left.
                let _ = followers.send(Told::Event(Arc::new(event.clone())));
            }
        }
    }

    /// Ends every wait, and every one to come: nothing more will be told.
    pub fn close(&self) {
        self.told.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut fires = self.lock();
        fires.is_closed = true;
        fires.waits.clear();
        self.waiting.store(0, Ordering::Release);
    }

    fn wake_waiting(&self, events: &[Event]) {
        let mut fires = self.lock();
        for event in events {
            let (job, turn) = match event {
                Event::Claimed(claim) if claim.execution.cause == Cause::Manual => {
                    (&claim.execution.job, Turn::Claimed(claim.execution.fire_time))
                }
                Event::Finished { execution, is_fire_complete: true, .. }
                | Event::Withdrawn { execution, is_fire_complete: true, .. }
                    if execution.cause == Cause::Manual =>
                {
                    (&execution.job, Turn::Over(execution.fire_time))
                }
                Event::Skipped { skip, cause: Cause::Manual, is_fire_complete: true, .. } => {
                    (&skip.job, Turn::Over(skip.first))
                }
                Event::JobChanged { job, change: JobChange::Deleted } => (job, Turn::AllOver),
                _ => continue,
            };
            self.wake(&mut fires, job, |waiter| waiter.wanted.take(turn));
        }
    }

    /// Ends the waits of a job that `is_over` chooses.
    fn wake(&self, fires: &mut Fires, job: &JobName, is_over: impl FnMut(&mut Waiter) -> bool) {
        let Some(waits) = fires.waits.get_mut(job) else { return };
        for waiter in waits.extract_if(.., is_over) {
            self.waiting.fetch_sub(1, Ordering::Release);
            // Fails only if the waiter is just leaving.
            let _ = waiter.done.send(());
        }
        if waits.is_empty() {
            fires.waits.remove(job);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Fires> {
        self.fires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody asks for starts to be told; see [`Watch::ask_for_starts`].
pub struct AsksForStarts {
    watch: Arc<Watch>,
}

impl Drop for AsksForStarts {
    fn drop(&mut self) {
        self.watch.asking_for_starts.fetch_sub(1, Ordering::Release);
    }
}

impl Wanted {
    /// Takes a turn into account; returns whether the wait is over.
    fn take(&mut self, turn: Turn) -> bool {
        match (self, turn) {
            (Self::Fire(_), Turn::AllOver) => true,
            (Self::Fire(wanted), Turn::Over(fire)) => *wanted == fire,
            (Self::Fire(_), Turn::Claimed(_)) => false,
            (Self::Unknown { open, over }, turn) => {
                match turn {
                    Turn::Claimed(fire) => open.push(fire),
                    Turn::Over(fire) => over.push(fire),
                    Turn::AllOver => over.append(open),
                }
                false
            }
        }
    }
}

impl FireWait {
    /// Says which fire is waited for.
    pub fn expect(&self, fire_time: Timestamp) {
        let mut fires = self.watch.lock();
        self.watch.wake(&mut fires, &self.job, |waiter| {
            if waiter.id != self.id {
                return false;
            }
            let before = std::mem::replace(&mut waiter.wanted, Wanted::Fire(fire_time));
            matches!(before, Wanted::Unknown { over, .. } if over.contains(&fire_time))
        });
    }

    /// Resolves when the fire is over: true; or when nothing more will be told: false.
    pub async fn over(mut self) -> bool {
        (&mut self.done).await.is_ok()
    }
}

impl Drop for FireWait {
    fn drop(&mut self) {
        // Whoever has been told is not in the list any more.
        let mut fires = self.watch.lock();
        self.watch.wake(&mut fires, &self.job, |waiter| waiter.id == self.id);
    }
}

#[cfg(test)]
#[path = "watch_test.rs"]
mod tests;
