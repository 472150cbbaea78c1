//! The life of one call of a function.

use std::any::Any;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use super::context::HandlerContext;
use super::pool::Pool;
use super::registry::{Answer, AsyncFunction, BlockingFunction};
use crate::limits;
use crate::ports::{RunContext, RunEnd};

/// Why a function is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// It is over the job's timeout.
    OverTime,
}

/// What became of a call: the function answered, or it panicked with a message.
type Call = Result<Answer, String>;

/// Runs an async function within the caller's task.
pub(super) async fn run_async(function: AsyncFunction, run: RunContext) -> RunEnd {
    if run.cancel.is_cancelled() {
        return RunEnd::cancelled("before it started");
    }
    let context = HandlerContext::new(run);
    let given = context.clone();
    let mut work = match catch_unwind(AssertUnwindSafe(move || function(given))) {
        Ok(work) => work,
        Err(panic) => return end(&context, Err(panic_text(panic)), None),
    };
    let ended = {
        let call = AssertUnwindSafe(&mut work).catch_unwind();
        let mut call = pin!(call.map(|call| call.map_err(panic_text)));
        let stop = tokio::select! {
            biased;
            call = &mut call => return end(&context, call, None),
            // A function that never waits for long uses up what its task may do at each turn, and
            // would leave nothing to look at the clock with.
            stop = unconstrained(stop(context.run())) => stop,
        };
        context.stop();
        let call = timeout(limits::CANCEL_GRACE, call).await;
        call.map(|call| end(&context, call, Some(stop))).map_err(|_| stop)
    };
    ended.unwrap_or_else(|stop| {
        // Whatever it holds may object to being dropped; the run is over all the same.
        let objection = catch_unwind(AssertUnwindSafe(move || drop(work))).err();
        let grace = limits::CANCEL_GRACE;
        let how = match objection {
            None => format!("dropped {grace:?} after it was asked to end"),
            Some(panic) => format!("dropped after {grace:?}: panic: {}", panic_text(panic)),
        };
        ended_early(&context, stop, &how)
    })
}

/// Runs a blocking function on a thread of the pool.
pub(super) async fn run_blocking(
    function: BlockingFunction,
    pool: Pool,
    run: RunContext,
) -> RunEnd {
    let context = HandlerContext::new(run);
    let (seat, mut started, mut call) = Seat::new(function, context.clone());
    let stage = Arc::clone(&seat.stage);
    let queued = async {
        pool.submit(Box::new(move || seat.take())).await.map_err(|error| error.to_string())?;
        // An error means that the pool is gone, and the task with it.
        (&mut started).await.map_err(|_| "this node is shutting down".to_owned())
    };
    // The time in the queue is not the function's, and does not count as its own.
    let begun = tokio::select! {
        biased;
        begun = queued => begun,
        () = context.run().cancel.cancelled() => Err(String::new()),
    };
    if let Err(error) = begun
        && stage.compare_exchange(QUEUED, ABANDONED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    {
        return match context.run().cancel.is_cancelled() {
            true => RunEnd::cancelled("before it started"),
            false => RunEnd::failed(format!("cannot run a handler: {error}")),
        };
    }
    let stop = tokio::select! {
        biased;
        call = &mut call => return end(&context, flatten(call), None),
        stop = stop(context.run()) => stop,
    };
    context.stop();
    // A thread cannot be ended from outside: the run is over when the function says so.
    let call = call.await;
    end(&context, flatten(call), Some(stop))
}

/// Makes one of "the thread was lost" and "the function panicked".
fn flatten(call: Result<Call, oneshot::error::RecvError>) -> Call {
    call.unwrap_or_else(|_| Err("the thread of the handler is gone".to_owned()))
}

/// Resolves when the function has to be asked to end.
async fn stop(run: &RunContext) -> Stop {
    tokio::select! {
        biased;
        () = run.cancel.cancelled() => Stop::Cancelled,
        () = over_time(run.timeout) => Stop::OverTime,
    }
}

/// Resolves when the time is up, if there is a limit.
async fn over_time(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => pending().await,
    }
}

/// Decides what a call has come to, and keeps what it answered.
fn end(context: &HandlerContext, call: Call, stop: Option<Stop>) -> RunEnd {
    // The function may have seen the cancellation before this run's own wait has.
    let stop = stop.or_else(|| context.run().cancel.is_cancelled().then_some(Stop::Cancelled));
    match (call, stop) {
        (Ok(Ok(output)), None | Some(Stop::Cancelled)) => {
            context.write(output);
            RunEnd::succeeded()
        }
        (Ok(Ok(output)), Some(Stop::OverTime)) => {
            context.write(output);
            RunEnd::failed(over_time_text(context))
        }
        (Ok(Err(error)), None) => RunEnd::failed(error),
        (Ok(Err(error)), Some(stop)) => ended_early(context, stop, &error),
        (Err(panic), _) => RunEnd::failed(format!("the handler panicked: {panic}")),
    }
}

/// Ends a run whose function was asked to end, and did or was dropped.
fn ended_early(context: &HandlerContext, stop: Stop, how: &str) -> RunEnd {
    match stop {
        Stop::Cancelled => RunEnd::cancelled(how),
        Stop::OverTime => RunEnd::failed(format!("{}: {how}", over_time_text(context))),
    }
}

/// Says that a function took longer than it may.
fn over_time_text(context: &HandlerContext) -> String {
    let limit = context.run().timeout.unwrap_or_default();
    format!("the handler ran longer than its timeout of {limit:?}")
}

/// Returns what a panic says.
fn panic_text(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => "without a message".to_owned(),
        },
    }
}

const QUEUED: u8 = 0;
const STARTED: u8 = 1;
const ABANDONED: u8 = 2;

/// A call that waits for a thread.
struct Seat {
    function: BlockingFunction,
    context: HandlerContext,
    /// Whoever moves it away from [`QUEUED`] decides: the thread that starts, or the run that left.
    stage: Arc<AtomicU8>,
    started: oneshot::Sender<()>,
    call: oneshot::Sender<Call>,
}

impl Seat {
    fn new(
        function: BlockingFunction,
        context: HandlerContext,
    ) -> (Self, oneshot::Receiver<()>, oneshot::Receiver<Call>) {
        let (started, is_started) = oneshot::channel();
        let (call, is_over) = oneshot::channel();
        let stage = Arc::new(AtomicU8::new(QUEUED));
        (Self { function, context, stage, started, call }, is_started, is_over)
    }

    /// Runs on a thread of the pool.
    fn take(self) {
        if self.context.run().cancel.is_cancelled() {
            return;
        }
        let is_ours =
            self.stage.compare_exchange(QUEUED, STARTED, Ordering::SeqCst, Ordering::SeqCst);
        if is_ours.is_err() {
            return;
        }
        // The receivers may be gone: nobody watches this run any more.
        let _ = self.started.send(());
        let Self { function, context, .. } = self;
        let call = catch_unwind(AssertUnwindSafe(|| function(context))).map_err(panic_text);
        let _ = self.call.send(call);
    }
}
