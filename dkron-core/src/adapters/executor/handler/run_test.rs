//! Functions as jobs: what they are told, how they end, what a run costs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{HandlerContext, HandlerRegistry};
use crate::adapters::executor::kit_test::{TestRun, assert_output, ended};
use crate::ports::{ExecutorPort, RunContext, RunOutcome};

type Answer = Result<String, String>;

fn registry() -> Arc<HandlerRegistry> {
    Arc::new(HandlerRegistry::new(4))
}

/// Prepares a run of the job `backup`.
fn run_of(registry: &Arc<HandlerRegistry>, keys: &[(&str, &str)]) -> TestRun {
    TestRun::new(Arc::clone(registry) as Arc<dyn ExecutorPort>, keys)
}

fn done() -> Answer {
    Ok(String::new())
}

fn succeeded() -> crate::ports::RunEnd {
    ended(RunOutcome::Succeeded, "")
}

#[tokio::test]
async fn a_function_runs_by_its_own_name_or_the_jobs() {
    let registry = registry();
    registry.register_async("backup", async |_| Ok("from the name\n".to_owned()));
    registry.register_blocking("other", |_| Ok("from the key\n".to_owned()));

    for (keys, want) in [
        (&[][..], "from the name\n"),
        (&[("handler", "")], "from the name\n"),
        (&[("handler", "other")], "from the key\n"),
    ] {
        assert_output(&run_of(&registry, keys).output().await, want);
    }
    assert_output(
        &run_of(&registry, &[("handler", "absent")]).output().await,
        "no handler \"absent\" is registered on this node\n",
    );
}

#[tokio::test]
async fn a_function_is_told_all_about_its_run() {
    let tell = |context: HandlerContext| {
        format!(
            "{} {} {} {} {} {:?}",
            context.job(),
            context.execution(),
            context.fire_time(),
            context.attempt(),
            context.token(),
            context.config("key"),
        )
    };
    let registry = registry();
    registry.register_async("async", move |context| async move { Ok(tell(context)) });
    registry.register_blocking("sync", move |context| Ok(tell(context)));

    for name in ["async", "sync"] {
        let run = run_of(&registry, &[("handler", name), ("key", "value")]);
        let execution = &run.context.execution;
        let want = format!("backup {execution} 2026-03-01T04:05:06Z 2 77 Some(\"value\")");
        assert_output(&run.output().await, &want);
    }
}

#[tokio::test]
async fn what_is_written_comes_before_what_is_returned_and_progress_is_kept() {
    let registry = registry();
    registry.register_async("backup", async |context| {
        context.write("written ");
        context.progress(0.5, "half way");
        Ok("returned".to_owned())
    });
    let run = run_of(&registry, &[]);

    assert_output(&run.output().await, "written returned");
    assert_eq!(run.capture.progress().unwrap().note, "half way");
}

#[tokio::test]
async fn a_panic_is_a_failed_run_and_the_next_ones_go_on() {
    let registry = Arc::new(HandlerRegistry::new(1));
    let early = |_: HandlerContext| -> std::future::Ready<Answer> { panic!("no {}", "future") };
    registry.register_async("early", early);
    registry.register_async("late", async |_| -> Answer { panic!("in the middle") });
    registry.register_blocking("sync", |_| -> Answer { panic!("on a thread") });
    registry.register_blocking("odd", |_| -> Answer { std::panic::panic_any(7) });
    registry.register_blocking("fine", |_| -> Answer { done() });

    for (name, want) in [
        ("early", "the handler panicked: no future\n"),
        ("late", "the handler panicked: in the middle\n"),
        ("sync", "the handler panicked: on a thread\n"),
        ("odd", "the handler panicked: without a message\n"),
        ("fine", ""),
    ] {
        assert_output(&run_of(&registry, &[("handler", name)]).output().await, want);
    }
}

/// Runs, cancels once the function says it is ready, and returns the end with what was kept.
async fn cancel_when_ready(run: &TestRun) -> (crate::ports::RunEnd, String) {
    let (end, _) = tokio::join!(run.end(), async {
        run.line("ready").await;
        run.context.cancel.cancel();
    });
    let output = run.capture.finish(None);
    (end, String::from_utf8(output.bytes).unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_async_function_that_does_not_end_is_dropped_after_the_grace() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let registry = registry();
    let held = Arc::clone(&drops);
    registry.register_async("backup", move |context| {
        let dropped = Dropped(Arc::clone(&held));
        async move {
            let _dropped = dropped;
            context.write("ready\n");
            std::future::pending::<Answer>().await
        }
    });
    let run = run_of(&registry, &[]);
    let started = Instant::now();

    let (end, _) = cancel_when_ready(&run).await;

    let want = "cancelled: dropped 5s after it was asked to end";
    assert_eq!(end, ended(RunOutcome::Cancelled, want));
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_asks_the_function_to_end_and_fails_the_run() {
    let registry = registry();
    registry.register_async("notices", async |context| -> Answer {
        context.cancelled().await;
        done()
    });
    registry.register_async("hangs", async |_| std::future::pending::<Answer>().await);
    registry.register_async("quick", async |_| -> Answer { done() });

    for (name, want) in [
        ("notices", "the handler ran longer than its timeout of 3s"),
        (
            "hangs",
            "the handler ran longer than its timeout of 3s: dropped 5s after it was asked to end",
        ),
        ("quick", ""),
    ] {
        let mut run = run_of(&registry, &[("handler", name)]);
        run.context.timeout = Some(Duration::from_secs(3));
        let outcome = if want.is_empty() { RunOutcome::Succeeded } else { RunOutcome::Failed };
        assert_eq!(run.end().await, ended(outcome, want), "{name}");
        assert!(!run.context.cancel.is_cancelled(), "the run itself was not cancelled");
    }
}

/// Goal: a function that uses up all its task may do at each turn leaves some to look at the clock.
#[tokio::test]
async fn a_busy_function_holds_off_neither_its_timeout_nor_a_cancellation() {
    let registry = registry();
    registry.register_async("backup", async |context| -> Answer {
        let started = Instant::now();
        while !context.is_cancelled() && started.elapsed() < Duration::from_secs(20) {
            tokio::task::consume_budget().await;
        }
        done()
    });
    let mut run = run_of(&registry, &[]);
    run.context.timeout = Some(Duration::from_millis(50));
    let want = ended(RunOutcome::Failed, "the handler ran longer than its timeout of 50ms");
    assert_eq!(run.end().await, want);

    registry.register_async("deaf", async |context| -> Answer {
        context.write("ready\n");
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            tokio::task::consume_budget().await;
        }
        done()
    });
    let (end, _) = cancel_when_ready(&run_of(&registry, &[("handler", "deaf")])).await;
    let want = "cancelled: dropped 5s after it was asked to end";
    assert_eq!(end, ended(RunOutcome::Cancelled, want));
}

#[tokio::test]
async fn a_run_cancelled_before_its_turn_never_starts() {
    let registry = Arc::new(HandlerRegistry::new(1));
    let (open, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let calls = Arc::new(AtomicUsize::new(0));
    registry.register_blocking("blocks", move |context| -> Answer {
        context.write("ready\n");
        gate.lock().unwrap().recv().unwrap();
        done()
    });
    let count = Arc::clone(&calls);
    registry.register_blocking("counts", move |_| -> Answer {
        count.fetch_add(1, Ordering::SeqCst);
        done()
    });
    let blocking = run_of(&registry, &[("handler", "blocks")]);
    let waiting = run_of(&registry, &[("handler", "counts")]);

    let (blocked, waited, _) = tokio::join!(blocking.end(), waiting.end(), async {
        blocking.line("ready").await;
        waiting.context.cancel.cancel();
        open.send(()).unwrap();
    });

    assert_eq!(blocked, succeeded());
    assert_eq!(waited, ended(RunOutcome::Cancelled, "cancelled: before it started"));
    let last = run_of(&registry, &[("handler", "counts")]);
    assert_eq!(last.end().await, succeeded());
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    registry.register_async("async", async |_| -> Answer { panic!("never called") });
    let run = run_of(&registry, &[("handler", "async")]);
    run.context.cancel.cancel();
    assert_eq!(run.end().await, ended(RunOutcome::Cancelled, "cancelled: before it started"));
}

#[tokio::test]
async fn many_more_sync_runs_than_threads_and_places_all_run() {
    let registry = Arc::new(HandlerRegistry::new(2));
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    registry.register_blocking("backup", move |_| -> Answer {
        count.fetch_add(1, Ordering::SeqCst);
        done()
    });
    let context = run_of(&registry, &[]).context;

    // A task for each, as the driver has: that is how 20,000 fires of one instant arrive.
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..20_000 {
        runs.spawn(registry.run(context.clone()));
    }

    while let Some(end) = runs.join_next().await {
        assert_eq!(end.unwrap(), succeeded());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 20_000);
}

/// Returns the time that one of so many runs took.
async fn cost(registry: &HandlerRegistry, context: &RunContext, runs: u32) -> Duration {
    let started = std::time::Instant::now();
    for _ in 0..runs {
        assert_eq!(registry.run(context.clone()).await, succeeded());
    }
    started.elapsed() / runs
}

/// Goal: a run costs a microsecond or two (in a release build), so that it is not what a busy node
/// spends its time on. The bound here is that of a debug build on a loaded machine.
#[tokio::test]
async fn a_no_op_run_costs_next_to_nothing() {
    let registry = registry();
    registry.register_async("async", async |_| -> Answer { done() });
    registry.register_blocking("sync", |_| -> Answer { done() });
    let of_async = run_of(&registry, &[("handler", "async")]).context;
    let of_sync = run_of(&registry, &[("handler", "sync")]).context;
    let warm = cost(&registry, &of_async, 1000).await + cost(&registry, &of_sync, 1000).await;

    let (of_async, of_sync) =
        (cost(&registry, &of_async, 20_000).await, cost(&registry, &of_sync, 5_000).await);

    println!("one no-op run: async {of_async:?}, sync {of_sync:?} (warm-up {warm:?})");
    assert!(of_async < Duration::from_micros(100), "{of_async:?}");
}

#[tokio::test]
async fn runs_of_one_function_overlap() {
    let registry = registry();
    let (arrived, both) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    registry.register_async("backup", move |_| {
        let (arrived, both) = (Arc::clone(&arrived), Arc::clone(&both));
        async move {
            if arrived.fetch_add(1, Ordering::SeqCst) == 1 {
                both.notify_one();
            } else {
                both.notified().await;
            }
            done()
        }
    });
    let (one, two) = (run_of(&registry, &[]), run_of(&registry, &[]));
    assert_eq!(tokio::join!(one.end(), two.end()), (succeeded(), succeeded()));
}
