//! Functions as jobs: answers, panics, cancellation, timeouts, threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::HandlerRegistry;
use crate::kernel::model::{ExecutionId, JobName};
use crate::kernel::time::Timestamp;
use crate::ports::{ExecutorPort, OutputCapture, RunContext, RunEnd};

/// A run of the job `greet`, and what it wrote.
struct Run {
    context: RunContext,
    capture: Arc<OutputCapture>,
}

fn run() -> Run {
    let capture = OutputCapture::new();
    let context = RunContext {
        job: JobName::parse("greet").unwrap(),
        execution: ExecutionId::parse("17-n1").unwrap(),
        fire_time: Timestamp::UNIX_EPOCH,
        attempt: 3,
        token: 7,
        instance: 1,
        config: BTreeMap::new().into(),
        timeout: None,
        output: capture.writer(),
        cancel: CancellationToken::new(),
    };
    Run { context, capture }
}

fn succeeded() -> RunEnd {
    RunEnd::succeeded()
}

fn failed(error: &str) -> RunEnd {
    RunEnd::failed(error)
}

#[tokio::test]
async fn what_a_function_returns_is_its_output() {
    let registry = HandlerRegistry::new(2);
    registry.register_async("greet", async |context| {
        context.write("working ");
        Ok(format!("{} #{}", context.job(), context.attempt()))
    });
    let run = run();

    assert_eq!(registry.run(run.context).await, succeeded());
    assert_eq!(run.capture.finish(None).bytes, b"working greet #3");
}

#[tokio::test]
async fn the_config_names_another_function() {
    let registry = HandlerRegistry::new(2);
    registry.register_blocking("other", |context| Err(format!("token {}", context.token())));
    let mut run = run();
    run.context.config = BTreeMap::from([("handler".into(), "other".into())]).into();

    assert_eq!(registry.run(run.context).await, failed("token 7"));
}

#[tokio::test]
async fn a_name_without_a_function_is_a_failed_run() {
    let registry = HandlerRegistry::new(2);

    let end = registry.run(run().context).await;

    assert_eq!(end, failed("no handler \"greet\" is registered on this node"));
}

#[tokio::test]
async fn a_panic_is_a_failed_run_and_the_pool_goes_on() {
    let registry = HandlerRegistry::new(1);
    registry.register_async("greet", async |_| panic!("async {}", 1));
    assert_eq!(registry.run(run().context).await, failed("the handler panicked: async 1"));

    registry.register_blocking("greet", |_| panic!("blocking"));
    assert_eq!(registry.run(run().context).await, failed("the handler panicked: blocking"));

    registry.register_blocking("greet", |_| Ok(String::new()));
    assert_eq!(registry.run(run().context).await, succeeded());
}

#[tokio::test(start_paused = true)]
async fn a_function_that_finishes_all_the_same_keeps_its_outcome() {
    let registry = HandlerRegistry::new(1);
    registry.register_async("greet", async |context| {
        context.cancelled().await;
        Ok("done anyway".to_owned())
    });
    let run = run();
    let going = registry.run(run.context.clone());
    let (end, ()) = tokio::join!(going, async { run.context.cancel.cancel() });

    assert_eq!(end, succeeded());
    assert_eq!(run.capture.finish(None).bytes, b"done anyway");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_told_to_the_function_and_fails_the_run() {
    let registry = HandlerRegistry::new(1);
    registry.register_async("greet", async |context| {
        context.cancelled().await;
        Ok(String::new())
    });
    let mut run = run();
    run.context.timeout = Some(Duration::from_millis(20));

    let end = registry.run(run.context).await;

    assert_eq!(end, failed("the handler ran longer than its timeout of 20ms"));
}

#[tokio::test]
async fn a_blocking_function_is_over_only_when_it_returns() {
    let registry = HandlerRegistry::new(1);
    let gate = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&gate);
    let (begin, begun) = oneshot::channel();
    let begin = Mutex::new(Some(begin));
    registry.register_blocking("greet", move |context| {
        begin.lock().unwrap().take().unwrap().send(()).unwrap();
        inside.wait();
        assert!(context.is_cancelled());
        Err("stopped".to_owned())
    });
    let run = run();
    let cancel = run.context.cancel.clone();
    let going = tokio::spawn(registry.run(run.context));

    begun.await.unwrap();
    cancel.cancel();
    tokio::task::yield_now().await;
    assert!(!going.is_finished());
    gate.wait();

    assert_eq!(going.await.unwrap(), RunEnd::cancelled("stopped"));
}

#[tokio::test]
async fn blocking_functions_run_side_by_side_up_to_the_number_of_threads() {
    let registry = HandlerRegistry::new(3);
    let together = Arc::new(Barrier::new(3));
    registry.register_blocking("greet", move |_| {
        together.wait();
        Ok(String::new())
    });

    let (a, b, c) = tokio::join!(
        registry.run(run().context),
        registry.run(run().context),
        registry.run(run().context)
    );

    assert_eq!([a, b, c], [succeeded(), succeeded(), succeeded()]);
}
