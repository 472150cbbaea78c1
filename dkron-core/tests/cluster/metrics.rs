//! The figures of a node: what is counted, once, and what is not.

use std::time::Duration;

use dkron_core::{Cluster, ConcurrencyPolicy, Event, Metrics};

use crate::support::{
    Halt, by_hand, claimed, config, event, every_second, finished, in_memory, run, set, within,
};

fn read(cluster: &Cluster) -> Metrics {
    cluster.metrics().expect("read the figures")
}

fn fires_skipped(cluster: &Cluster, reason: &str) -> u64 {
    let skipped = read(cluster).fires_skipped;
    skipped.iter().find(|skipped| skipped.reason == reason).expect("a reason that is known").fires
}

/// Each job with its executions that succeeded and failed.
fn jobs(cluster: &Cluster) -> Vec<(String, u64, u64)> {
    let jobs = cluster.job_metrics().expect("read the figures of jobs").into_iter();
    jobs.map(|job| (job.job.as_str().to_owned(), job.succeeded, job.failed)).collect()
}

#[tokio::test]
async fn what_a_job_did_is_counted_once_and_by_its_end() {
    let counting = config("metrics-ends").in_memory().job_metrics(true);
    let cluster = Cluster::start(counting).await.unwrap();
    cluster.handle("good", async |_| Ok(String::new())).unwrap();
    cluster.handle("bad", async |_| Err("no".to_owned())).unwrap();
    set(&cluster, by_hand("good")).await;
    set(&cluster, by_hand("bad")).await;

    for job in ["good", "good", "bad"] {
        run(&cluster, job).await;
    }

    let metrics = read(&cluster);
    let ended = metrics.executions_ended;
    assert_eq!((ended.succeeded, ended.failed, ended.cancelled, ended.lost), (2, 1, 0, 0));
    assert_eq!((metrics.start_lateness.count(), metrics.run_time.count()), (3, 3));
    assert_eq!((metrics.executions_running, metrics.executions_waiting), (0, 0));
    // Two jobs, and for each run its claim and its result, of which some may share a proposal.
    assert!(metrics.commit_time.count() >= 5, "{:?}", metrics.commit_time);
    assert!(metrics.commit_time.sum() > Duration::ZERO);
    assert_eq!((metrics.jobs, metrics.terms_led), (2, 1));
    assert!(metrics.is_leader && metrics.has_leader && metrics.is_storage_writable);
    assert!(metrics.applied_index.is_some());
    assert_eq!(metrics.overdue, Duration::ZERO);
    assert_eq!(jobs(&cluster), [("bad".to_owned(), 0, 1), ("good".to_owned(), 2, 0)]);

    cluster.delete_job("good").await.unwrap();
    let mut left = jobs(&cluster);
    within("the end of a series", async {
        while left.len() > 1 {
            tokio::task::yield_now().await;
            left = jobs(&cluster);
        }
    })
    .await;
    assert_eq!(left, [("bad".to_owned(), 0, 1)], "the figures of a job go with it");
    cluster.shutdown().await.unwrap();
    assert!(cluster.metrics().is_err());
}

#[tokio::test]
async fn a_run_is_shown_while_it_goes_on_and_what_it_keeps_from_starting_is_counted() {
    let cluster = in_memory("metrics-running").await;
    let halt = Halt::default();
    let handler = halt.clone();
    cluster
        .handle("alone", move |_| {
            let halt = handler.clone();
            async move {
                halt.here().await;
                Ok(String::new())
            }
        })
        .unwrap();
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("alone").concurrency(ConcurrencyPolicy::Forbid)).await;
    claimed(&mut events, "alone").await;
    halt.reached().await;
    assert_eq!(read(&cluster).executions_running, 1);
    assert_eq!(fires_skipped(&cluster, "expired"), 0);
    event("a skip", &mut events, |event| match event {
        Event::Skipped { .. } => (fires_skipped(&cluster, "forbidden") > 0).then_some(()),
        _ => None,
    })
    .await;

    halt.release();
    finished(&mut events, "alone").await;
    assert_eq!(read(&cluster).executions_ended.succeeded, 1);
    cluster.shutdown().await.unwrap();
}

/// Goal: counts begin anew with a start, and nothing of the log is counted again.
#[tokio::test]
async fn a_restart_counts_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = || config("metrics-restart").data_dir(folder.path()).job_metrics(true);
    let cluster = Cluster::start(at()).await.unwrap();
    cluster.handle("good", async |_| Ok(String::new())).unwrap();
    set(&cluster, by_hand("good")).await;
    for _ in 0..3 {
        run(&cluster, "good").await;
    }
    assert_eq!(read(&cluster).executions_ended.succeeded, 3);
    cluster.shutdown().await.unwrap();

    let cluster = Cluster::start(at()).await.unwrap();
    cluster.handle("good", async |_| Ok(String::new())).unwrap();
    assert_eq!(read(&cluster).executions_ended.succeeded, 0);
    assert!(jobs(&cluster).is_empty());
    assert!(read(&cluster).log_bytes > 0);
    run(&cluster, "good").await;
    assert_eq!(jobs(&cluster), [("good".to_owned(), 1, 0)]);
    cluster.shutdown().await.unwrap();
}

/// Goal: lateness is what the execution shows: from the instant it was due to its start.
#[tokio::test]
async fn lateness_is_the_time_between_the_instant_and_the_start() {
    let cluster = in_memory("metrics-lateness").await;
    cluster.handle("tick", async |_| Ok(String::new())).unwrap();
    let mut events = cluster.events().unwrap();
    set(&cluster, every_second("tick")).await;
    let execution = finished(&mut events, "tick").await;

    let late = execution.started_at.since(execution.fire_time);
    let read = read(&cluster).start_lateness;
    assert!(read.count() >= 1);
    let rounding = Duration::from_micros(1);
    assert!(read.count() > 1 || read.sum().abs_diff(late) <= rounding, "{read:?} and {late:?}");
    cluster.shutdown().await.unwrap();
}
