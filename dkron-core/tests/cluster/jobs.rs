//! Jobs: written, read, paged, toggled, deleted.

use std::error::Error as _;

use dkron_core::schedule::ScheduleError;
use dkron_core::{Cluster, ErrorKind, Event, Job, JobChange, JobName, WriteJob};

use crate::support::{by_hand, event, every_second, in_memory, run, set, within};

#[tokio::test]
async fn a_written_job_reads_back_as_it_was_written() {
    let cluster = in_memory("jobs-write").await;
    let job = every_second("full")
        .timezone("Europe/Berlin")
        .retries(2)
        .tag("role", "dkron:1")
        .metadata("team", "platform")
        .disabled()
        .build()
        .unwrap();

    let written = cluster.set_job(job.clone()).await.unwrap();
    let read = cluster.job("full").unwrap().unwrap();

    assert_eq!(read.job, job);
    assert_eq!(read, written);
    assert_eq!(cluster.job("nobody").unwrap(), None);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_bad_job_is_refused_with_the_reason() {
    let cluster = in_memory("jobs-bad").await;
    let check = async |schedule: &str, word: &str| {
        let unbuilt = by_hand("bad").schedule(schedule).build().err().unwrap();
        let job = Job { schedule: schedule.to_owned(), ..by_hand("bad").build().unwrap() };
        let refused = cluster.set_job(job).await.err().unwrap();
        assert_eq!(unbuilt.report(), refused.report());
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{}", refused.report());
        assert!(refused.message().contains(word), "{} lacks {word}", refused.report());
        assert!(!refused.may_have_happened());
        assert_eq!(refused.report(), refused.message(), "nothing is said twice");
        assert!(refused.source().is_some_and(|fault| fault.is::<ScheduleError>()), "{refused:?}");
    };

    check("0 0 0 30 2 *", "no date").await;
    check("* * * * * * *", "fields").await;
    check("", "schedule").await;
    assert_eq!(cluster.jobs_count().unwrap(), 0);
    cluster.shutdown().await.unwrap();
}

#[test]
fn everything_wrong_with_a_job_is_told_at_once() {
    let job = by_hand("a b").after("c d").schedule("x").timezone("Mars").retries(u32::MAX);

    let refused = job.build().err().unwrap();

    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    let faults: Vec<_> = refused.message().lines().collect();
    for (fault, word) in
        faults.iter().zip(["\"a b\"", "name", "parent", "schedule", "Mars", "retries"])
    {
        assert!(fault.contains(word), "{fault} lacks {word}");
    }
    assert_eq!(faults.len(), 6, "{}", refused.message());
}

#[tokio::test]
async fn a_refused_write_leaves_the_stored_job_alone() {
    let cluster = in_memory("jobs-refused").await;
    set(&cluster, by_hand("parent")).await;
    set(&cluster, every_second("kept").disabled().metadata("owner", "first")).await;
    let before = cluster.job("kept").unwrap();
    let change = every_second("kept").metadata("owner", "second").build().unwrap();

    for (change, kind) in [
        (Job { schedule: "x".to_owned(), ..change.clone() }, ErrorKind::InvalidArgument),
        (Job { timezone: "Mars".to_owned(), ..change.clone() }, ErrorKind::InvalidArgument),
        (Job { parent_job: JobName::parse("nobody").ok(), ..change }, ErrorKind::NotFound),
    ] {
        let refused = cluster.set_job(change).await.err().unwrap();
        assert_eq!(refused.kind(), kind, "{}", refused.report());
    }

    assert_eq!(cluster.job("kept").unwrap(), before);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn pages_hold_every_job_once_in_the_order_of_names() {
    let cluster = in_memory("jobs-pages").await;
    let names: Vec<String> = (0..25).map(|number| format!("job-{number:02}")).collect();
    let jobs = names.iter().rev().map(|name| by_hand(name).build().unwrap());
    cluster.apply("pages", jobs, true).await.unwrap();

    let mut found = Vec::new();
    let mut after: Option<JobName> = None;
    loop {
        let page = cluster.jobs(after.as_ref(), 10).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.job.name.clone());
        assert!(page.len() <= 10);
        found.extend(page.into_iter().map(|view| view.job.name.to_string()));
    }

    assert_eq!(found, names);
    assert_eq!(cluster.jobs_count().unwrap(), 25);
    assert!(cluster.jobs(None, 0).unwrap().is_empty());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_job_that_moved_meanwhile_is_not_overwritten() {
    let cluster = in_memory("jobs-moved").await;
    let job = by_hand("shared").build().unwrap();
    let write = |if_revision| {
        let mut write = WriteJob::new(job.clone());
        write.if_revision = Some(if_revision);
        write
    };

    let created = cluster.write_job(write(0)).await.unwrap();
    let twice = cluster.write_job(write(0)).await.err().unwrap();
    cluster.toggle_job("shared").await.unwrap();
    let moved = cluster.write_job(write(created.status.revision)).await.err().unwrap();

    assert_eq!(twice.kind(), ErrorKind::Conflict);
    assert_eq!(moved.kind(), ErrorKind::Conflict);
    let (now, then) = (cluster.job("shared").unwrap().unwrap(), created.status.revision);
    let wanted = format!("has revision {}, not the expected {then}", now.status.revision);
    assert!(moved.message().contains(&wanted), "{moved}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_job_that_moved_meanwhile_is_neither_toggled_nor_deleted() {
    let cluster = in_memory("jobs-moved-on").await;
    let job = by_hand("shared").build().unwrap();
    let created = cluster.set_job(job).await.unwrap().status.revision;

    let toggled = cluster.toggle_job_if_revision("shared", created).await.unwrap();
    let again = cluster.toggle_job_if_revision("shared", created).await.err().unwrap();
    let stale = cluster.delete_job_if_revision("shared", created).await.err().unwrap();

    assert!(toggled.job.disabled);
    for refused in [again, stale] {
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.message().contains(&format!("not the expected {created}")), "{refused}");
    }
    assert!(cluster.job("shared").unwrap().unwrap().job.disabled, "toggled once");
    cluster.delete_job_if_revision("shared", toggled.status.revision).await.unwrap();
    let gone = cluster.toggle_job_if_revision("shared", toggled.status.revision).await;
    assert_eq!(gone.err().unwrap().kind(), ErrorKind::NotFound);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn toggling_by_many_at_once_loses_no_toggle() {
    let cluster = in_memory("jobs-toggle").await;
    set(&cluster, every_second("switch")).await;

    let toggles = (0..9).map(|_| {
        let cluster: Cluster = cluster.clone();
        tokio::spawn(async move { cluster.toggle_job("switch").await })
    });
    for toggle in toggles.collect::<Vec<_>>() {
        toggle.await.unwrap().unwrap();
    }

    let job = cluster.job("switch").unwrap().unwrap();
    assert!(job.job.disabled, "nine toggles of an enabled job disable it");
    assert_eq!(job.status.next, None);
    let enabled = cluster.set_job_disabled("switch", false).await.unwrap();
    assert!(enabled.status.next.is_some());
    cluster.shutdown().await.unwrap();
}

/// Goal: a run that is asked for while its job is written is a run, not a refusal.
/// Method: the write is proposed first, the run decided before it is applied.
#[tokio::test]
async fn a_run_by_hand_goes_through_although_its_job_is_written_meanwhile() {
    let cluster = in_memory("jobs-run-moved").await;
    cluster.handle("moving", async |_| Ok(String::new())).unwrap();
    set(&cluster, by_hand("moving").handler("moving")).await;

    for number in 0..20 {
        let job = by_hand("moving").handler("moving").metadata("write", number.to_string());
        let (written, run) =
            tokio::join!(cluster.set_job(job.build().unwrap()), cluster.run("moving"));
        written.unwrap();
        let ended = within("the end of the run", run.unwrap().wait()).await.unwrap();
        assert_eq!(ended.len(), 1, "run {number}");
    }

    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn deleting_a_job_takes_its_history_and_no_other() {
    let cluster = in_memory("jobs-delete").await;
    cluster.handle("any", async |_| Ok("x".to_owned())).unwrap();
    set(&cluster, by_hand("pre").handler("any")).await;
    set(&cluster, by_hand("prefix").handler("any")).await;
    run(&cluster, "pre").await;
    run(&cluster, "prefix").await;

    let deleted = cluster.delete_job("pre").await.unwrap();
    let again = cluster.delete_job("pre").await.err().unwrap();

    assert_eq!(deleted.status.success_count, 1);
    assert_eq!(again.kind(), ErrorKind::NotFound);
    assert_eq!(cluster.executions("pre", 10).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(cluster.executions("prefix", 10).unwrap().len(), 1);
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn changes_are_told_in_their_order() {
    let cluster = in_memory("jobs-events").await;
    let mut events = cluster.events().unwrap();
    set(&cluster, by_hand("told")).await;
    cluster.toggle_job("told").await.unwrap();
    cluster.delete_job("told").await.unwrap();
    cluster.set_paused(true).await.unwrap();

    let mut seen = Vec::new();
    let is_paused = event("the pause", &mut events, |event| match event {
        Event::JobChanged { change, .. } => {
            seen.push(*change);
            None
        }
        Event::Paused(paused) => Some(*paused),
        _ => None,
    })
    .await;

    let toggled = JobChange::Toggled { disabled: true };
    assert_eq!(seen, [JobChange::Created, toggled, JobChange::Deleted]);
    assert!(is_paused);
    assert!(cluster.is_paused().unwrap());
    cluster.shutdown().await.unwrap();
    assert!(events.next().await.is_none(), "the stream ends with the node");
}
