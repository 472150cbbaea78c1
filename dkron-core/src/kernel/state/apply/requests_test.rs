//! What becomes of a command that comes twice.

use crate::kernel::state::apply::apply;
use crate::kernel::state::apply::harness::{World, at, job, name};
use crate::kernel::state::{
    Command, Entry, Envelope, Event, JobWrite, Outcome, RequestId, Table, Tables,
};
use crate::limits::REQUEST_IDS_MAX;

fn ask(world: &mut World, request: u128, command: Command) -> (Outcome, Vec<Event>) {
    let commands = vec![Envelope { request: Some(RequestId(request)), command }];
    let mut events = Vec::new();
    let entry = Entry { at: world.now, commands };
    (apply(&mut world.tables, &entry, &mut events).unwrap().remove(0), events)
}

fn run_now(world: &World) -> Command {
    Command::Fire(world.manual_of("a", &["n1"]))
}

#[test]
fn a_request_that_comes_twice_is_answered_twice_and_done_once() {
    let mut world = World::new();
    world.set(job("a"));
    let command = run_now(&world);
    let (first, _) = ask(&mut world, 1, command.clone());
    let before = world.tables.clone();

    assert_eq!(ask(&mut world, 1, command.clone()), (first.clone(), Vec::new()));
    assert_eq!(world.tables, before);

    let (other, events) = ask(&mut world, 2, command);
    assert_ne!(other, first);
    assert_eq!(events.len(), 1);
}

#[test]
fn a_rejection_is_remembered_too() {
    let mut world = World::new();
    let delete = || Command::DeleteJob { job: name("a") };
    let (first, _) = ask(&mut world, 1, delete());
    world.set(job("a"));

    assert_eq!(ask(&mut world, 1, delete()).0, first);
    assert!(world.has("a"));
}

#[test]
fn the_newest_requests_are_remembered() {
    let mut world = World::new();
    let set = || Command::SetJob(Box::new(JobWrite::new(job("a"), Some(at(60)))));
    for request in 0..REQUEST_IDS_MAX as u128 + 10 {
        ask(&mut world, request, set());
    }
    assert_eq!(world.tables.len(Table::Requests), Ok(2 * REQUEST_IDS_MAX as u64));
    world.run(Command::DeleteJob { job: name("a") });

    ask(&mut world, 10, set());
    assert!(!world.has("a"), "remembered");
    ask(&mut world, 9, set());
    assert!(world.has("a"), "forgotten");
}
