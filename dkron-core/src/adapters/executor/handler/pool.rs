//! A bounded number of threads for functions that block.
//!
//! Plain threads, not those on which the runtime resolves names and reads files: a function that
//! hangs must not take these away.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Error, ErrorKind};
use crate::limits;

/// How long a thread waits for work before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Work for a thread; it must not panic.
type Task = Box<dyn FnOnce() + Send>;

/// The pool; clones share it. With the last one go its idle threads and its queue.
#[derive(Clone)]
pub(super) struct Pool {
    owner: Arc<Owner>,
}

/// Closes the pool when the last clone is dropped; threads hold only what they share.
struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
    /// Places left in the queue.
    room: Semaphore,
    threads_max: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    /// Makes a pool of at most `threads_max` threads, at least one; none is started yet.
    pub(super) fn new(threads_max: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            news: Condvar::new(),
            room: Semaphore::new(limits::HANDLER_QUEUE_MAX),
            threads_max: threads_max.max(1),
        });
        Self { owner: Arc::new(Owner { shared }) }
    }

    /// Queues a task; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// The system's answer, if there is no thread and none can be started.
    pub(super) async fn submit(&self, task: Task) -> io::Result<()> {
        let shared = &self.owner.shared;
        if let Ok(place) = shared.room.acquire().await {
            // Given back by the thread that takes the task.
            place.forget();
        }
        let mut state = shared.lock();
        state.queue.push_back(task);
        let wants_thread = state.queue.len() > state.idle && state.threads < shared.threads_max;
        if wants_thread && let Err(error) = shared.start_thread(&mut state) {
            if state.threads == 0 {
                state.queue.pop_back();
                shared.room.add_permits(1);
                return Err(error);
            }
            let (threads, message) = (state.threads, "start a further thread for handlers");
            let error = Error::new(ErrorKind::LimitExceeded, message).with_source(error);
            tracing::warn!(threads, error = error.report(), "handlers share fewer threads");
        }
        drop(state);
        shared.news.notify_one();
        Ok(())
    }

    /// Returns how many threads there are.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.owner.shared.lock().threads
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.news.notify_all();
        drop(queue);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(self);
        let name = format!("dkron-handler-{}", state.threads);
        thread::Builder::new().name(name).spawn(move || shared.work())?;
        state.threads += 1;
        Ok(())
    }

    /// The life of a thread. Owner: the pool. Input: the queue. Ends when it has been idle for
    /// [`IDLE_MAX`], or the pool is closed.
    fn work(&self) {
        while let Some(task) = self.next_task() {
            self.room.add_permits(1);
            task();
        }
    }

    /// Waits for a task; `None` when the thread shall end.
    fn next_task(&self) -> Option<Task> {
        let mut state = self.lock();
        let mut has_waited = false;
        loop {
            if let Some(task) = state.queue.pop_front() {
                return Some(task);
            }
            if has_waited || state.is_closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let (woken, timeout) =
                self.news.wait_timeout(state, IDLE_MAX).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            has_waited = timeout.timed_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};

    use super::*;

    #[tokio::test]
    async fn threads_start_as_they_are_needed_and_within_the_bound() {
        let pool = Pool::new(3);
        assert_eq!(pool.threads(), 0);
        let gate = Arc::new(Barrier::new(4));
        let names = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..3 {
            let (gate, names) = (Arc::clone(&gate), Arc::clone(&names));
            let task = move || {
                names.lock().unwrap().push(thread::current().name().unwrap().to_owned());
                gate.wait();
            };
            pool.submit(Box::new(task)).await.unwrap();
        }
        gate.wait();

        let (done, all_done) = mpsc::channel();
        for _ in 0..1000 {
            let done = done.clone();
            pool.submit(Box::new(move || done.send(()).unwrap())).await.unwrap();
        }
        drop(done);

        assert_eq!(all_done.iter().count(), 1000);
        assert_eq!(pool.threads(), 3);
        let mut names = names.lock().unwrap().clone();
        names.sort();
        assert_eq!(names, ["dkron-handler-0", "dkron-handler-1", "dkron-handler-2"]);
    }

    #[tokio::test]
    async fn a_full_queue_holds_up_whoever_wants_more() {
        let pool = Pool::new(1);
        let (open, gate) = mpsc::channel::<()>();
        let started = Arc::new(Semaphore::new(0));
        let begun = Arc::clone(&started);
        let hold = move || {
            begun.add_permits(1);
            let _ = gate.recv();
        };
        pool.submit(Box::new(hold)).await.unwrap();
        let _ = started.acquire().await.unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let task = || -> Task {
            let ran = Arc::clone(&ran);
            Box::new(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            })
        };
        for _ in 0..limits::HANDLER_QUEUE_MAX {
            pool.submit(task()).await.unwrap();
        }

        let mut next = Box::pin(pool.submit(task()));
        assert!(futures_util::poll!(&mut next).is_pending());
        open.send(()).unwrap();
        next.await.unwrap();

        let (done, all_done) = mpsc::channel();
        pool.submit(Box::new(move || done.send(()).unwrap())).await.unwrap();
        all_done.recv().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), limits::HANDLER_QUEUE_MAX + 1);
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_idle_threads_and_drops_what_waits() {
        let pool = Pool::new(1);
        let shared = Arc::downgrade(&pool.owner.shared);
        let (open, gate) = mpsc::channel::<()>();
        let (done, all_done) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel::<()>();
        let hold = move || {
            begin.send(()).unwrap();
            gate.recv().unwrap();
        };
        pool.submit(Box::new(hold)).await.unwrap();
        pool.submit(Box::new(move || done.send(()).unwrap())).await.unwrap();
        begun.recv().unwrap();

        drop(pool);
        open.send(()).unwrap();

        assert!(all_done.recv().is_err(), "the task that waited was dropped");
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
