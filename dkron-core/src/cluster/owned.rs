//! Parts of a node that must be let go in a certain way, whoever drops them and wherever.
//!
//! A node that failed to start, or whose last user outlived its shutdown, is dropped in somebody
//! else's thread, perhaps within a runtime that must not be blocked: nothing here panics, leaves a
//! thread behind, or waits for a disk that is full.

use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
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
        let (sender, receiver) = sync_channel(1);
        self.spawn(async move {
            // Fails only if the waiting thread is gone.
            let _ = sender.send(work.await);
        });
        receiver.recv().map_err(|_| {
            Error::new(ErrorKind::Internal, "a task of the node panicked; please report it")
        })
    }

    /// Ends it, and waits at most `limit` for what blocks on its threads.
    pub(super) fn end(self, limit: Duration) {
        Self::end_all([self], limit);
    }

    /// Ends several, and waits at most `limit` for what blocks on the threads of all of them.
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
    thread: Option<JoinHandle<Result<(), Error>>>,
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
            end
        };
        let thread =
            Builder::new().name("dkron-engine".to_owned()).spawn(run).map_err(|error| {
                let text = "start thread \"dkron-engine\"";
                Error::new(ErrorKind::Unavailable, text).with_source(error)
            })?;
        Ok(Self { thread: Some(thread), news })
    }

    /// Waits for its end, and returns how it ended.
    pub(super) fn join(mut self) -> Result<(), Error> {
        self.stop();
        self.thread.take().map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "the engine panicked; please report it"))
            })
        })
    }

    /// Tells it to stop.
    pub(super) fn stop(&self) {
        // Waits only while the engine is behind; fails only after it has stopped.
        let _ = self.news.send(EngineNews::Stop);
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
        let _ = engine.join();
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
}
