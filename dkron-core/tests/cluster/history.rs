//! What is kept of runs: executions, skips, counters, statistics.

use dkron_core::{Cluster, Execution, ExecutionQuery, ExecutionState, RunStatus};

use crate::support::{Halt, by_hand, in_memory, output, run, set, within};

#[tokio::test]
async fn executions_come_newest_first_and_are_counted() {
    let cluster = in_memory("history-order").await;
    cluster
        .handle("turn", async |context| {
            if context.token() % 2 == 0 { Ok(String::new()) } else { Err("odd".to_owned()) }
        })
        .unwrap();
    set(&cluster, by_hand("turn")).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(run(&cluster, "turn").await[0].id.clone());
    }

    let kept = cluster.executions("turn", 100).unwrap();
    let newest = cluster.executions("turn", 2).unwrap();
    let status = cluster.job("turn").unwrap().unwrap().status;
    let today = *cluster.stats(1).unwrap().last().unwrap();

    ids.reverse();
    assert_eq!(kept.iter().map(|execution| execution.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(newest, kept[..2]);
    let succeeded =
        kept.iter().filter(|execution| execution.state == ExecutionState::Succeeded).count() as u32;
    assert_eq!(status.success_count, succeeded);
    assert_eq!(status.error_count, 6 - succeeded);
    assert_eq!(u64::from(succeeded), today.success_count);
    assert_eq!(today.success_count + today.failed_count, 6);
    cluster.shutdown().await.unwrap();
}

/// The executions of all pages, in the order of the list.
fn all_pages(cluster: &Cluster, job: &str, mut query: ExecutionQuery) -> Vec<Execution> {
    let mut found = Vec::new();
    loop {
        let page = cluster.list_executions(job, &query).unwrap();
        found.extend(page.executions);
        match page.next {
            Some(next) => query = query.after(next),
            None => return found,
        }
    }
}

/// Goal: pages hold every execution once, the one that runs among them, from either end.
#[tokio::test]
async fn pages_of_a_history_hold_every_execution_that_matches_once() {
    let cluster = in_memory("history-pages").await;
    let halt = Halt::default();
    let inner = halt.clone();
    cluster
        .handle("turn", move |context| {
            let halt = inner.clone();
            async move {
                if context.token() == 6 {
                    halt.here().await;
                }
                if context.token() % 2 == 0 { Ok(String::new()) } else { Err("odd".to_owned()) }
            }
        })
        .unwrap();
    set(&cluster, by_hand("turn")).await;
    for _ in 0..5 {
        run(&cluster, "turn").await;
    }
    let last = cluster.run("turn").await.unwrap();
    halt.reached().await;

    let mut all = cluster.executions("turn", 100).unwrap();
    for limit in [1, 2, 5, 6, 7] {
        let newest = all_pages(&cluster, "turn", ExecutionQuery::new().limit(limit));
        assert_eq!(newest, all, "pages of {limit}");
    }
    let running = ExecutionQuery::new().state(ExecutionState::Running);
    assert_eq!(all_pages(&cluster, "turn", running), all[..1]);
    all.reverse();
    let oldest = all_pages(&cluster, "turn", ExecutionQuery::new().oldest_first().limit(4));
    assert_eq!(oldest, all);
    let ended = [ExecutionState::Failed, ExecutionState::Succeeded];
    let ended = ended.into_iter().fold(ExecutionQuery::new(), ExecutionQuery::state);
    assert_eq!(all_pages(&cluster, "turn", ended.oldest_first().limit(2)), all[..5]);

    halt.release();
    within("the end of the sixth", last.wait()).await.unwrap();
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn retention_keeps_the_newest() {
    let cluster = in_memory("history-retention").await;
    cluster.handle("many", async |_| Ok("x".to_owned())).unwrap();
    let retention = dkron_core::Retention { executions_max: 3, ..Default::default() };
    set(&cluster, by_hand("many").retention(retention)).await;
    let mut last = None;
    for _ in 0..5 {
        last = run(&cluster, "many").await.pop();
    }

    let kept = cluster.executions("many", 100).unwrap();

    assert_eq!(kept.len(), 3);
    assert_eq!(kept.first(), last.as_ref());
    assert_eq!(cluster.job("many").unwrap().unwrap().status.success_count, 5);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn deleting_the_history_zeroes_the_counters_and_keeps_the_job() {
    let cluster = in_memory("history-delete").await;
    cluster.handle("gone", async |_| Ok("x".to_owned())).unwrap();
    set(&cluster, by_hand("gone")).await;
    run(&cluster, "gone").await;

    cluster.delete_executions("gone").await.unwrap();

    assert!(cluster.executions("gone", 10).unwrap().is_empty());
    let status = cluster.job("gone").unwrap().unwrap().status;
    assert_eq!((status.success_count, status.error_count), (0, 0));
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_history_of_more_than_one_command_removes_is_deleted_whole() {
    let cluster = in_memory("history-delete-long").await;
    cluster.handle("often", async |_| Ok("x".to_owned())).unwrap();
    let retention = dkron_core::Retention { executions_max: 1_000, ..Default::default() };
    set(&cluster, by_hand("often").retention(retention)).await;
    let runs = dkron_core::limits::HISTORY_REMOVALS_MAX + 10;
    for _ in 0..runs {
        run(&cluster, "often").await;
    }
    assert_eq!(cluster.job("often").unwrap().unwrap().status.executions, runs);

    cluster.delete_executions("often").await.unwrap();

    assert!(cluster.executions("often", 10).unwrap().is_empty());
    assert_eq!(cluster.job("often").unwrap().unwrap().status.executions, 0);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_deleted_job_made_again_begins_without_a_history() {
    let cluster = in_memory("history-made-again").await;
    cluster.handle("again", async |_| Ok("x".to_owned())).unwrap();
    set(&cluster, by_hand("again")).await;
    let mut last = None;
    for _ in 0..10 {
        last = run(&cluster, "again").await.pop();
    }
    let last = last.unwrap().id;
    cluster.delete_job("again").await.unwrap();
    assert!(cluster.execution("again", &last).unwrap().is_none());

    set(&cluster, by_hand("again")).await;

    assert!(cluster.executions("again", 10).unwrap().is_empty());
    assert!(cluster.execution("again", &last).unwrap().is_none());
    run(&cluster, "again").await;
    assert_eq!(cluster.executions("again", 100).unwrap().len(), 1);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_long_output_keeps_its_end_and_says_how_long_it_was() {
    let cluster = in_memory("history-output").await;
    cluster
        .handle("long", async |context| {
            context.write("x".repeat(400_000));
            context.write("the end");
            Ok(String::new())
        })
        .unwrap();
    set(&cluster, by_hand("long")).await;

    let execution = run(&cluster, "long").await.remove(0);

    let text = output(&cluster, &execution);
    assert_eq!(text.len(), dkron_core::limits::OUTPUT_BYTES_MAX);
    assert!(text.ends_with("xthe end"));
    assert_eq!(execution.output_bytes_total, 400_007);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn success_on_retry_is_success() {
    let cluster = in_memory("history-status").await;
    cluster
        .handle("second", async |context| {
            if context.attempt() == 1 { Err("not yet".to_owned()) } else { Ok(String::new()) }
        })
        .unwrap();
    let at_once = dkron_core::RetryBackoff::Fixed { delay: std::time::Duration::ZERO };
    set(&cluster, by_hand("second").retries(2).retry_backoff(at_once)).await;

    let executions = run(&cluster, "second").await;

    let states: Vec<_> = executions.iter().map(|execution| execution.state).collect();
    assert_eq!(states, [ExecutionState::Failed, ExecutionState::Succeeded]);
    assert_eq!(cluster.job("second").unwrap().unwrap().status.status, RunStatus::Success);
    cluster.shutdown().await.unwrap();
}
