//! The steps of an engine: when it fires, sleeps, looks ahead and drains.

use super::harness::{DAY, MIN, MS, S, World, disable, every, job, name, run};
use super::{Answer, Input};
use crate::kernel::model::ExecutionState;
use crate::kernel::state::{Command, query};
use crate::limits::WAKE_UP_MAX;

#[test]
fn a_job_fires_at_its_instants_and_not_before() {
    let mut world = World::new("2030-01-01T00:00:00.5Z");
    world.set(job("a", "0 * * * * *"));

    world.run_until("2030-01-01T00:10:30Z");

    assert_eq!(world.started("a").len(), 10);
    for start in &world.starts {
        assert_eq!(start.at, start.fire_time);
    }
    world.check_outcomes("a", &every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:10:30Z"));
}

#[test]
fn days_of_schedules_cost_a_few_steps_each() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("hourly", "@hourly"));
    world.set(job("daily", "0 30 2 * * *"));
    world.set(job("every", "@every 7h"));
    world.set(job("never", "@manually"));

    world.run_for(10 * DAY);

    world
        .check_outcomes("hourly", &every(60 * MIN, "2030-01-01T01:00:00Z", "2030-01-11T00:00:01Z"));
    world.check_outcomes("daily", &every(DAY, "2030-01-01T02:30:00Z", "2030-01-11T00:00:00Z"));
    world
        .check_outcomes("every", &every(420 * MIN, "2030-01-01T07:00:00Z", "2030-01-11T00:00:00Z"));
    assert_eq!(world.starts.len(), 240 + 10 + 34);
    assert!(world.steps < 284 * 10, "{} steps", world.steps);
}

#[test]
fn an_idle_engine_sleeps() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("far", "@yearly"));
    let before = world.steps;
    assert_eq!(world.engine.next_wakeup(), Some(world.now().saturating_add(WAKE_UP_MAX)));

    world.run_for(DAY);

    assert!(world.steps - before <= 24, "{} steps", world.steps - before);
}

#[test]
fn an_engine_that_does_not_lead_decides_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_for(3 * S);
    world.step(Input::Following);
    assert_eq!(world.engine.next_wakeup(), None);
    let before = world.starts.len();

    world.run_for(10 * S);

    assert_eq!(world.starts.len(), before);
}

#[test]
fn an_engine_that_drains_starts_what_is_claimed_already_and_claims_nothing_more() {
    let mut world = World::new("2030-01-01T00:00:00.5Z");
    world.set(job("by-hand", "@manually"));
    world.set(job("a", "* * * * * *"));
    let fire = run(&world, "by-hand", false);
    let (_, news) = world.apply(&[Command::Fire(fire)]);

    world.step(Input::Draining);
    assert!(!world.engine.is_idle(), "its news is still under way");
    world.tell(&news);
    world.run_for(3 * S);

    assert_eq!(world.started("by-hand").len(), 1);
    assert_eq!(world.started("a"), [""; 0]);
    assert!(world.engine.is_idle());
}

#[test]
fn slow_commits_are_made_up_for_by_looking_ahead() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 200 * MS;
    world.set(job("a", "*/5 * * * * *"));

    world.run_for(5 * MIN);

    let late: Vec<_> = world.starts.iter().filter(|start| start.at > start.fire_time).collect();
    assert!(late.len() <= 4, "{late:?}");
    assert_eq!(world.starts.len(), 60);
}

#[test]
fn overload_delays_and_skips_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:10.5Z");
    // The log does not answer for a minute; the engine goes on watching.
    world.commit = 60 * S;

    world.run_for(61 * S);
    world.commit = 2 * MS;
    world.run_for(120 * S);

    assert_eq!(world.skips, []);
    let end = world.status("a").next.unwrap().to_string();
    world.check_outcomes("a", &every(S, "2030-01-01T00:00:01Z", &end));
    assert!(world.claims.len() >= 180);
}

#[test]
fn equal_histories_give_equal_states() {
    let run = |seed| {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.dice.0 = seed;
        world.lead();
        world.add_node("n2", 1);
        world.add_node("n3", 1);
        for number in 0..50 {
            let mut tagged =
                job(&format!("job{number}"), &format!("*/{} * * * * *", number % 9 + 1));
            tagged.tags.insert("region".to_owned(), "global:1".to_owned());
            world.set(tagged);
        }
        world.run_for(60 * S);
        world.tables
    };

    assert!(run(5) == run(5));
    assert!(run(5) != run(6));
}

#[test]
fn an_engine_that_drains_decides_nothing_and_starts_what_it_has_claimed() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:00.999Z");
    assert_eq!((world.claims.len(), world.starts.len()), (1, 0));

    world.step(Input::Draining);
    assert!(!world.engine.is_idle());
    world.run_for(10 * S);

    assert!(world.engine.is_idle());
    assert_eq!(world.started("a"), ["2030-01-01T00:00:01Z"]);
}

#[test]
fn an_engine_that_drains_waits_for_news_of_what_it_has_claimed() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.commit = 20 * MS;
    world.set(job("a", "* * * * * *"));
    world.run_until("2030-01-01T00:00:00.996Z");
    world.step(Input::Draining);
    assert!(!world.engine.is_idle(), "a round is open");

    let (round, outcomes, events) = world.commit_open_round();
    world.step(Input::Answered { round, answer: Answer::Applied(&outcomes) });
    assert!(!world.engine.is_idle(), "the claim is not heard of yet");
    world.tell(&events);
    assert!(!world.engine.is_idle(), "the claim waits for its instant");
    world.run_for(S);

    assert!(world.engine.is_idle());
    assert_eq!(world.starts.len(), 1);
}

/// At the next start they would be recorded as lost.
#[test]
fn an_engine_that_drains_ends_the_claims_that_must_not_start() {
    for is_cancelled in [true, false] {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.set(job("a", "0 * * * * *"));
        world.run_until("2030-01-01T00:00:59.999Z");
        assert_eq!((world.claims.len(), world.starts.len()), (1, 0));
        world.step(Input::Draining);
        let execution = world.claims[0].execution.id.clone();
        let command = match is_cancelled {
            true => Command::Cancel { job: name("a"), execution: execution.clone() },
            false => disable(&world, "a"),
        };
        world.lost_proposals = 100;

        world.command(command);
        assert!(!world.engine.is_idle());
        world.run_for(3 * MS);
        world.lost_proposals = 0;
        world.run_for(S);

        assert!(world.engine.is_idle());
        assert_eq!((world.claims.len(), world.starts.len()), (1, 0));
        let stored = query::execution(&world.tables, &name("a"), &execution).unwrap();
        let state = stored.map(|execution| execution.state);
        assert_eq!(state, is_cancelled.then_some(ExecutionState::Cancelled));
    }
}
