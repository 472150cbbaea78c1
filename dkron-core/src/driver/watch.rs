//! Tells those who wait what has become part of the state.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc};

use crate::kernel::model::JobName;
use crate::kernel::state::Event;
use crate::kernel::time::Timestamp;

/// Events a follower may lag behind before it loses the oldest, and is told so.
const EVENTS_BEHIND_MAX: usize = 4_096;

/// Fans events out: to followers of everything, and to those who wait for the end of one fire.
pub struct Watch {
    events: broadcast::Sender<Arc<Event>>,
    /// How many wait for fires: lets the busy path skip the lock.
    waiting: AtomicUsize,
    fires: Mutex<HashMap<JobName, Vec<mpsc::UnboundedSender<Timestamp>>>>,
}

impl Watch {
    /// Starts with nobody listening.
    pub fn new() -> Self {
        let (events, _) = broadcast::channel(EVENTS_BEHIND_MAX);
        Self { events, waiting: AtomicUsize::new(0), fires: Mutex::new(HashMap::new()) }
    }

    /// Follows every event from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Receives the instants of the fires of `job` that complete from now on.
    pub fn fires_of(&self, job: &JobName) -> mpsc::UnboundedReceiver<Timestamp> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().entry(job.clone()).or_default().push(sender);
        self.waiting.fetch_add(1, Ordering::Release);
        receiver
    }

    /// Passes events on; they are part of the state by now.
    pub fn publish(&self, events: &[Event]) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.wake_waiting(events);
        }
        if self.events.receiver_count() > 0 {
            for event in events {
                // Fails only if the last follower has just left.
                let _ = self.events.send(Arc::new(event.clone()));
            }
        }
    }

    fn wake_waiting(&self, events: &[Event]) {
        let mut fires = self.lock();
        for event in events {
            let (job, fire_time) = match event {
                Event::Finished { execution, is_fire_complete: true, .. }
                | Event::Withdrawn { execution, .. } => (&execution.job, execution.fire_time),
                _ => continue,
            };
            let Some(waiting) = fires.get_mut(job) else { continue };
            let before = waiting.len();
            waiting.retain(|sender| sender.send(fire_time).is_ok());
            self.waiting.fetch_sub(before - waiting.len(), Ordering::Release);
            if waiting.is_empty() {
                fires.remove(job);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobName, Vec<mpsc::UnboundedSender<Timestamp>>>> {
        self.fires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
