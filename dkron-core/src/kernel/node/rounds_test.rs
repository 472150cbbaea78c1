//! Proposals that fail, answers that are lost, nodes that are missing.

use std::time::Duration;

use super::harness::{MIN, MS, S, World, every, forbid, job, name};
use super::{Engine, EngineConfig, Observation};
use crate::kernel::model::{CatchUpPolicy, Job, SkipReason};
use crate::kernel::state::query;
use crate::kernel::time::Zone;

#[test]
fn no_capable_node_is_recorded_at_the_instant_and_not_before() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let mut picky = job("a", "0 * * * * *");
    picky.tags.insert("node".to_owned(), "n9".to_owned());
    world.set(picky);
    world.run_until("2030-01-01T00:00:59.999Z");
    assert_eq!(world.skips, []);

    world.run_until("2030-01-01T00:01:01Z");
    assert_eq!(world.skips.len(), 1);
    let wanted = "tag node=n9".to_owned();
    assert_eq!(world.skips[0].reason, SkipReason::NoCapableNode { wanted });

    world.add_node("n9", 1);
    world.run_until("2030-01-01T00:02:01Z");
    assert_eq!(world.started("a"), ["2030-01-01T00:02:00Z"]);
}

#[test]
fn nodes_that_come_back_after_a_restart_are_waited_for() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.add_node("n2", 1);
    let mut picky = job("a", "0 0 * * * *");
    picky.tags.insert("node".to_owned(), "n2".to_owned());
    world.set(Job { catch_up: CatchUpPolicy::Latest, ..picky });
    world.run_until("2030-01-01T00:30:00Z");

    world.kill_node("n2");
    world.crash(60 * MIN);
    world.run_for(4 * S);
    assert_eq!((world.starts.len(), world.skips.len()), (0, 0));
    world.add_node("n2", 2);
    world.run_for(S);

    assert_eq!(world.started("a"), ["2030-01-01T01:00:00Z"]);
}

#[test]
fn lost_proposals_and_lost_answers_lose_and_double_nothing() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    (world.lost_proposals, world.lost_answers) = (30, 30);
    world.set(job("a", "*/10 * * * * *"));
    world.set(forbid(job("b", "*/7 * * * * *")));
    world.run_time.insert(name("b"), 9 * S);

    world.run_until("2030-01-01T01:00:05.5Z");

    assert!(world.notes.iter().any(|note| matches!(note, Observation::RoundFailed { .. })));
    world.check_outcomes("a", &every(10 * S, "2030-01-01T00:00:10Z", "2030-01-01T01:00:05Z"));
    assert_eq!(world.started("a").len(), 360);
}

#[test]
fn a_change_of_leader_in_the_middle_of_a_round_loses_and_doubles_nothing() {
    for seed in 1..20 {
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.dice.0 = seed;
        world.commit = 20 * MS;
        world.set(job("a", "* * * * * *"));
        world.run_for(3 * S);

        for _ in 0..40 {
            let span = world.dice.below(1_500);
            world.run_for(Duration::from_millis(span));
            world.change_leader();
        }
        world.run_for(2 * S);

        let end = world.status("a").next.unwrap().to_string();
        let fires = every(S, "2030-01-01T00:00:01Z", &end);
        world.check_outcomes("a", &fires);
        assert_eq!(world.skips, [], "seed {seed}");
        assert_eq!(world.claims.len(), fires.len(), "seed {seed}");
    }
}

/// A world in which so many executions may run.
fn world_with_room_for(runs_max: usize) -> World {
    let mut world = World::new("2030-01-01T00:00:00Z");
    let (region, server_zone) = ("global".to_owned(), Zone::UTC);
    world.engine = Engine::new(EngineConfig { region, server_zone, runs_max });
    world.tell_nodes();
    world.lead();
    world
}

#[test]
fn while_as_many_executions_run_as_may_starts_are_delayed_and_none_is_lost() {
    let mut world = world_with_room_for(10);
    for number in 0..25 {
        let text = format!("a{number:02}");
        world.run_time.insert(name(&text), 4 * S);
        world.set(job(&text, "0 * * * * *"));
    }

    for (at, started) in [("00:01:03", 10), ("00:01:07", 20), ("00:01:30", 25)] {
        world.run_until(&format!("2030-01-01T{at}Z"));
        assert_eq!(world.starts.len(), started, "at {at}");
        assert!(query::running_count(&world.tables).unwrap() <= 10);
    }
    world.run_until("2030-01-01T00:03:30Z");

    for number in 0..25 {
        let fires = every(MIN, "2030-01-01T00:01:00Z", "2030-01-01T00:03:30Z");
        world.check_outcomes(&format!("a{number:02}"), &fires);
    }
    assert_eq!(world.skips, []);
    let told: Vec<_> = world.notes.iter().filter(|note| is_overload(note)).collect();
    assert_eq!(told, [&Observation::Overloaded { running: 10 }]);
}

fn is_overload(note: &Observation) -> bool {
    matches!(note, Observation::Overloaded { .. } | Observation::OverloadOver { .. })
}

#[test]
fn an_overload_that_comes_and_goes_is_told_once_and_so_is_its_end() {
    let mut world = world_with_room_for(2);
    world.set(job("a", "*/7 * * * * *"));
    for text in ["b0", "b1", "b2"] {
        world.run_time.insert(name(text), 4 * S);
        world.set(job(text, "*/10 1-8 0 * * *"));
    }

    world.run_until("2030-01-01T00:30:00Z");

    let told: Vec<_> = world.notes.iter().filter(|note| is_overload(note)).collect();
    assert!(
        matches!(
            told[..],
            [Observation::Overloaded { running: 2 }, Observation::OverloadOver { span }]
                if (7 * MIN..9 * MIN).contains(span)
        ),
        "{told:?}"
    );
}
