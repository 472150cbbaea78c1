//! `forbid`: what is in the way, and what is not.

use super::Observation;
use super::harness::{MIN, MS, S, World, every, forbid, job, name, run};
use crate::kernel::model::SkipReason;
use crate::kernel::state::{Command, Outcome, query};

#[test]
fn a_forbidden_overlap_is_skipped_with_its_reason() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 150 * S);
    world.set(forbid(job("a", "0 * * * * *")));

    world.run_until("2030-01-01T00:10:30Z");

    let started = ["01", "04", "07", "10"].map(|minute| format!("2030-01-01T00:{minute}:00Z"));
    assert_eq!(world.started("a"), started);
    assert_eq!(world.skips.len(), 6);
    let running = world.starts[0].id.clone();
    assert_eq!(world.skips[0].reason, SkipReason::Forbidden { running });
    world.check_outcomes("a", &every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:10:30Z"));
}

#[test]
fn a_run_that_ends_just_before_the_instant_does_not_forbid_it() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 100 * MS;
    world.run_time.insert(name("a"), 850 * MS);
    world.set(forbid(job("a", "* * * * * *")));

    world.run_for(100 * S);

    // Each run is reported 50 ms before the next instant, and decided 150 ms after it.
    assert!(world.starts.len() >= 48, "{} starts, {} skips", world.starts.len(), world.skips.len());
    let end = world.now().to_string();
    world.check_outcomes("a", &every(S, "2030-01-01T00:00:01Z", &end));
}

#[test]
fn a_forbidding_job_goes_on_after_a_crash() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 30 * S);
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:01:10Z");

    world.crash(5 * S);
    world.run_until("2030-01-01T00:02:30Z");

    let of = |note: &Observation| match note {
        Observation::TookOffice { lost, .. } => *lost,
        _ => 0,
    };
    assert_eq!(world.notes.iter().map(of).sum::<usize>(), 1);
    assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z", "2030-01-01T00:02:00Z"]);
    assert_eq!(world.skips, []);
}

#[test]
fn a_forbidding_job_that_is_deleted_and_made_again_waits_for_the_run_of_its_past() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 150 * S);
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:01:10Z");
    let running = world.starts[0].id.clone();

    world.command(Command::DeleteJob { job: name("a") });
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:04:10Z");

    assert_eq!(world.skips[0].reason, SkipReason::Forbidden { running });
    assert_eq!(world.started("a"), ["2030-01-01T00:01:00Z", "2030-01-01T00:04:00Z"]);
}

#[test]
fn what_a_dead_process_ran_of_a_deleted_job_is_closed() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 150 * S);
    world.set(job("a", "0 * * * * *"));
    world.run_until("2030-01-01T00:01:10Z");
    world.command(Command::DeleteJob { job: name("a") });
    assert_eq!(query::running_count(&world.tables), Ok(1), "it is known until it ends");

    world.crash(5 * S);
    world.run_for(S);

    assert_eq!(query::running_count(&world.tables), Ok(0));
}

/// Dkron closes a run after four hours and starts another beside it.
#[test]
fn a_run_of_any_length_goes_on_and_forbids_the_next_whoever_leads() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 9 * 60 * MIN + 30 * MIN);
    world.set(forbid(job("a", "0 0 * * * *")));

    for _ in 0..10 {
        world.run_for(59 * MIN);
        world.change_leader();
    }
    world.run_until("2030-01-01T10:30:00Z");
    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z"]);
    assert_eq!(world.skips_of("a").iter().map(|skip| skip.fires).sum::<u32>(), 9);
    let running = world.starts[0].id.clone();
    let reason = SkipReason::Forbidden { running };
    assert!(world.skips.iter().all(|skip| skip.reason == reason), "{:?}", world.skips);

    world.run_until("2030-01-01T11:30:00Z");

    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z", "2030-01-01T11:00:00Z"]);
    let status = world.status("a");
    assert_eq!((status.success_count, status.error_count), (1, 0), "counted once");
}

/// Dkron asks every server before each fire, and starts nothing while one of them is silent.
#[test]
fn a_dead_node_keeps_no_forbidding_job_from_running_elsewhere() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    let mut on_n1 = forbid(job("a", "* * * * * *"));
    on_n1.tags.insert("node".to_owned(), "n1".to_owned());
    world.set(on_n1);
    world.run_for(5 * S + 500 * MS);

    world.kill_node("n2");
    world.run_for(10 * S);

    assert_eq!(world.started("a").len(), 15);
    assert_eq!(world.skips, []);
}

#[test]
fn a_manual_run_starts_at_once_and_counts_for_forbid() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.run_time.insert(name("a"), 80 * S);
    world.set(forbid(job("a", "0 * * * * *")));
    world.run_until("2030-01-01T00:00:30Z");

    let fire = run(&world, "a", false);
    world.command(Command::Fire(fire));
    assert_eq!(world.starts.len(), 1);
    assert_eq!(world.starts[0].at, world.now());
    let fire = run(&world, "a", false);
    assert!(matches!(world.command(Command::Fire(fire)), Outcome::Rejected(_)));

    world.run_until("2030-01-01T00:02:30Z");
    assert_eq!(world.started("a"), ["2030-01-01T00:00:30Z", "2030-01-01T00:02:00Z"]);
}
