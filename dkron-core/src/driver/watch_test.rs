//! Waits for fires end with whatever ends the fire, and leave nothing behind.

use std::sync::Arc;

use futures_util::FutureExt;

use super::*;
use crate::driver::runs::StartedRun;
use crate::kernel::model::{
    Execution, ExecutionId, ExecutionState, Job, NodeName, Skip, SkipReason,
};
use crate::kernel::state::Claim;
use crate::ports::OutputCapture;

fn name() -> JobName {
    JobName::parse("backup").unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(seconds).unwrap()
}

fn execution(fire_s: i64) -> Execution {
    Execution {
        job: name(),
        id: ExecutionId { due_ns: 1, node: NodeName::parse("n1").unwrap() },
        fire_time: at(fire_s),
        cause: Cause::Manual,
        attempt: 1,
        token: 1,
        instance: 1,
        started_at: at(fire_s),
        finished_at: None,
        state: ExecutionState::Running,
        is_cancel_requested: false,
        output_bytes_total: 0,
    }
}

fn claimed(fire_s: i64) -> Event {
    Event::Claimed(Claim {
        execution: execution(fire_s),
        job: Arc::new(Job::new(name())),
        revision: 1,
        start_at: at(fire_s),
    })
}

fn finished(fire_s: i64, is_fire_complete: bool) -> Event {
    Event::Finished { execution: execution(fire_s), is_fire_complete, retry_at: None }
}

fn skip(fire_s: i64) -> Skip {
    let (first, last, reason) = (at(fire_s), at(fire_s), SkipReason::Disabled);
    Skip { job: name(), first, last, attempt: 2, fires: 1, reason }
}

fn deleted() -> Event {
    Event::JobChanged { job: name(), change: JobChange::Deleted }
}

/// Says whether a wait for the fire of second 1 is over after these events; a wait that is told
/// which fire it is before them, and one that is told after them.
#[track_caller]
fn check(events: &[Event], want: bool) {
    let watch = Arc::new(Watch::new());
    let (early, late) = (watch.fire_of(&name()), watch.fire_of(&name()));
    early.expect(at(1));

    watch.publish(events);
    late.expect(at(1));

    let want = want.then_some(true);
    assert_eq!(early.over().now_or_never(), want, "told before");
    assert_eq!(late.over().now_or_never(), want, "told after");
    assert_eq!(watch.waiting.load(Ordering::Acquire), 0);
}

#[test]
fn a_wait_ends_with_the_last_outcome_of_its_fire_whatever_it_is() {
    let skipped = |fire_s, is_fire_complete| Event::Skipped {
        skip: skip(fire_s),
        cause: Cause::Manual,
        is_continued: false,
        is_fire_complete,
    };
    let withdrawn = |is_fire_complete| Event::Withdrawn {
        execution: execution(1),
        skip: skip(1),
        is_fire_complete,
    };
    check(&[claimed(1), finished(1, true)], true);
    check(&[claimed(1), finished(1, false)], false);
    check(&[claimed(1), claimed(2), finished(2, true)], false);
    check(&[claimed(1), finished(1, false), skipped(1, true)], true);
    check(&[claimed(1), finished(1, false), skipped(1, false)], false);
    check(&[claimed(1), skipped(2, true)], false);
    check(&[claimed(1), withdrawn(true)], true);
    check(&[claimed(1), withdrawn(false)], false);
    check(&[claimed(1), deleted()], true);
}

#[test]
fn a_job_that_was_deleted_before_the_fire_was_claimed_is_another_one() {
    let watch = Arc::new(Watch::new());
    let wait = watch.fire_of(&name());

    watch.publish(&[deleted(), claimed(1)]);
    wait.expect(at(1));

    assert_eq!(wait.over().now_or_never(), None);
}

#[test]
fn a_wait_that_is_dropped_leaves_nothing_behind() {
    let watch = Arc::new(Watch::new());
    let other = watch.fire_of(&name());
    for _ in 0..100 {
        drop(watch.fire_of(&name()));
    }
    assert_eq!(watch.lock().waits[&name()].len(), 1);

    drop(other);

    assert!(watch.lock().waits.is_empty());
    assert_eq!(watch.waiting.load(Ordering::Acquire), 0);
}

#[test]
fn when_the_watch_is_closed_everybody_is_told() {
    let watch = Arc::new(Watch::new());
    let (wait, mut events) = (watch.fire_of(&name()), watch.follow());

    watch.close();

    assert_eq!(wait.over().now_or_never(), Some(false));
    assert!(events.recv().now_or_never().unwrap().is_err());
    let (wait, mut events) = (watch.fire_of(&name()), watch.follow());
    assert_eq!(wait.over().now_or_never(), Some(false), "and who comes later as well");
    assert!(events.recv().now_or_never().unwrap().is_err());
}

#[test]
fn starts_are_told_while_somebody_asks_for_them() {
    let watch = Arc::new(Watch::new());
    let mut events = watch.follow();
    let run = || StartedRun::new(execution(1), &OutputCapture::new());
    let mut is_told = || matches!(events.recv().now_or_never(), Some(Ok(Told::Started(_))));

    watch.tell_start(|| panic!("made for nobody"));
    let asks = watch.ask_for_starts();
    watch.tell_start(run);
    assert!(is_told());

    drop(asks);
    watch.tell_start(|| panic!("made for nobody"));
    assert!(!is_told());
}
