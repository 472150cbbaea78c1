//! Functions of the program as jobs: what they are told, and what becomes of what they answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dkron_core::{ErrorKind, Event, ExecutionState, HandlerContext, News, SkipReason};

use crate::support::{
    Halt, by_hand, event, every_second, finished, in_memory, output, run, set, within,
};

#[tokio::test]
async fn what_an_async_handler_returns_is_the_output() {
    let cluster = in_memory("handlers-async").await;
    cluster.handle("greet", async |context| Ok(format!("hello from {}", context.job()))).unwrap();
    set(&cluster, by_hand("greet")).await;

    let executions = run(&cluster, "greet").await;

    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0].state, ExecutionState::Succeeded);
    assert_eq!(output(&cluster, &executions[0]), "hello from greet");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_blocking_handler_runs_on_a_thread_of_its_own() {
    let cluster = in_memory("handlers-blocking").await;
    let name = || std::thread::current().name().unwrap_or_default().to_owned();
    cluster.handle_blocking("work", move |_| Ok(name())).unwrap();
    cluster.handle("light", move |_| async move { Ok(name()) }).unwrap();
    set(&cluster, by_hand("work")).await;
    set(&cluster, by_hand("light")).await;

    let work = run(&cluster, "work").await;
    let light = run(&cluster, "light").await;

    assert_eq!(work[0].state, ExecutionState::Succeeded);
    assert_ne!(output(&cluster, &work[0]), output(&cluster, &light[0]));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_error_fails_the_attempt_with_its_text() {
    let cluster = in_memory("handlers-error").await;
    cluster.handle("broken", async |_| Err("the printer is on fire".to_owned())).unwrap();
    set(&cluster, by_hand("broken")).await;

    let executions = run(&cluster, "broken").await;

    assert_eq!(executions[0].state, ExecutionState::Failed);
    assert!(output(&cluster, &executions[0]).contains("the printer is on fire"));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_panic_fails_the_attempt_and_nothing_else() {
    let cluster = in_memory("handlers-panic").await;
    cluster.handle("sync", async |_| panic!("on the runtime")).unwrap();
    cluster.handle_blocking("blocking", |_| panic!("on a thread")).unwrap();
    cluster.handle("fine", async |_| Ok(String::new())).unwrap();
    for job in ["sync", "blocking", "fine"] {
        set(&cluster, by_hand(job)).await;
    }

    let on_runtime = run(&cluster, "sync").await;
    let on_thread = run(&cluster, "blocking").await;
    let after = run(&cluster, "fine").await;

    assert_eq!(on_runtime[0].state, ExecutionState::Failed);
    assert!(output(&cluster, &on_runtime[0]).contains("on the runtime"));
    assert_eq!(on_thread[0].state, ExecutionState::Failed);
    assert!(output(&cluster, &on_thread[0]).contains("on a thread"));
    assert_eq!(after[0].state, ExecutionState::Succeeded);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_context_says_which_attempt_of_which_fire_this_is() {
    let cluster = in_memory("handlers-context").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    cluster
        .handle_blocking("tell", move |context| {
            let job = context.job().to_owned();
            let id = context.execution().to_owned();
            let all = (job, id, context.fire_time(), context.attempt(), context.token());
            told.lock().unwrap().push(all);
            if context.attempt() == 1 { Err("once more".to_owned()) } else { Ok(String::new()) }
        })
        .unwrap();
    let at_once = dkron_core::RetryBackoff::Fixed { delay: Duration::ZERO };
    set(&cluster, by_hand("tell").retries(1).retry_backoff(at_once)).await;

    let executions = run(&cluster, "tell").await;

    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    for (told, execution) in seen.iter().zip(&executions) {
        assert_eq!(told.0, "tell");
        assert_eq!(told.1, execution.id.to_string());
        assert_eq!(told.2, execution.fire_time);
        assert_eq!(told.3, execution.attempt);
        assert_eq!(told.4, execution.token);
    }
    assert_eq!(seen[0].2, seen[1].2, "both attempts belong to one fire");
    assert!(seen[0].4 < seen[1].4, "the fencing token grows");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_a_handler_writes_is_seen_while_it_runs() {
    let cluster = in_memory("handlers-live").await;
    let halt = Halt::default();
    let inner = halt.clone();
    cluster
        .handle("talk", move |context| {
            let halt = inner.clone();
            async move {
                context.write("half way\n");
                context.progress(0.5, "half way");
                halt.here().await;
                Ok("done".to_owned())
            }
        })
        .unwrap();
    set(&cluster, by_hand("talk")).await;

    let under_way = cluster.run("talk").await.unwrap();
    halt.reached().await;
    let running = cluster.running(5).unwrap();
    halt.release();
    let executions = within("the end", under_way.wait()).await.unwrap();

    assert_eq!(running.len(), 1);
    assert_eq!(running[0].output.bytes, b" way\n", "the last of it");
    assert_eq!(running[0].output.bytes_total, 9);
    assert_eq!(running[0].progress, Some((0.5, "half way".to_owned())));
    assert_eq!(output(&cluster, &executions[0]), "half way\ndone");
    assert!(cluster.running(0).unwrap().is_empty());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_second_function_of_one_name_replaces_the_first() {
    let cluster = in_memory("handlers-replace").await;
    cluster.handle("which", async |_| Ok("first".to_owned())).unwrap();
    set(&cluster, by_hand("which")).await;
    let before = run(&cluster, "which").await;

    cluster.handle_blocking("which", |_| Ok("second".to_owned())).unwrap();
    let after = run(&cluster, "which").await;

    assert_eq!(output(&cluster, &before[0]), "first");
    assert_eq!(output(&cluster, &after[0]), "second");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_its_handler_a_job_is_skipped_and_the_reason_names_it() {
    let cluster = in_memory("handlers-missing").await;
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("orphan").handler("nowhere")).await;

    let refused = cluster.run("orphan").await.err().unwrap();
    let skip = event("a skip", &mut events, |event| match event {
        Event::Skipped { skip, .. } => Some(skip.clone()),
        _ => None,
    })
    .await;

    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{}", refused.report());
    let SkipReason::NoCapableNode { wanted } = &skip.reason else { panic!("{:?}", skip.reason) };
    assert!(wanted.contains("nowhere"), "{wanted}");
    assert_eq!(cluster.skips("orphan", 10).unwrap().last(), Some(&skip));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_handler_ends_as_cancelled() {
    let cluster = in_memory("handlers-cancel").await;
    cluster
        .handle("patient", async |context| {
            context.cancelled().await;
            Err("as you wish".to_owned())
        })
        .unwrap();
    set(&cluster, by_hand("patient").retries(3)).await;

    let under_way = cluster.run("patient").await.unwrap();
    let id = under_way.receipt().executions[0].clone();
    let cancelled = cluster.cancel("patient", &id, Duration::from_secs(10)).await.unwrap();
    let executions = within("the end", under_way.wait()).await.unwrap();
    let again = cluster.cancel("patient", &id, Duration::from_secs(10)).await.err().unwrap();

    assert_eq!(cancelled.state, ExecutionState::Cancelled);
    assert_eq!(executions.len(), 1, "a cancelled run is not tried again");
    assert_eq!(again.kind(), ErrorKind::NotFound, "{}", again.report());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_run_whose_job_was_deleted_can_still_be_cancelled() {
    let cluster = in_memory("handlers-cancel-orphan").await;
    let halt = Halt::default();
    let inner = halt.clone();
    cluster
        .handle("patient", move |context: HandlerContext| {
            let halt = inner.clone();
            async move {
                halt.here().await;
                context.cancelled().await;
                Err("as you wish".to_owned())
            }
        })
        .unwrap();
    set(&cluster, by_hand("patient")).await;
    let under_way = cluster.run("patient").await.unwrap();
    halt.reached().await;
    halt.release();
    let id = under_way.receipt().executions[0].clone();

    cluster.delete_job("patient").await.unwrap();
    let cancelled = cluster.cancel("patient", &id, Duration::from_secs(10)).await.unwrap();

    assert_eq!((cancelled.id, cancelled.state), (id.clone(), ExecutionState::Cancelled));
    assert_eq!(cluster.execution("patient", &id).unwrap(), None);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_does_not_comply_is_not_called_cancelled() {
    let cluster = in_memory("handlers-stubborn").await;
    let halt = Halt::default();
    let inner = halt.clone();
    cluster
        .handle("stubborn", move |_| {
            let halt = inner.clone();
            async move {
                halt.here().await;
                Ok("finished all the same".to_owned())
            }
        })
        .unwrap();
    set(&cluster, by_hand("stubborn")).await;

    let under_way = cluster.run("stubborn").await.unwrap();
    halt.reached().await;
    let id = under_way.receipt().executions[0].clone();
    let refused = cluster.cancel("stubborn", &id, Duration::from_millis(100)).await.err().unwrap();
    let meanwhile = cluster.execution("stubborn", &id).unwrap().unwrap();
    halt.release();
    let executions = within("the end", under_way.wait()).await.unwrap();

    assert_eq!(refused.kind(), ErrorKind::DeadlineExceeded, "{}", refused.report());
    assert!(refused.may_have_happened(), "the request stands");
    assert_eq!(meanwhile.state, ExecutionState::Running);
    assert!(meanwhile.is_cancel_requested);
    assert_eq!(executions[0].state, ExecutionState::Succeeded, "its true outcome stands");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_outlasts_the_jobs_timeout_has_failed() {
    let cluster = in_memory("handlers-timeout").await;
    cluster
        .handle("slow", async |context| {
            context.cancelled().await;
            Ok(String::new())
        })
        .unwrap();
    set(&cluster, by_hand("slow").timeout(Duration::from_millis(50))).await;

    let executions = run(&cluster, "slow").await;

    assert_eq!(executions[0].state, ExecutionState::Failed);
    assert!(output(&cluster, &executions[0]).contains("50ms"));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_asks_is_told_of_a_start_before_its_end() {
    let cluster = in_memory("handlers-starts").await;
    cluster.handle("talk", async |_| Ok("hello".to_owned())).unwrap();
    set(&cluster, by_hand("talk")).await;
    let mut events = cluster.events().unwrap().with_starts();
    let mut others = cluster.events().unwrap();

    let id = run(&cluster, "talk").await[0].id.clone();

    let started = within("the start", async {
        loop {
            match events.next().await.expect("the node lives") {
                News::Started(run) => return run.execution().clone(),
                News::Event(event) => assert!(!matches!(*event, Event::Finished { .. })),
                News::Missed(missed) => panic!("missed {missed} events"),
            }
        }
    });
    assert_eq!(started.await.id, id);
    assert_eq!(finished(&mut events, "talk").await.id, id);
    let is_end = |news: &News| match news {
        News::Event(event) => matches!(**event, Event::Finished { .. }),
        other => panic!("who does not ask is not told: {other:?}"),
    };
    while !is_end(&within("news", others.next()).await.expect("the node lives")) {}
    cluster.shutdown().await.unwrap();
}
