//! Functions by name, and how one is called.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::context::HandlerContext;
use super::pool::Pool;
use crate::limits;
use crate::ports::{ExecutorPort, RunContext, RunEnd, RunFuture, RunOutcome};

/// What a function answers: its output, or its error.
type Answer = Result<String, String>;
type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A registered function.
#[derive(Clone)]
enum Handler {
    Async(Arc<dyn Fn(HandlerContext) -> AnswerFuture + Send + Sync>),
    Blocking(Arc<dyn Fn(HandlerContext) -> Answer + Send + Sync>),
}

/// The functions of this process, by name; the executor `handler`.
pub(crate) struct HandlerRegistry {
    handlers: RwLock<BTreeMap<String, Handler>>,
    pool: Pool,
}

impl HandlerRegistry {
    /// Starts without functions; blocking ones will run on at most `threads_max` threads.
    pub(crate) fn new(threads_max: usize) -> Self {
        Self { handlers: RwLock::default(), pool: Pool::new(threads_max) }
    }

    /// Registers an async function, in place of what had the name.
    pub(crate) fn register_async<F, Fut>(&self, name: &str, function: F)
    where
        F: Fn(HandlerContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let call = move |context| Box::pin(function(context)) as AnswerFuture;
        self.insert(name, Handler::Async(Arc::new(call)));
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

    /// Calls a blocking function on the pool.
    fn call_blocking(
        &self,
        function: Arc<dyn Fn(HandlerContext) -> Answer + Send + Sync>,
        context: HandlerContext,
    ) -> AnswerFuture {
        let (sender, receiver) = oneshot::channel();
        let is_queued = self.pool.run(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| function(context)));
            // Fails only if the node has gone while the function ran.
            let _ = sender.send(answer.unwrap_or_else(|panic| Err(panic_text(&*panic))));
        });
        Box::pin(async move {
            if !is_queued {
                return Err("the system refuses a thread for the handler".to_owned());
            }
            receiver.await.unwrap_or_else(|_| Err("the node ended".to_owned()))
        })
    }
}

impl ExecutorPort for HandlerRegistry {
    fn run(&self, run: RunContext) -> RunFuture {
        let name = run.config.get("handler").map_or(&*run.job, String::as_str);
        let Some(handler) = self.find(name) else {
            let error = format!("no handler \"{name}\" is registered on this node");
            return Box::pin(async move { failed(error) });
        };
        let cancel = run.cancel.child_token();
        let context = HandlerContext::new(run.clone(), cancel.clone());
        match handler {
            Handler::Async(function) => {
                // Caught here as well: a function may panic before it has made its future.
                let called = catch_unwind(AssertUnwindSafe(|| function(context)));
                let answer = match called {
                    Ok(future) => future,
                    Err(panic) => {
                        let text = panic_text(&*panic);
                        Box::pin(async move { Err(text) })
                    }
                };
                Box::pin(finish(run, cancel, answer, true))
            }
            Handler::Blocking(function) => {
                let answer = self.call_blocking(function, context);
                Box::pin(finish(run, cancel, answer, false))
            }
        }
    }
}

/// Why a run was asked to end.
enum Ask {
    Cancel,
    Timeout,
}

/// Waits for the answer, and for whoever wants the run to end before it.
///
/// `can_drop` says whether dropping the answer ends the function.
async fn finish(
    run: RunContext,
    cancel: CancellationToken,
    answer: AnswerFuture,
    can_drop: bool,
) -> RunEnd {
    let mut answer = AssertUnwindSafe(answer).catch_unwind();
    let asked = async {
        match run.timeout {
            None => {
                run.cancel.cancelled().await;
                Ask::Cancel
            }
            Some(limit) => tokio::select! {
                () = run.cancel.cancelled() => Ask::Cancel,
                () = sleep(limit) => Ask::Timeout,
            },
        }
    };
    let asked = tokio::select! {
        biased;
        answered = &mut answer => {
            let answer = flatten(answered);
            // A function that gives up at once answers before the request is seen here.
            if answer.is_err() && run.cancel.is_cancelled() {
                return cancelled();
            }
            return end_of(&run, answer);
        }
        asked = asked => asked,
    };
    cancel.cancel();
    let last = if can_drop {
        timeout(limits::CANCEL_GRACE, &mut answer).await.ok()
    } else {
        Some(answer.await)
    };
    match (asked, last) {
        (Ask::Cancel, Some(Ok(Ok(text)))) => end_of(&run, Ok(text)),
        (Ask::Cancel, _) => cancelled(),
        (Ask::Timeout, _) => {
            let limit = run.timeout.unwrap_or_default();
            failed(format!("the handler ran longer than its timeout of {limit:?}"))
        }
    }
}

/// Turns an answer into the end of the run.
fn end_of(run: &RunContext, answer: Answer) -> RunEnd {
    match answer {
        Ok(text) => {
            if !text.is_empty() {
                run.output.write(text.as_bytes());
            }
            RunEnd { outcome: RunOutcome::Succeeded, error: None }
        }
        Err(error) => failed(error),
    }
}

fn cancelled() -> RunEnd {
    RunEnd { outcome: RunOutcome::Cancelled, error: None }
}

fn failed(error: String) -> RunEnd {
    RunEnd { outcome: RunOutcome::Failed, error: Some(error) }
}

fn flatten(answered: Result<Answer, Box<dyn Any + Send>>) -> Answer {
    answered.unwrap_or_else(|panic| Err(panic_text(&*panic)))
}

/// Returns what a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match said {
        Some(text) => format!("the handler panicked: {text}"),
        None => "the handler panicked".to_owned(),
    }
}
