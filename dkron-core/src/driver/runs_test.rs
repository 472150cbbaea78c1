//! What of a run reaches it from outside.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::kernel::model::Job;
use crate::ports::RunFuture;

/// Longer than any machine takes.
const BOUND: Duration = Duration::from_secs(60);

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// An executor that does what a test says, by token.
struct Doing<F>(F);

impl<F: Fn(RunContext) -> RunFuture + Send + Sync + 'static> Executors for Doing<F> {
    fn run(&self, _: &str, context: RunContext) -> RunFuture {
        (self.0)(context)
    }
}

fn start(
    run: impl Fn(RunContext) -> RunFuture + Send + Sync + 'static,
    token: u64,
) -> (Arc<Runs>, mpsc::UnboundedReceiver<Report>) {
    let (sender, reports) = mpsc::unbounded_channel();
    let runs = Runs::new(Arc::new(Doing(run)), Arc::new(Still), Handle::current(), sender);
    let runs = Arc::new(runs);
    runs.start([claim(token)], true);
    (runs, reports)
}

fn claim(token: u64) -> Claim {
    Claim::sample(Job::new(JobName::parse("job").unwrap()), token, Timestamp::UNIX_EPOCH)
}

async fn next(reports: &mut mpsc::UnboundedReceiver<Report>) -> Report {
    timeout(BOUND, reports.recv()).await.expect("a report comes").expect("runs are there")
}

#[tokio::test]
async fn a_run_that_is_cancelled_before_it_begins_learns_of_it() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let run = move |context: RunContext| -> RunFuture {
        if context.token == 1 {
            gate.lock().unwrap().recv_timeout(BOUND).unwrap();
        }
        Box::pin(async move {
            match context.cancel.is_cancelled() {
                true => RunEnd::cancelled("before it began"),
                false => RunEnd::succeeded(),
            }
        })
    };
    // The first keeps the only starter.
    let (runs, mut reports) = start(run, 1);
    runs.start([claim(7)], true);
    assert_eq!(runs.running().len(), 2);
    runs.cancel(7);
    open.send(()).unwrap();

    assert_eq!(next(&mut reports).await.state, ExecutionState::Succeeded);
    assert_eq!(next(&mut reports).await.state, ExecutionState::Cancelled);
    assert!(runs.running().is_empty());
    assert_eq!(runs.count(), 2);
    runs.acknowledge([1, 7]);
    assert_eq!(runs.count(), 0);
}
