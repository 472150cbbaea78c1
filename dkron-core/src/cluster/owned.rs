//! Parts of a node that must be let go in a certain way, whoever drops them and wherever.
//!
//! A node that failed to start, or whose last user outlived its shutdown, is dropped in somebody
//! else's thread, perhaps within a runtime that must not be blocked: nothing here panics or waits
//! for a disk that is full. A thread stays behind only where something hangs: that of an engine
//! which does not end within its limit, one that has news for it, and those of a runtime whose work
//! does not end. They end when what they wait for does.

use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::adapters::storage::Storage;
use crate::driver::{EngineNews, NewsSender};
use crate::error::{Error, ErrorKind};

/// A runtime that may be dropped within another one.
pub(super) struct NodeRuntime(Option<Runtime>);

impl NodeRuntime {
    /// Starts a runtime with so many threads of this name, and at most so many further ones for
    /// what blocks. Those are made when they are needed, and go when they are idle.
    pub(super) fn start(
        threads: usize,
        blocking_threads_max: usize,
        name: &str,
    ) -> Result<Self, Error> {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all();
        Self::build(builder, blocking_threads_max, name)
    }

    /// Starts a runtime that has nothing but threads for what blocks.
    pub(super) fn start_blocking(threads_max: usize, name: &str) -> Result<Self, Error> {
        Self::build(runtime::Builder::new_current_thread(), threads_max, name)
    }

    fn build(
        mut builder: runtime::Builder,
        blocking_threads_max: usize,
        name: &str,
    ) -> Result<Self, Error> {
        let built = builder.max_blocking_threads(blocking_threads_max).thread_name(name).build();
        let runtime = built.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "start the node's runtime").with_source(error)
        })?;
        Ok(Self(Some(runtime)))
    }

    /// Waits on a plain thread for work on this runtime; right inside another runtime as well.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        self.begin(work).recv().map_err(|_| task_panicked())
    }

    /// As [`NodeRuntime::wait`], but for work that is to be done within `limit` and a moment: where
    /// the threads of the runtime hang, it is not waited for any longer.
    pub(super) fn wait_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        let limit = limit.saturating_add(STALL_WAIT_MAX);
        self.begin(work).recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Disconnected => task_panicked(),
            RecvTimeoutError::Timeout => {
                let text = "the threads of the node hang, perhaps on its disk";
                Error::new(ErrorKind::DeadlineExceeded, text)
            }
        })
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Receiver<T> {
        let (sender, receiver) = sync_channel(1);
        self.spawn(async move {
            // Fails only if the waiting thread is gone.
            let _ = sender.send(work.await);
        });
        receiver
    }

    /// Ends runtimes, and waits at most `limit` for what blocks on the threads of all of them.
    pub(super) fn end_all<const COUNT: usize>(runtimes: [Self; COUNT], limit: Duration) {
        // Waiting is not allowed on a thread of another runtime.
        let ending = Builder::new().name("dkron-stop".to_owned()).spawn(move || {
            let begun = Instant::now();
            for mut owned in runtimes {
                if let Some(runtime) = owned.0.take() {
                    runtime.shutdown_timeout(limit.saturating_sub(begun.elapsed()));
                }
            }
        });
        if let Ok(thread) = ending {
            // Nothing in it panics; and if it did, the runtime would be gone all the same.
            let _ = thread.join();
        }
    }
}

/// How much longer than its own bounds say a wait for work on a runtime may take, before the
/// threads of the runtime are taken to hang.
pub(super) const STALL_WAIT_MAX: Duration = Duration::from_millis(500);

fn task_panicked() -> Error {
    Error::new(ErrorKind::Internal, "a task of the node panicked; please report it")
}

impl Deref for NodeRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("invariant: there is a runtime until it is dropped")
    }
}

impl Drop for NodeRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Storage whose writers are told when it is dropped: one may be waiting for space on the disk.
pub(super) struct NodeStorage(Option<Storage>);

impl NodeStorage {
    /// Owns an open storage.
    pub(super) fn new(storage: Storage) -> Self {
        Self(Some(storage))
    }

    /// Closes it; false if something uses it still after `limit`.
    pub(super) fn close(mut self, limit: Duration) -> bool {
        self.0.take().is_none_or(|storage| storage.close(limit))
    }
}

impl Deref for NodeStorage {
    type Target = Storage;

    fn deref(&self) -> &Storage {
        self.0.as_ref().expect("invariant: there is a storage until it is dropped")
    }
}

impl Drop for NodeStorage {
    fn drop(&mut self) {
        if let Some(storage) = &self.0 {
            storage.health.close();
        }
    }
}

/// Why a node has stopped itself, once it has.
#[derive(Default)]
pub(super) struct Fatal {
    reason: OnceLock<String>,
    told: CancellationToken,
}

impl Fatal {
    /// Tells the reason; the first one stands.
    pub(super) fn set(&self, reason: String) {
        // Fails only if there is one.
        let _ = self.reason.set(reason);
        self.told.cancel();
    }

    /// Returns the reason.
    pub(super) fn get(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Resolves with the reason, once there is one.
    pub(super) async fn told(&self) -> String {
        self.told.cancelled().await;
        self.get().expect("invariant: the reason is set before it is told").to_owned()
    }
}

/// The thread that decides; it is told to stop when this is dropped.
pub(super) struct EngineThread {
    thread: Option<JoinHandle<()>>,
    /// How it ended.
    end: Mutex<Receiver<Result<(), Error>>>,
    news: NewsSender,
}

impl EngineThread {
    /// Starts the thread. If `work` fails or panics, `fatal` is told why; `ended` is called at its
    /// end, whatever that is.
    pub(super) fn start(
        news: NewsSender,
        fatal: Arc<Fatal>,
        work: impl FnOnce() -> Result<(), Error> + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Error> {
        let (told, end) = sync_channel(1);
        let run = move || {
            // What a panic left half done is not looked at again: the thread ends.
            let end = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "the engine panicked; please report it"))
            });
            if let Err(error) = &end {
                tracing::error!(error = error.report(), "the engine stopped: nothing is scheduled");
                fatal.set(format!("nothing is scheduled any more: {}", error.report()));
            }
            ended();
            // Fails only if nobody waits.
            let _ = told.send(end);
        };
        let thread =
            Builder::new().name("dkron-engine".to_owned()).spawn(run).map_err(|error| {
                let text = "start thread \"dkron-engine\"";
                Error::new(ErrorKind::Unavailable, text).with_source(error)
            })?;
        Ok(Self { thread: Some(thread), end: Mutex::new(end), news })
    }

    /// Waits for its end, and returns how it ended. After `limit` it is left to itself.
    pub(super) fn join(mut self, limit: Duration) -> Result<(), Error> {
        self.stop();
        let thread = self.thread.take();
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        match end.recv_timeout(limit) {
            Ok(end) => {
                // Tells nothing that is not told.
                thread.map(JoinHandle::join);
                end
            }
            Err(RecvTimeoutError::Timeout) => {
                let text = "the engine does not end: it hangs, perhaps on the disk of the node";
                Err(Error::new(ErrorKind::DeadlineExceeded, text))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::new(ErrorKind::Internal, "the engine panicked; please report it"))
            }
        }
    }

    /// Tells it to stop. Never blocks.
    pub(super) fn stop(&self) {
        tell(&self.news, EngineNews::Stop);
    }
}

/// Brings news to an engine that may hang: never blocks. While it is behind, a thread waits for it.
pub(super) fn tell(engine: &NewsSender, news: EngineNews) {
    // Fails otherwise only after the engine has stopped, and then nobody needs to know.
    if let Err(TrySendError::Full(waiting)) = engine.try_send(news) {
        let engine = engine.clone();
        let send = move || drop(engine.send(waiting));
        if Builder::new().name("dkron-news".to_owned()).spawn(send).is_err() {
            tracing::error!("cannot start a thread to tell the engine, which is behind");
        }
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what is told of an engine that ends like this.
    fn told_of(work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Option<String> {
        let (news, _incoming) = std::sync::mpsc::sync_channel(8);
        let (fatal, over) = (Arc::new(Fatal::default()), CancellationToken::new());
        let tell = over.clone();
        let engine =
            EngineThread::start(news, Arc::clone(&fatal), work, move || tell.cancel()).unwrap();
        let _ = engine.join(Duration::from_secs(20));
        assert!(over.is_cancelled(), "whoever waits is told");
        assert_eq!(fatal.get().is_some(), fatal.told.is_cancelled());
        fatal.get().map(str::to_owned)
    }

    #[test]
    fn an_engine_that_fails_or_panics_tells_why() {
        assert_eq!(told_of(|| Ok(())), None);
        let failed = told_of(|| Err(Error::new(ErrorKind::Storage, "read the due table")));
        assert!(failed.unwrap().ends_with("read the due table"));
        let panicked = told_of(|| panic!("on purpose"));
        assert!(panicked.unwrap().contains("the engine panicked"));
    }

    #[tokio::test]
    async fn a_runtime_may_be_dropped_or_ended_within_another_one() {
        let both = || {
            let plain = NodeRuntime::start(1, 1, "test").unwrap();
            [plain, NodeRuntime::start_blocking(1, "test").unwrap()]
        };
        drop(both());
        NodeRuntime::end_all(both(), Duration::from_secs(1));
    }

    #[test]
    fn a_runtime_has_as_many_threads_for_what_blocks_as_it_was_told() {
        for runtime in [
            NodeRuntime::start(1, 2, "test").unwrap(),
            NodeRuntime::start_blocking(2, "test").unwrap(),
        ] {
            let (told, begun) = std::sync::mpsc::channel();
            let (open, gate) = tokio::sync::broadcast::channel::<()>(1);
            for _ in 0..3 {
                let (told, mut gate) = (told.clone(), gate.resubscribe());
                runtime.spawn_blocking(move || {
                    told.send(()).unwrap();
                    // Ends when the gate is gone.
                    let _ = gate.blocking_recv();
                });
            }
            let bound = Duration::from_secs(20);
            begun.recv_timeout(bound).unwrap();
            begun.recv_timeout(bound).unwrap();
            assert!(begun.try_recv().is_err(), "the third waits for a thread");

            drop(open);
            begun.recv_timeout(bound).unwrap();
        }
    }

    #[test]
    fn an_engine_that_hangs_is_not_waited_for_though_its_news_are_not_read() {
        let (news, incoming) = sync_channel(1);
        let (go_on, wait) = sync_channel::<()>(0);
        let hangs = move || {
            let _ = wait.recv();
            drop(incoming);
            Ok(())
        };
        let over = CancellationToken::new();
        let tell_over = over.clone();
        let engine = EngineThread::start(news.clone(), Arc::default(), hangs, move || {
            tell_over.cancel();
        });
        news.send(EngineNews::Following).unwrap();

        let ended = engine.unwrap().join(Duration::from_millis(1)).unwrap_err();

        assert_eq!(ended.kind(), ErrorKind::DeadlineExceeded);
        assert!(!over.is_cancelled());
        drop(go_on);
    }

    #[tokio::test]
    async fn a_runtime_whose_threads_hang_is_not_waited_for() {
        let runtime = NodeRuntime::start(1, 1, "test").unwrap();
        let (go_on, wait) = sync_channel::<()>(0);
        runtime.spawn(async move { wait.recv() });

        let waited = runtime.wait_within(Duration::ZERO, async {}).unwrap_err();

        assert_eq!(waited.kind(), ErrorKind::DeadlineExceeded);
        drop(go_on);
    }
}
