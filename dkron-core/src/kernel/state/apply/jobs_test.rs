//! What writes and deletes of jobs change, and what they refuse.

use crate::kernel::state::Command;
use crate::kernel::state::apply::harness::{World, at, job, name};

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
