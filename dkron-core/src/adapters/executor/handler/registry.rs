//! Which functions this process offers as jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use super::context::HandlerContext;
use super::pool::Pool;
use super::run::{run_async, run_blocking};
use crate::ports::{ExecutorPort, RunContext, RunEnd, RunFuture};

/// What a function answers: the last part of its output, or its error.
pub(super) type Answer = Result<String, String>;

/// A function whose work can be waited for without a thread.
pub(super) type AsyncFunction =
    Arc<dyn Fn(HandlerContext) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// A function that keeps a thread while it works.
pub(super) type BlockingFunction = Arc<dyn Fn(HandlerContext) -> Answer + Send + Sync>;

/// A function under its name.
#[derive(Clone)]
enum Handler {
    Async(AsyncFunction),
    Blocking(BlockingFunction),
}

/// The executor named `handler`: the functions of this process that jobs may run.
pub(crate) struct HandlerRegistry {
    handlers: RwLock<BTreeMap<String, Handler>>,
    pool: Pool,
}

impl HandlerRegistry {
    /// Makes an empty registry; blocking functions run on at most `threads_max` threads.
    ///
    /// At least one is allowed. Threads start as they are needed, and end when they have been idle
    /// for a while.
    pub(crate) fn new(threads_max: usize) -> Self {
        Self { handlers: RwLock::default(), pool: Pool::new(threads_max) }
    }

    /// Registers an async function, in place of what had the name.
    pub(crate) fn register_async<F, Fut>(&self, name: &str, function: F)
    where
        F: Fn(HandlerContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let function: AsyncFunction = Arc::new(move |context| Box::pin(function(context)));
        self.insert(name, Handler::Async(function));
    }

    /// Registers a blocking function, in place of what had the name.
    pub(crate) fn register_blocking<F>(&self, name: &str, function: F)
    where
        F: Fn(HandlerContext) -> Answer + Send + Sync + 'static,
    {
        self.insert(name, Handler::Blocking(Arc::new(function)));
    }

    /// Returns the names that have a function.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn insert(&self, name: &str, handler: Handler) {
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name.to_owned(), handler);
    }

    fn find(&self, name: &str) -> Option<Handler> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl ExecutorPort for HandlerRegistry {
    fn run(&self, context: RunContext) -> RunFuture {
        let named = context.config.get("handler").map(String::as_str);
        let name = named.filter(|name| !name.is_empty()).unwrap_or(context.job.as_str());
        match self.find(name) {
            Some(Handler::Async(function)) => Box::pin(run_async(function, context)),
            Some(Handler::Blocking(function)) => {
                Box::pin(run_blocking(function, self.pool.clone(), context))
            }
            None => {
                let text = format!("no handler \"{name}\" is registered on this node");
                Box::pin(async move { RunEnd::failed(text) })
            }
        }
    }
}
