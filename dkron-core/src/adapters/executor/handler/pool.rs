//! Threads for blocking functions: made when they are first needed, at most so many.
//!
//! Own threads rather than the runtime's: a function that never returns must not take the threads
//! that look up names and write files.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// One call, on whichever thread comes to it.
type Work = Box<dyn FnOnce() + Send>;

/// A pool of plain threads.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads_max: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    /// Makes a pool without a thread.
    pub(super) fn new(threads_max: usize) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), threads_max }
    }

    /// Runs `work` as soon as a thread is free. Never blocks.
    ///
    /// The queue has no bound of its own: it never holds more than one call per claimed execution,
    /// and the engine bounds those. Returns whether a thread will come to it; it will not only if
    /// the system refuses the very first thread.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.shared.lock();
        state.waiting.push_back(Box::new(work));
        if state.idle < state.waiting.len() && state.threads < self.threads_max {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("dkron-handler".to_owned());
            if thread.spawn(move || shared.serve()).is_ok() {
                state.threads += 1;
            } else if state.threads == 0 {
                state.waiting.pop_back();
                return false;
            }
        }
        drop(state);
        self.shared.changed.notify_one();
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// The life of one thread.
    ///
    /// *Owner*: the pool. *Inputs*: the queue. *Bound*: `threads_max`. *Ends* when the pool is
    /// dropped and the queue is empty. Work catches its own panics.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                drop(state);
                work();
                state = self.lock();
            } else if state.is_closed {
                return;
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
