//! What is counted, by whom, and what is not.

use super::*;
use crate::kernel::model::{Cause, Job};
use crate::kernel::state::Claim;
use crate::kernel::time::Timestamp;

fn name(job: &str) -> JobName {
    JobName::parse(job).unwrap()
}

fn execution(job: &str, node: &str, state: ExecutionState) -> Execution {
    let mut execution = Claim::sample(Job::new(name(job)), 1, Timestamp::UNIX_EPOCH).execution;
    execution.id.node = NodeName::parse(node).unwrap();
    execution.state = state;
    execution
}

fn finished(job: &str, node: &str, state: ExecutionState) -> Event {
    let execution = execution(job, node, state);
    Event::Finished { execution, is_fire_complete: true, retry_at: None }
}

fn skip(attempt: u32, fires: u32, reason: SkipReason) -> Event {
    let (first, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    let skip = Skip { job: name("a"), first, last, attempt, fires, reason };
    let cause = Cause::Schedule;
    Event::Skipped { skip, cause, is_fire_complete: true, is_continued: false }
}

fn counter() -> Counter {
    Counter::new(&Arc::default(), &NodeName::parse("n1").unwrap(), true)
}

fn deleted(job: &str) -> Event {
    Event::JobChanged { job: name(job), change: JobChange::Deleted }
}

fn jobs(counter: &Counter) -> Vec<(String, u64, u64)> {
    let jobs = counter.tally().jobs().into_iter();
    jobs.map(|job| (job.job.as_str().to_owned(), job.succeeded, job.failed)).collect()
}

#[test]
fn an_execution_is_counted_on_the_node_it_ran_on_and_nowhere_else() {
    let mut counter = counter();
    for state in [
        ExecutionState::Succeeded,
        ExecutionState::Succeeded,
        ExecutionState::Failed,
        ExecutionState::Cancelled,
        ExecutionState::Lost,
    ] {
        counter.count(&finished("a", "n1", state), |_| true);
        counter.count(&finished("a", "n2", state), |_| true);
    }
    let want = EndedExecutions { succeeded: 2, failed: 1, cancelled: 1, lost: 1 };
    assert_eq!(counter.tally().ended(), want);
    assert_eq!(jobs(&counter), [("a".to_owned(), 2, 3)]);
}

#[test]
fn skips_are_counted_by_the_leader_alone_and_by_their_reasons() {
    let mut counter = counter();
    counter.count(&skip(1, 9, SkipReason::Disabled), |_| true);
    counter.set_leading(true);
    counter.count(&skip(1, 3, SkipReason::CaughtUp), |_| true);
    counter.count(&skip(2, 1, SkipReason::Disabled), |_| true);
    counter.set_leading(false);
    counter.count(&skip(1, 9, SkipReason::TooLate), |_| true);

    let skipped = counter.tally().fires_skipped();
    assert_eq!(skipped.len(), SkipReason::LABELS.len());
    for SkippedFires { reason, fires } in skipped {
        assert_eq!(fires, if reason == "caught_up" { 3 } else { 0 }, "{reason}");
    }
    assert_eq!(counter.tally().attempts_skipped(), 1);
}

#[test]
fn the_counts_of_a_job_go_with_it_and_do_not_come_back() {
    let mut counter = counter();
    counter.count(&finished("a", "n1", ExecutionState::Succeeded), |_| true);
    counter.count(&deleted("a"), |_| false);
    assert!(jobs(&counter).is_empty());

    counter.count(&finished("a", "n1", ExecutionState::Succeeded), |_| false);
    assert!(jobs(&counter).is_empty(), "what ran on does not bring it back");
    assert_eq!((counter.tally().of_no_job(), counter.tally().ended().succeeded), (1, 2));

    counter.count(&finished("a", "n1", ExecutionState::Failed), |_| true);
    assert_eq!(jobs(&counter), [("a".to_owned(), 0, 1)], "a new job of the name begins anew");
}

#[test]
fn so_many_jobs_are_counted_and_no_more() {
    let mut counter = counter();
    for number in 0..=METRIC_JOBS_MAX {
        let job = format!("job-{number}");
        counter.count(&finished(&job, "n1", ExecutionState::Succeeded), |_| true);
    }
    assert_eq!(counter.tally().jobs().len(), METRIC_JOBS_MAX);
    assert_eq!(counter.tally().of_no_job(), 1);

    counter.count(&deleted("job-0"), |_| false);
    counter.count(&finished("late", "n1", ExecutionState::Succeeded), |_| true);
    assert_eq!(counter.tally().jobs().len(), METRIC_JOBS_MAX, "there is room again");
    assert_eq!(counter.tally().of_no_job(), 1);
}

#[test]
fn jobs_are_not_counted_unless_that_is_asked_for() {
    let mut counter = Counter::new(&Arc::default(), &NodeName::parse("n1").unwrap(), false);
    counter.count(&finished("a", "n1", ExecutionState::Succeeded), |_| panic!("nobody asks"));
    assert_eq!((jobs(&counter), counter.tally().of_no_job()), (Vec::new(), 0));
    assert_eq!(counter.tally().ended().succeeded, 1);
}

#[test]
fn every_reason_has_its_word() {
    let running = execution("a", "n1", ExecutionState::Running).id;
    let reasons = [
        SkipReason::Disabled,
        SkipReason::NotStarted,
        SkipReason::Expired,
        SkipReason::Forbidden { running },
        SkipReason::NoCapableNode { wanted: String::new() },
        SkipReason::CaughtUp,
        SkipReason::TooLate,
        SkipReason::Withdrawn,
        SkipReason::AlreadyDecided,
    ];
    assert_eq!(reasons.map(|reason| reason.label()), SkipReason::LABELS);
}
