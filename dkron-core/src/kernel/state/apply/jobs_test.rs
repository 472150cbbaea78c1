//! What writes and deletes of jobs change, and what they refuse.

use crate::kernel::model::{
    DstPolicy, ExecutionState, Job, JobStatus, RunStatus, Skip, SkipReason,
};
use crate::kernel::state::apply::harness::{World, at, child, job, kinds, name};
use crate::kernel::state::{
    Command, Event, JobChange, JobWrite, Order, Outcome, Overdue, Rejection, query,
};
use crate::kernel::time::Timestamp;
use crate::limits::{JOB_BYTES_MAX, PARENT_DEPTH_MAX};

fn set(job: Job, first: Option<Timestamp>) -> Command {
    Command::SetJob(Box::new(JobWrite::new(job, first)))
}

#[test]
fn an_identical_write_changes_nothing() {
    let mut world = World::new();
    let revision = world.set(job("a"));
    let before = world.tables.clone();
    world.now = at(30);

    assert_eq!(world.set(job("a")), revision);

    assert_eq!((&world.tables, world.events.len()), (&before, 0));
}

#[test]
fn a_revision_is_not_reused_by_a_job_made_again() {
    let mut world = World::new();
    let first = world.set(job("a"));
    world.run(Command::DeleteJob { job: name("a") });

    assert!(world.set(job("a")) > first);
}

#[test]
fn events_tell_new_jobs_from_changed_ones() {
    let mut world = World::new();
    world.set(job("a"));
    let changed = |change| [Event::JobChanged { job: name("a"), change }];
    assert_eq!(world.events, changed(JobChange::Created));

    world.set(Job { owner: "x".to_owned(), ..job("a") });
    assert_eq!(world.events, changed(JobChange::Updated));

    world.run(Command::DeleteJob { job: name("a") });
    assert_eq!(world.events, changed(JobChange::Deleted));
}

/// Changes a job that is due at 60 s half a minute later, with `first` = 90 s.
#[track_caller]
fn check_next(change: impl FnOnce(&mut Job), want_s: Option<i64>) {
    let mut world = World::new();
    world.set(job("a"));
    world.now = at(30);
    let mut changed = job("a");
    change(&mut changed);

    world.set(changed);

    assert_eq!(world.status("a").next, want_s.map(at));
    let due: Vec<_> = world.due().iter().map(|row| row.at).collect();
    assert_eq!(due, want_s.map(at).into_iter().collect::<Vec<_>>(), "one row or none");
}

#[test]
fn the_next_fire_stands_unless_what_it_depends_on_changes() {
    check_next(|job| job.owner = "x".to_owned(), Some(60));
    check_next(|job| job.retries = 3, Some(60));
    check_next(|job| job.schedule = "@every 2m".to_owned(), Some(90));
    check_next(|job| job.timezone = "Asia/Tokyo".to_owned(), Some(90));
    check_next(|job| job.dst = DstPolicy::Wall, Some(90));
    check_next(|job| job.starts_at = Some(at(0)), Some(90));
    check_next(|job| job.expires_at = Some(at(9_999)), Some(90));
    check_next(|job| job.disabled = true, None);
}

#[test]
fn a_disabled_job_is_not_due_and_is_again_once_enabled() {
    let mut world = World::new();
    let revision = world.set(job("a"));
    let toggle = |revision, disabled, first| {
        let job = name("a");
        Command::SetDisabled { job, revision, disabled, first, overdue: None }
    };
    let Outcome::Written { revision: second } = world.run(toggle(revision, true, None)) else {
        panic!("refused")
    };
    assert!(second > revision);
    assert_eq!((world.status("a").next, world.due()), (None, Vec::new()));

    let why = world.refused(toggle(revision, false, Some(at(99))));
    assert_eq!(why, Rejection::Moved { job: name("a"), revision: second });

    assert_eq!(
        world.run(toggle(second, true, None)),
        Outcome::Written { revision: second },
        "like that already"
    );
    world.run(toggle(second, false, Some(at(99))));
    assert_eq!(world.status("a").next, Some(at(99)));
}

#[test]
fn a_write_that_changes_more_than_whether_a_job_is_disabled_is_no_toggle() {
    let check = |change: fn(&mut Job), want: JobChange| {
        let mut world = World::new();
        let mut written = job("a");
        world.set(written.clone());
        change(&mut written);
        world.set(written);
        let told = Event::JobChanged { job: name("a"), change: want };
        assert_eq!(world.events, [told], "{want:?}");
    };

    check(|job| job.disabled = true, JobChange::Toggled { disabled: true });
    check(|job| job.owner = "x".to_owned(), JobChange::Updated);
    check(|job| (job.disabled, job.retries) = (true, 3), JobChange::Updated);
}

/// What the skips of "a", due at 60, are after `write` at 65: first, last, fires, reason.
#[track_caller]
fn check_overdue(overdue: Option<Overdue>, change: impl FnOnce(&mut Job), want: Option<&Skip>) {
    let mut world = World::new();
    world.set(job("a"));
    world.now = at(65);
    let mut changed = job("a");
    change(&mut changed);
    let write = JobWrite { overdue, ..JobWrite::new(changed, Some(at(120))) };

    world.run(Command::SetJob(Box::new(write)));

    let skips = query::skips(&world.tables, &name("a"), Order::Ascending, 9).unwrap();
    assert_eq!(skips.iter().collect::<Vec<_>>(), want.into_iter().collect::<Vec<_>>());
    let is_told = |event: &Event| matches!(event, Event::Skipped { .. });
    assert_eq!(world.events.iter().filter(|event| is_told(event)).count(), skips.len());
}

#[test]
fn an_instant_that_a_write_takes_away_after_it_has_come_is_skipped() {
    let skip = |last, fires, reason| Skip {
        job: name("a"),
        first: at(60),
        last: at(last),
        attempt: 1,
        fires,
        reason,
    };
    let counted = Some(Overdue { first: at(60), last: at(64), fires: 5 });
    let one = skip(60, 1, SkipReason::Disabled);
    check_overdue(None, |job| job.disabled = true, Some(&one));
    let five = skip(64, 5, SkipReason::Disabled);
    check_overdue(counted, |job| job.disabled = true, Some(&five));
    let moved = skip(64, 5, SkipReason::Withdrawn);
    check_overdue(counted, |job| job.schedule = "0 0 * * * *".into(), Some(&moved));
    let stale = Some(Overdue { first: at(59), last: at(59), fires: 1 });
    check_overdue(stale, |job| job.disabled = true, Some(&one));
    check_overdue(counted, |job| job.owner = "x".into(), None);
}

#[test]
fn an_instant_that_has_passed_for_the_log_alone_is_taken_away_without_a_skip() {
    let unseen = Some(Overdue::yet_to_come(at(60)));
    check_overdue(unseen, |job| job.disabled = true, None);
    check_overdue(unseen, |job| job.schedule = "0 0 * * * *".into(), None);
}

#[test]
fn a_child_is_never_due_by_its_schedule_until_it_is_one_no_more() {
    let mut world = World::new();
    world.set(job("p"));
    world.set(Job { parent_job: Some(name("p")), ..job("a") });
    assert_eq!(world.status("a").next, None);

    world.set(job("a"));

    assert_eq!(world.status("a").next, Some(at(60)));
}

#[track_caller]
fn check_one_shot(schedule: &str) {
    let mut world = World::new();
    let once = || Job { schedule: schedule.to_owned(), ..job("a") };
    world.set(once());
    let ids = world.start("a", &["n1"]);
    assert_eq!(world.status("a").next, None, "whatever the proposer says");
    world.finish("a", &ids[0], ExecutionState::Succeeded);

    world.set(Job { owner: "x".to_owned(), ..once() });
    assert_eq!(world.status("a").next, None, "a write does not repeat it");
    for disabled in [true, false] {
        let (job, revision) = (name("a"), world.status("a").revision);
        world.run(Command::SetDisabled {
            job,
            revision,
            disabled,
            first: Some(at(99)),
            overdue: None,
        });
        assert_eq!(world.status("a").next, None, "a toggle does not repeat it");
    }
    world.set(Job { schedule: format!("{schedule} "), ..once() });
    assert_eq!(world.status("a").next, Some(at(60)), "another text is another schedule");
}

#[test]
fn a_schedule_that_fires_once_fires_once() {
    check_one_shot("@at 2026-01-01T00:01:00Z");
    check_one_shot("@after 2026-01-01T00:00:00Z <PT2H");
}

#[test]
fn a_one_shot_that_was_skipped_is_over_too() {
    let mut world = World::new();
    let once = Job { schedule: "@at 2026-01-01T00:01:00Z".to_owned(), ..job("a") };
    world.set(once.clone());
    world.skip("a", SkipReason::TooLate);

    world.set(Job { owner: "x".to_owned(), ..once });

    assert_eq!(world.status("a").next, None);
}

#[test]
fn counters_can_be_restored_but_never_lowered() {
    let mut world = World::new();
    let restored = |count, when, status| {
        let restored = JobStatus {
            success_count: count,
            error_count: 7,
            last_success: Some(at(when)),
            status,
            next: Some(at(1)),
            executions: 5,
            ..JobStatus::default()
        };
        let restored = Some(restored);
        Command::SetJob(Box::new(JobWrite { restored, ..JobWrite::new(job("a"), Some(at(60))) }))
    };
    world.run(restored(5, 10, RunStatus::Failed));
    assert_eq!(world.counts("a"), (RunStatus::Failed, 5, 7));

    world.run(restored(3, 5, RunStatus::Success));

    assert_eq!(world.counts("a"), (RunStatus::Failed, 5, 7));
    let status = world.status("a");
    assert_eq!((status.last_success, status.next), (Some(at(10)), Some(at(60))));
    assert_eq!(status.executions, 0);
}

#[test]
fn a_write_for_another_revision_is_refused() {
    let mut world = World::new();
    let expect = |revision| {
        let if_revision = Some(revision);
        Command::SetJob(Box::new(JobWrite { if_revision, ..JobWrite::new(job("a"), None) }))
    };
    let why = world.refused(expect(5));
    assert_eq!(why, Rejection::Moved { job: name("a"), revision: 0 });
    let Outcome::Written { revision } = world.run(expect(0)) else { panic!("refused") };
    world.refused(expect(0));
    assert_eq!(world.run(expect(revision)), Outcome::Written { revision });
}

#[test]
fn a_delete_for_another_revision_is_refused() {
    let mut world = World::new();
    let delete = |revision| Command::DeleteJobIfRevision { job: name("a"), revision };
    assert_eq!(world.refused(delete(0)), Rejection::JobNotFound { job: name("a") });
    let Outcome::Written { revision } = world.run(set(job("a"), None)) else { panic!("refused") };
    let why = world.refused(delete(revision + 1));
    assert_eq!(why, Rejection::Moved { job: name("a"), revision });
    assert_eq!(world.run(delete(revision)), Outcome::Done);
    assert_eq!(world.refused(delete(revision)), Rejection::JobNotFound { job: name("a") });
}

#[test]
fn a_job_that_is_too_large_is_refused() {
    let mut world = World::new();
    let mut large = job("a");
    large.metadata.insert("text".to_owned(), "x".repeat(JOB_BYTES_MAX));

    let why = world.refused(set(large, None));

    assert!(matches!(why, Rejection::JobTooLarge { .. }), "{why}");
}

#[test]
fn a_parent_must_exist() {
    let mut world = World::new();
    let why = world.refused(set(child("b", "a"), None));
    assert_eq!(why, Rejection::ParentNotFound { parent: name("a") });
    assert_eq!(why.to_string(), "specified parent job not found");
}

#[test]
fn a_job_is_never_its_own_ancestor() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(child("b", "a"));
    world.set(child("c", "b"));
    for parent in ["a", "b", "c"] {
        let why = world.refused(set(child("a", parent), None));
        assert_eq!(why, Rejection::ParentCycle { job: name("a"), parent: name(parent) });
    }
}

#[test]
fn a_tree_is_only_so_deep_however_it_grows() {
    let mut world = World::new();
    world.set(job("n0"));
    for depth in 1..=PARENT_DEPTH_MAX {
        world.set(child(&format!("n{depth}"), &format!("n{}", depth - 1)));
    }
    let deepest = format!("n{PARENT_DEPTH_MAX}");
    let why = world.refused(set(child("below", &deepest), None));
    assert!(matches!(why, Rejection::ParentTooDeep { .. }), "{why}");

    world.set(job("above"));
    let why = world.refused(set(child("n0", "above"), None));
    assert!(matches!(why, Rejection::ParentTooDeep { .. }), "a whole tree moves down: {why}");
}

#[test]
fn edges_follow_the_child() {
    let mut world = World::new();
    for parent in ["p", "q"] {
        world.set(job(parent));
    }
    world.set(child("b", "p"));
    world.set(child("a", "p"));
    let children = |world: &World, of| query::children(&world.tables, &name(of)).unwrap();
    assert_eq!(children(&world, "p"), [name("a"), name("b")], "in name order");

    world.set(child("a", "q"));
    assert_eq!((children(&world, "p"), children(&world, "q")), (vec![name("b")], vec![name("a")]));

    world.set(Job { parent_job: None, ..job("a") });
    assert_eq!(children(&world, "q"), []);

    world.set(Job { owner: "x".to_owned(), ..job("p") });
    assert_eq!(children(&world, "p"), [name("b")], "a write of the parent leaves them alone");
}

#[test]
fn a_job_with_children_is_not_deleted() {
    let mut world = World::new();
    world.set(job("p"));
    for i in 0..7 {
        world.set(child(&format!("c{i}"), "p"));
    }

    let why = world.refused(Command::DeleteJob { job: name("p") });

    let children = "c0, c1, c2, c3, c4, …".to_owned();
    assert_eq!(why, Rejection::HasChildren { job: name("p"), children });
}

/// C4 of the specification: Dkron deletes the history of every job whose name starts alike.
#[test]
fn deleting_a_job_takes_everything_of_it_and_nothing_of_its_namesakes() {
    let mut world = World::new();
    let retrying = |text: &str| Job { retries: 5, ..job(text) };
    for text in ["pre", "pre-x", "prefix", "pref"] {
        world.set(retrying(text));
        world.set(child(&format!("z-{text}"), text));
        let ids = world.start(text, &["n1", "n2"]);
        world.finish(text, &ids[0], ExecutionState::Failed);
        world.start_manual(text, &["n1"]);
        let ids = world.start_manual(text, &["n1", "n2", "n3"]);
        world.finish(text, &ids[0], ExecutionState::Succeeded);
        world.skip(text, SkipReason::Disabled);
        world.run(Command::DeleteJob { job: name(&format!("z-{text}")) });
    }
    let others_before = ["pre-x", "prefix"].map(|job| (world.executions(job), world.due_of(job)));

    for text in ["pre", "pref"] {
        assert_eq!(world.run(Command::DeleteJob { job: name(text) }), Outcome::Done);
        assert!(!world.has(text));
        assert!(world.executions(text).iter().all(|run| run.state == ExecutionState::Running));
        assert_eq!(world.due_of(text), []);
    }
    let others = ["pre-x", "prefix"].map(|job| (world.executions(job), world.due_of(job)));
    assert_eq!(others, others_before);

    for text in ["pre-x", "prefix"] {
        world.run(Command::DeleteJob { job: name(text) });
    }
    for run in query::running(&world.tables, None, 99).unwrap() {
        world.finish(run.job.as_str(), &run.id, ExecutionState::Succeeded);
    }
    assert_eq!(world.left_over(), Vec::<&str>::new());
}

#[test]
fn deleting_the_history_keeps_what_runs_and_the_last_status() {
    let mut world = World::new();
    world.set(job("a"));
    world.set(job("ab"));
    for text in ["a", "ab"] {
        let ids = world.start(text, &["n1"]);
        world.finish(text, &ids[0], ExecutionState::Failed);
    }
    let running = world.start("a", &["n1"]);

    assert_eq!(world.run(Command::DeleteExecutions { job: name("a") }), Outcome::Done);

    assert_eq!(world.counts("a"), (RunStatus::Failed, 0, 0));
    assert_eq!((world.status("a").last_error, world.status("a").executions), (None, 1));
    assert_eq!(world.executions("ab").len(), 1);
    assert_eq!(query::stats(&world.tables, at(0), 1).unwrap()[0].failed_count, 2);
    world.finish("a", &running[0], ExecutionState::Succeeded);
    assert_eq!(world.counts("a"), (RunStatus::Success, 1, 0));
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut world = World::new();
    let a = || name("a");
    for command in [
        Command::DeleteJob { job: a() },
        Command::DeleteExecutions { job: a() },
        Command::SetDisabled { job: a(), revision: 0, disabled: true, first: None, overdue: None },
    ] {
        assert_eq!(world.refused(command), Rejection::JobNotFound { job: a() });
    }
    assert_eq!(kinds(&world.due()), Vec::<&str>::new());
}

#[test]
fn a_tag_that_does_not_fit_a_key_is_refused() {
    let mut world = World::new();
    for tag in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        let why = world.refused(set(Job { declared_by: Some(tag), ..job("a") }, None));
        assert!(matches!(why, Rejection::TagRefused { .. }), "{why}");
    }
}
