//! What a program declares: all of it or nothing, and only its own.

use crate::kernel::model::Job;
use crate::kernel::state::apply::harness::{World, at, child, job, name};
use crate::kernel::state::{ApplyJobs, Command, Event, JobWrite, Outcome, Rejection, query};

fn declare(tag: &str, jobs: Vec<Job>) -> Command {
    let jobs = jobs.into_iter().map(|job| JobWrite::new(job, Some(at(60)))).collect();
    Command::ApplyJobs(Box::new(ApplyJobs { declared_by: tag.to_owned(), jobs, prune: true }))
}

fn applied(created: u32, updated: u32, unchanged: u32, pruned: u32) -> Outcome {
    Outcome::Applied { created, updated, unchanged, pruned }
}

fn declared(world: &World, tag: &str) -> Vec<String> {
    let names = query::declared(&world.tables, tag).unwrap();
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn jobs_are_created_updated_and_pruned() {
    let mut world = World::new();
    assert_eq!(world.run(declare("app", vec![job("a"), job("b")])), applied(2, 0, 0, 0));
    let changed = Job { owner: "x".to_owned(), ..job("a") };

    assert_eq!(world.run(declare("app", vec![changed, job("c")])), applied(1, 1, 0, 1));

    assert_eq!(declared(&world, "app"), ["a", "c"]);
    assert!(!world.has("b"));
    assert_eq!(world.events.len(), 3);
}

#[test]
fn declaring_the_same_again_changes_nothing() {
    let mut world = World::new();
    let jobs = || vec![job("a"), child("b", "a")];
    world.run(declare("app", jobs()));
    let before = world.tables.clone();

    assert_eq!(world.run(declare("app", jobs())), applied(0, 0, 2, 0));

    assert_eq!((&world.tables, world.events.len()), (&before, 0));
}

#[test]
fn a_program_touches_its_own_jobs_only() {
    let mut world = World::new();
    world.set(job("api"));
    world.run(declare("one", vec![job("a")]));
    world.run(declare("on", vec![job("b")]));

    assert_eq!(world.run(declare("on", vec![])), applied(0, 0, 0, 1));
    assert_eq!(declared(&world, "one"), ["a"]);
    for taken in ["api", "a"] {
        let why = world.refused(declare("on", vec![job("new"), job(taken)]));
        let declared_by = "on".to_owned();
        assert_eq!(why, Rejection::NotDeclaredBy { job: name(taken), declared_by });
    }
}

#[test]
fn one_rejection_rejects_everything() {
    let mut world = World::new();
    world.run(declare("app", vec![job("a"), job("b")]));
    let changed = Job { owner: "x".to_owned(), ..job("a") };

    let why = world.refused(declare("app", vec![changed.clone(), child("z", "nowhere")]));
    assert_eq!(why, Rejection::ParentNotFound { parent: name("nowhere") });

    let mut large = job("c");
    large.metadata.insert("x".to_owned(), "x".repeat(2 << 20));
    let why = world.refused(declare("app", vec![changed, large]));
    assert!(matches!(why, Rejection::JobTooLarge { .. }));
}

#[test]
fn a_pruned_job_must_not_leave_children_behind() {
    let mut world = World::new();
    world.run(declare("app", vec![job("a"), child("b", "a")]));
    assert_eq!(world.run(declare("app", vec![])), applied(0, 0, 0, 2), "both together may go");

    world.run(declare("app", vec![job("a")]));
    world.set(child("api", "a"));
    let why = world.refused(declare("app", vec![]));
    assert!(matches!(why, Rejection::HasChildren { .. }), "{why}");
    let why = world.refused(declare("app", vec![child("b", "a")]));
    assert_eq!(why, Rejection::ParentNotFound { parent: name("a") });
}

#[test]
fn parents_are_checked_as_they_will_be() {
    let mut world = World::new();
    world.run(declare("app", vec![job("a"), child("b", "a")]));

    let swapped = vec![job("b"), child("a", "b")];
    assert_eq!(world.run(declare("app", swapped)), applied(0, 2, 0, 0));
    assert_eq!(query::children(&world.tables, &name("b")).unwrap(), [name("a")]);

    let why = world.refused(declare("app", vec![child("a", "b"), child("b", "a")]));
    assert!(matches!(why, Rejection::ParentCycle { .. }), "{why}");
}

#[test]
fn of_two_declarations_of_one_job_the_last_counts() {
    let mut world = World::new();
    let last = Job { owner: "last".to_owned(), ..job("a") };

    assert_eq!(world.run(declare("app", vec![job("a"), last])), applied(1, 0, 0, 0));

    let stored = query::definition(&world.tables, &name("a")).unwrap().unwrap();
    assert_eq!((stored.owner.as_str(), stored.declared_by.as_deref()), ("last", Some("app")));
    assert!(matches!(world.events[..], [Event::JobChanged { .. }]));
}

#[test]
fn a_write_over_the_api_can_take_a_job_away_from_its_program() {
    let mut world = World::new();
    world.run(declare("app", vec![job("a")]));

    world.set(job("a"));

    assert_eq!(declared(&world, "app"), Vec::<String>::new());
    assert_eq!(world.run(declare("app", vec![])), applied(0, 0, 0, 0));
    assert!(world.has("a"));
}
