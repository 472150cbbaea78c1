//! What is left of deleted jobs goes a sweep a round, behind what is due, whoever leads.

use super::harness::{MIN, MS, S, World, every, job, name, run};
use super::{Answer, Input};
use crate::kernel::model::{ExecutionState, Job, Retention};
use crate::kernel::state::{Command, Outcome, Report, Table, Tables, query};
use crate::limits::HISTORY_REMOVALS_MAX;

const PER_SWEEP: u64 = HISTORY_REMOVALS_MAX as u64;

fn lasting(text: &str) -> Job {
    let retention = Retention { executions_max: 1_000_000, ..Retention::default() };
    Job { retention, ..job(text, "@manually") }
}

/// A world in which a job `old` has run so often.
fn world_with_history(runs: u64) -> World {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(lasting("old"));
    for _ in 0..runs {
        let fire = run(&world, "old", true);
        let (outcomes, _) = world.apply(&[Command::Fire(fire)]);
        let [Outcome::Claimed { executions }] = &outcomes[..] else { panic!("{outcomes:?}") };
        let execution = executions[0].clone();
        let stored = query::execution(&world.tables, &name("old"), &execution).unwrap().unwrap();
        let report = Report {
            job: name("old"),
            execution,
            token: stored.token,
            started_at: None,
            finished_at: world.now(),
            state: ExecutionState::Succeeded,
            output: Default::default(),
        };
        world.apply(&[Command::Finish(report)]);
    }
    world.claims.clear();
    assert_eq!(left(&world), runs);
    world
}

fn left(world: &World) -> u64 {
    world.tables.len(Table::Executions).unwrap()
}

fn delete_old() -> Command {
    Command::DeleteJob { job: name("old") }
}

#[test]
fn a_history_goes_one_sweep_a_round_and_then_the_engine_rests() {
    let mut world = world_with_history(2 * PER_SWEEP + 1);
    world.command(delete_old());

    // A commit takes 2 ms.
    for want in [2 * PER_SWEEP + 1, PER_SWEEP + 1, 1, 0] {
        assert_eq!(left(&world), want);
        world.run_for(2 * MS);
    }
    assert!(!query::has_unswept(&world.tables).unwrap());
    let steps = world.steps;
    world.run_for(MIN);
    assert!(world.steps - steps <= 5, "{} steps of an idle engine", world.steps - steps);
}

#[test]
fn what_is_due_goes_first() {
    let mut world = world_with_history(PER_SWEEP);
    world.set(job("due", "* * * * * *"));
    world.run_until("2030-01-01T00:00:01.5Z");
    let started = world.started("due").len();
    let ended = left(&world);

    // Nobody has planned what is due yet when news of the delete comes.
    let (_, events) = world.apply(&[delete_old()]);
    world.stand_still(500 * MS);
    world.tell(&events);
    let (round, outcomes, events) = world.commit_open_round();

    assert!(matches!(outcomes[..], [Outcome::Claimed { .. }]), "{outcomes:?}");
    assert_eq!(left(&world), ended);
    world.tell(&events);
    world.step(Input::Answered { round, answer: Answer::Applied(&outcomes) });
    world.run_for(10 * MS);
    assert_eq!(world.started("due").len(), started + 1);
    assert!(!query::has_unswept(&world.tables).unwrap());
}

#[test]
fn behind_what_is_due_without_end_a_sweep_goes_along_after_a_second() {
    let mut world = world_with_history(PER_SWEEP);
    world.set(job("due", "* * * * * *"));
    world.run_until("2030-01-01T00:00:01.5Z");
    let ended = left(&world);
    let (_, mut events) = world.apply(&[delete_old()]);
    let mut answered: Option<(u64, Vec<Outcome>)> = None;

    for wants_sweep in [false, true] {
        // Each time something is due before the engine gets to look.
        world.stand_still(S);
        if let Some((round, outcomes)) = answered.take() {
            world.step(Input::Answered { round, answer: Answer::Applied(&outcomes) });
        } else {
            world.tell(&events);
        }
        let (round, outcomes, news) = world.commit_open_round();
        assert!(matches!(outcomes[0], Outcome::Claimed { .. }), "{outcomes:?}");
        assert_eq!(outcomes.last() == Some(&Outcome::Done), wants_sweep, "{outcomes:?}");
        assert_eq!(left(&world), if wants_sweep { ended - PER_SWEEP } else { ended });
        (answered, events) = (Some((round, outcomes)), news);
    }
}

#[test]
fn sweeps_go_on_after_a_restart_and_a_change_of_leader_and_hold_up_no_fire() {
    for seed in 1..6 {
        let mut world = world_with_history(6 * PER_SWEEP);
        world.dice.0 = seed;
        (world.lost_proposals, world.lost_answers) = (20, 20);
        world.set(job("due", "* * * * * *"));
        world.run_for(S);
        world.command(delete_old());
        for _ in 0..3 {
            world.run_for(3 * MS);
            world.change_leader();
        }
        world.crash(100 * MS);

        world.run_for(5 * S);

        assert!(!query::has_unswept(&world.tables).unwrap(), "seed {seed}");
        let end = world.status("due").next.unwrap().to_string();
        world.check_outcomes("due", &every(S, "2030-01-01T00:00:01Z", &end));
        assert_eq!(world.skips, [], "seed {seed}");
    }
}

#[test]
fn a_job_made_again_in_the_middle_of_its_sweeps_keeps_what_it_runs() {
    let mut world = world_with_history(4 * PER_SWEEP);
    world.command(delete_old());
    world.run_for(3 * MS);
    let before = left(&world);
    assert!((1..4 * PER_SWEEP).contains(&before), "{before}");

    world.set(job("old", "* * * * * *"));
    world.run_until("2030-01-01T00:00:10.5Z");

    assert_eq!(left(&world), 10);
    assert_eq!(world.status("old").success_count, 10);
    assert!(!query::has_unswept(&world.tables).unwrap());
}
