//! Jobs that a program declares as its own.

use dkron_core::limits::DECLARED_JOBS_MAX;
use dkron_core::{Applied, Cluster, ErrorKind, Job};

use crate::support::{by_hand, in_memory, set};

fn jobs(names: &[&str]) -> Vec<Job> {
    names.iter().map(|name| by_hand(name).build().unwrap()).collect()
}

fn names(cluster: &Cluster) -> Vec<String> {
    let jobs = cluster.jobs(None, 100).unwrap();
    jobs.into_iter().map(|view| view.job.name.to_string()).collect()
}

#[tokio::test]
async fn declaring_creates_updates_and_prunes_what_is_its_own() {
    let cluster = in_memory("declared-life").await;
    set(&cluster, by_hand("others")).await;

    let first = cluster.apply("shop", jobs(&["a", "b", "c"]), true).await.unwrap();
    let again = cluster.apply("shop", jobs(&["a", "b", "c"]), true).await.unwrap();
    let mut changed = jobs(&["a", "b", "d"]);
    changed[1].owner = "somebody else".to_owned();
    let second = cluster.apply("shop", changed, true).await.unwrap();

    assert_eq!(first, Applied { created: 3, ..Applied::default() });
    assert_eq!(again, Applied { unchanged: 3, ..Applied::default() });
    assert_eq!(second, Applied { created: 1, updated: 1, unchanged: 1, pruned: 1 });
    assert_eq!(names(&cluster), ["a", "b", "d", "others"]);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_prune_nothing_is_deleted() {
    let cluster = in_memory("declared-keep").await;
    cluster.apply("shop", jobs(&["a", "b"]), false).await.unwrap();

    let applied = cluster.apply("shop", jobs(&["c"]), false).await.unwrap();

    assert_eq!(applied, Applied { created: 1, ..Applied::default() });
    assert_eq!(names(&cluster), ["a", "b", "c"]);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_programs_do_not_touch_each_others_jobs() {
    let cluster = in_memory("declared-two").await;
    cluster.apply("shop", jobs(&["a"]), true).await.unwrap();
    cluster.apply("till", jobs(&["b"]), true).await.unwrap();

    let stolen = cluster.apply("till", jobs(&["a", "c"]), true).await.err().unwrap();
    let emptied = cluster.apply("till", jobs(&[]), true).await.unwrap();

    assert_eq!(stolen.kind(), ErrorKind::Conflict, "{}", stolen.report());
    assert_eq!(emptied, Applied { pruned: 1, ..Applied::default() });
    assert_eq!(names(&cluster), ["a"], "a refused declaration changes nothing");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_bad_job_refuses_the_whole_declaration_and_is_named() {
    let cluster = in_memory("declared-bad").await;
    let mut declared = jobs(&["fine", "wrong"]);
    declared[1].schedule = "every now and then".to_owned();

    let refused = cluster.apply("shop", declared, true).await.err().unwrap();

    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.message().contains("\"wrong\""), "{}", refused.report());
    assert!(names(&cluster).is_empty());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_child_may_be_declared_before_its_parent() {
    let cluster = in_memory("declared-tree").await;
    let child = dkron_core::JobBuilder::new("child").after("parent").build().unwrap();
    let parent = by_hand("parent").build().unwrap();

    let applied = cluster.apply("shop", [child, parent], true).await.unwrap();
    let pruned = cluster.apply("shop", [], true).await.unwrap();

    assert_eq!(applied.created, 2);
    assert_eq!(pruned.pruned, 2, "a tree that goes as a whole may go");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn more_jobs_than_one_declaration_takes_are_refused_with_what_to_do() {
    let cluster = in_memory("declared-many").await;
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("j{number}")).collect();
        jobs(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut large = many(40);
    for job in &mut large {
        job.executor_config.insert("payload".to_owned(), "x".repeat(1_000_000));
    }

    for too_much in [many(DECLARED_JOBS_MAX + 1), large] {
        let error = cluster.apply("shop", too_much, true).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(!error.may_have_happened());
        assert!(error.message().contains("each under a tag of its own"), "{}", error.report());
    }

    assert_eq!(cluster.jobs_count().unwrap(), 0);
    cluster.shutdown().await.unwrap();
}
