//! What starts when: schedules, overlap, retries, children, one-time jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dkron_core::{
    Cause, ConcurrencyPolicy, Event, ExecutionState, JobBuilder, JobChange, RetryBackoff,
    SkipReason,
};
use tokio::sync::Notify;

use crate::support::{
    by_hand, claimed, event, every_second, finished, in_memory, run, set, within,
};

#[tokio::test]
async fn a_schedule_fires_at_its_instant_and_not_before() {
    let cluster = in_memory("policies-schedule").await;
    cluster.handle("tick", async |_| Ok(String::new())).unwrap();
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("tick")).await;

    let first = finished(&mut events, "tick").await;
    let second = finished(&mut events, "tick").await;

    for execution in [&first, &second] {
        assert_eq!(execution.cause, Cause::Schedule);
        assert_eq!(execution.fire_time.subsec_ns(), 0);
        assert!(execution.started_at >= execution.fire_time);
        assert_eq!(execution.state, ExecutionState::Succeeded);
    }
    assert_eq!(second.fire_time.since(first.fire_time), Duration::from_secs(1));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_forbidden_overlap_is_skipped_with_its_reason_and_the_job_goes_on() {
    let cluster = in_memory("policies-forbid").await;
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    cluster
        .handle("alone", move |_| {
            let wait = Arc::clone(&wait);
            async move {
                wait.notified().await;
                Ok(String::new())
            }
        })
        .unwrap();
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("alone").concurrency(ConcurrencyPolicy::Forbid)).await;

    let first = claimed(&mut events, "alone").await;
    let skip = event("a skip", &mut events, |event| match event {
        Event::Skipped { skip, .. } => Some(skip.clone()),
        _ => None,
    })
    .await;
    go_on.notify_one();
    finished(&mut events, "alone").await;
    let second = claimed(&mut events, "alone").await;
    go_on.notify_one();

    assert_eq!(skip.reason, SkipReason::Forbidden { running: first.id });
    assert!(second.fire_time > skip.last);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn retries_end_with_the_first_success_or_the_last_attempt() {
    let cluster = in_memory("policies-retries").await;
    cluster
        .handle("third", async |context| {
            if context.attempt() < 3 { Err("no".to_owned()) } else { Ok(String::new()) }
        })
        .unwrap();
    cluster.handle("never", async |_| Err("no".to_owned())).unwrap();
    let backoff = RetryBackoff::Fixed { delay: Duration::from_millis(20) };
    set(&cluster, by_hand("third").retries(5).retry_backoff(backoff)).await;
    set(&cluster, by_hand("never").retries(2).retry_backoff(backoff)).await;

    let third = run(&cluster, "third").await;
    let never = run(&cluster, "never").await;

    assert_eq!(third.iter().map(|e| e.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(third[2].state, ExecutionState::Succeeded);
    assert_eq!(never.iter().map(|e| e.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(never.iter().all(|e| e.state == ExecutionState::Failed));
    for pair in third.windows(2) {
        let ended = pair[0].finished_at.unwrap();
        assert!(pair[1].started_at.since(ended) >= Duration::from_millis(20));
        assert!(pair[0].token < pair[1].token);
    }
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_child_runs_once_after_each_success_of_its_parent_and_never_after_a_failure() {
    let cluster = in_memory("policies-children").await;
    let fail = Arc::new(AtomicU32::new(0));
    let failing = Arc::clone(&fail);
    cluster
        .handle("parent", move |_| {
            let code = failing.load(Ordering::SeqCst);
            async move { if code == 0 { Ok(String::new()) } else { Err("no".to_owned()) } }
        })
        .unwrap();
    cluster.handle("child", async |_| Ok(String::new())).unwrap();
    cluster.handle("grandchild", async |_| Ok(String::new())).unwrap();
    set(&cluster, by_hand("parent")).await;
    set(&cluster, JobBuilder::new("child").after("parent")).await;
    set(&cluster, JobBuilder::new("grandchild").after("child")).await;
    let mut events = cluster.events().unwrap();

    fail.store(1, Ordering::SeqCst);
    run(&cluster, "parent").await;
    fail.store(0, Ordering::SeqCst);
    for _ in 0..2 {
        run(&cluster, "parent").await;
        let youngest = finished(&mut events, "grandchild").await;
        assert_eq!(youngest.cause, Cause::Parent);
    }

    assert_eq!(cluster.executions("parent", 10).unwrap().len(), 3);
    assert_eq!(cluster.executions("child", 10).unwrap().len(), 2);
    assert_eq!(cluster.executions("grandchild", 10).unwrap().len(), 2);
    assert_eq!(cluster.job("parent").unwrap().unwrap().children.len(), 1);
    let refused = cluster.delete_job("parent").await.err().unwrap();
    assert_eq!(refused.kind(), dkron_core::ErrorKind::Conflict);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_ephemeral_job_goes_with_its_first_success() {
    let cluster = in_memory("policies-ephemeral").await;
    cluster
        .handle("once", async |context| {
            if context.attempt() == 1 { Err("not yet".to_owned()) } else { Ok(String::new()) }
        })
        .unwrap();
    let mut events = cluster.events().unwrap();
    let at_once = RetryBackoff::Fixed { delay: Duration::ZERO };
    set(&cluster, by_hand("once").retries(1).retry_backoff(at_once).ephemeral()).await;

    let under_way = cluster.run("once").await.unwrap();
    event("its deletion", &mut events, |event| match event {
        Event::JobChanged { change: JobChange::Deleted, .. } => Some(()),
        _ => None,
    })
    .await;
    let executions = within("the end", under_way.wait()).await.unwrap();

    assert!(executions.is_empty(), "its history went with it");
    assert_eq!(cluster.job("once").unwrap(), None);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wait_ends_when_the_retry_it_waits_for_is_skipped() {
    let cluster = in_memory("policies-skipped-retry").await;
    let (inner, go_on) = (cluster.clone(), Arc::new(Notify::new()));
    let (calls, wait) = (Arc::new(AtomicU32::new(0)), Arc::clone(&go_on));
    cluster
        .handle("crowded", move |_| {
            let (cluster, wait) = (inner.clone(), Arc::clone(&wait));
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                if call == 0 {
                    // A run by hand is not refused, but the retry of this one then is.
                    cluster.run("crowded").await.map_err(|error| error.report())?;
                    return Err("failed".to_owned());
                }
                wait.notified().await;
                Ok(String::new())
            }
        })
        .unwrap();
    let at_once = RetryBackoff::Fixed { delay: Duration::ZERO };
    let job = by_hand("crowded").concurrency(ConcurrencyPolicy::Forbid);
    set(&cluster, job.retries(1).retry_backoff(at_once)).await;

    let executions = run(&cluster, "crowded").await;

    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0].state, ExecutionState::Failed);
    assert_eq!(cluster.skips("crowded", 10).unwrap()[0].attempt, 2);
    go_on.notify_one();
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wait_ends_when_the_job_is_deleted() {
    let cluster = in_memory("policies-deleted").await;
    let inner = cluster.clone();
    cluster
        .handle("leaves", move |_| {
            let cluster = inner.clone();
            async move {
                cluster.delete_job("leaves").await.map_err(|error| error.report())?;
                Ok(String::new())
            }
        })
        .unwrap();
    set(&cluster, by_hand("leaves")).await;

    assert!(run(&cluster, "leaves").await.is_empty());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_job_outside_its_window_is_skipped_with_the_reason() {
    let cluster = in_memory("policies-window").await;
    cluster.handle("early", async |_| Ok(String::new())).unwrap();
    let mut events = cluster.events().unwrap();
    let far = dkron_core::Timestamp::parse_rfc3339("2999-01-01T00:00:00Z").unwrap();
    set(&cluster, every_second("early").window(Some(far), None)).await;

    let status = cluster.job("early").unwrap().unwrap().status;
    let by_hand = run(&cluster, "early").await;

    assert!(status.next.is_none_or(|next| next >= far), "{status:?}");
    assert_eq!(by_hand[0].state, ExecutionState::Succeeded, "a run by hand ignores the window");
    assert_eq!(finished(&mut events, "early").await.cause, Cause::Manual);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_job_disabled_before_its_instant_does_not_start() {
    let cluster = in_memory("policies-disabled").await;
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    cluster
        .handle("off", move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok(String::new()) }
        })
        .unwrap();
    cluster.handle("clock", async |_| Ok(String::new())).unwrap();
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("off")).await;
    finished(&mut events, "off").await;
    cluster.set_job_disabled("off", true).await.unwrap();
    let before = started.load(Ordering::SeqCst);

    // Another job's fires show that the instants in which it would have fired have passed.
    set(&cluster, every_second("clock")).await;
    finished(&mut events, "clock").await;
    finished(&mut events, "clock").await;

    assert_eq!(started.load(Ordering::SeqCst), before);
    let refused = cluster.run("off").await.err().unwrap();
    assert_eq!(refused.kind(), dkron_core::ErrorKind::Conflict, "{}", refused.report());
    cluster.shutdown().await.unwrap();
}
