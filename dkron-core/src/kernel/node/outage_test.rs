//! Random jobs through random outages: does every instant have exactly one outcome?
//!
//! Compared with a naive enumeration of the instants of each job, one question to its schedule
//! after the other. A seed that fails is printed, and replayed by the test of that name.

use std::time::Duration;

use super::harness::{Dice, MS, S, World, job, name};
use crate::kernel::dispatch::{Schedules, first_due};
use crate::kernel::model::{
    CatchUpPolicy, ConcurrencyPolicy, DstPolicy, Job, LostRunPolicy, PlacementPolicy, SkipReason,
};
use crate::kernel::state::{Command, query};
use crate::kernel::time::{Timestamp, Zone};
use crate::limits::CATCH_UP_COUNT_MAX;

/// Prints the seed of a test that fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

const SCHEDULES: [&str; 12] = [
    "* * * * * *",
    "*/7 * * * * *",
    "0 * * * * *",
    "30 */5 * * * *",
    "0 30 2 * * *",
    "* 59 * * * *",
    "0 0,30 2,3 * * *",
    "@every 1s",
    "@every 13s",
    "@every 1h",
    "@hourly",
    "~ ~ * * * *",
];

fn random_job(dice: &mut Dice, number: u64, now: Timestamp) -> Job {
    let schedule = SCHEDULES[dice.below(SCHEDULES.len() as u64) as usize];
    let mut job = job(&format!("job{number}"), schedule);
    job.catch_up = match dice.below(4) {
        0 => CatchUpPolicy::None,
        1 => CatchUpPolicy::Latest,
        _ => CatchUpPolicy::All { fires_max: 1 + dice.below(20) as u32 },
    };
    job.concurrency = match dice.percent(30) {
        true => ConcurrencyPolicy::Forbid,
        false => ConcurrencyPolicy::Allow,
    };
    job.timezone = ["", "Europe/Berlin", "America/New_York"][dice.below(3) as usize].to_owned();
    job.dst = [DstPolicy::Once, DstPolicy::Wall][dice.below(2) as usize];
    job.lost_run =
        [LostRunPolicy::Fail, LostRunPolicy::Rerun, LostRunPolicy::Never][dice.below(3) as usize];
    job.placement = [PlacementPolicy::Every, PlacementPolicy::One][dice.below(2) as usize];
    job.retries = dice.below(3) as u32;
    if dice.percent(20) {
        job.starts_at = Some(now.saturating_add(S * dice.below(4_000) as u32));
    }
    if dice.percent(20) {
        job.expires_at = Some(now.saturating_add(S * dice.below(8_000) as u32));
    }
    if dice.percent(20) {
        job.misfire_deadline = Some(S * dice.below(300) as u32);
    }
    job
}

/// Something goes wrong, or time passes.
fn happen(world: &mut World, dice: &mut Dice) {
    let span = S * dice.below(30) as u32 + MS * dice.below(1_000) as u32;
    match dice.below(13) {
        0 => world.crash(span * 60),
        1 => world.crash(span / 10),
        2 => {
            // The machine comes back with a clock that was put back.
            world.put_clock(-(dice.below(300) as i64));
            world.crash(span / 10);
        }
        3 => {
            // The clocks of two servers are never quite the same.
            world.put_clock(dice.below(60) as i64 - 30);
            world.change_leader();
        }
        4 => world.stand_still(span * 20),
        5 => world.put_clock(dice.below(3_000) as i64),
        6 => {
            world.put_clock(-(dice.below(600) as i64));
            world.run_for(MS);
        }
        7 => world.commit = MS * (1 + dice.below(400) as u32),
        8 if dice.percent(50) => world.kill_node("n2"),
        8 => {
            world.serial_instance += 1;
            let instance = world.serial_instance;
            world.add_node("n2", instance);
        }
        9 => world.change_leader(),
        10 => {
            (world.lost_proposals, world.lost_answers) = (dice.below(40), dice.below(40));
        }
        _ => {}
    }
    world.run_for(span);
}

/// The instants of `job` from `first` up to but not including `end`, one question at a time.
fn naive(job: &Job, first: Timestamp, end: Option<Timestamp>) -> Vec<Timestamp> {
    let schedule = Schedules::new(Zone::UTC).of(job).unwrap();
    let is_due = |fire: &Timestamp| {
        end.is_none_or(|end| *fire < end)
            && job.expires_at.is_none_or(|expires_at| *fire <= expires_at)
    };
    std::iter::successors(Some(first), |fire| schedule.next_after(*fire))
        .take_while(is_due)
        .filter(|fire| job.starts_at.is_none_or(|starts_at| *fire >= starts_at))
        .collect()
}

fn check_random_outages(seed: u64) {
    let _replay = Replay(seed);
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut world = World::new("2030-03-31T00:40:00Z");
    world.dice = dice.clone();
    let mut jobs = Vec::new();
    for number in 0..6 {
        let job = random_job(&mut dice, number, world.now());
        let first = first_due(&job, world.now(), Zone::UTC).unwrap();
        world.run_time.insert(job.name.clone(), MS * dice.below(5_000) as u32);
        if dice.percent(20) {
            world.failing.insert(job.name.clone());
        }
        world.set(job.clone());
        jobs.push((job, first));
    }

    for _ in 0..30 {
        happen(&mut world, &mut dice);
    }
    (world.lost_proposals, world.lost_answers, world.commit) = (0, 0, MS);
    world.lead();
    world.run_for(S * 700);

    for (job, first) in jobs {
        let next = world.status(job.name.as_str()).next;
        let fires = first.map_or_else(Vec::new, |first| naive(&job, first, next));
        world.check_outcomes(job.name.as_str(), &fires);
        assert!(next.is_none_or(|next| next > world.now()), "{job:?} is overdue");
    }
    assert!(query::running_count(&world.tables).unwrap() <= 30, "runs that never end");
}

#[test]
fn every_instant_has_exactly_one_outcome_whatever_happens() {
    for seed in 0..16 {
        check_random_outages(seed);
    }
}

#[test]
fn a_job_toggled_and_rewritten_at_random_has_no_instant_twice() {
    for seed in 0..20 {
        let _replay = Replay(seed);
        let mut dice = Dice(seed.wrapping_mul(0xD129_0E2B_6C61_8C5D) | 1);
        let mut world = World::new("2030-01-01T00:00:00Z");
        world.dice = dice.clone();
        world.commit = 5 * MS;
        world.set(job("a", "* * * * * *"));
        for _ in 0..60 {
            let span = MS * dice.below(1_100) as u32;
            world.run_for(span);
            let status = world.status("a");
            let mut stored = query::definition(&world.tables, &name("a")).unwrap().unwrap();
            match dice.below(5) {
                0 => stored.disabled = !stored.disabled,
                1 => stored.timezone = ["", "Asia/Kolkata"][dice.below(2) as usize].to_owned(),
                2 => {
                    stored.schedule =
                        ["* * * * * *", "*/2 * * * * *"][dice.below(2) as usize].to_owned()
                }
                3 => stored.starts_at = Some(world.now()),
                _ => stored.owner.push('x'),
            }
            if dice.percent(10) {
                world.change_leader();
            }
            assert!(status.revision > 0);
            world.set(stored);
        }
        world.run_for(5 * S);

        let mut starts: Vec<_> = world.starts.iter().map(|start| start.fire_time).collect();
        starts.sort_unstable();
        let before = starts.len();
        starts.dedup();
        assert_eq!(starts.len(), before, "an instant was started twice");
        assert!(starts.len() >= 5);
    }
}

#[test]
fn what_was_missed_is_counted_up_to_its_limit() {
    let mut world = World::new("2030-01-01T00:00:00Z");
    world.set(job("a", "* * * * * *"));
    world.run_for(S * 3);

    world.crash(Duration::from_secs(86_400));
    world.run_for(S);

    let skips = world.skips_of("a");
    assert_eq!(skips.len(), 1);
    assert_eq!((skips[0].fires, &skips[0].reason), (CATCH_UP_COUNT_MAX, &SkipReason::CaughtUp));
    assert_eq!(skips[0].last.as_unix_s() - skips[0].first.as_unix_s() + 1, 86_398);
    world.command(Command::DeleteJob { job: name("a") });
}
