//! What the scenes of the harness are furnished with: jobs, instants, commands, dice.

use std::time::Duration;

use super::harness::World;
use crate::kernel::dispatch::{ManualRun, plan_manual};
use crate::kernel::model::{ConcurrencyPolicy, Job, JobName};
use crate::kernel::state::{Command, Fire};
use crate::kernel::time::Timestamp;

pub(super) const S: Duration = Duration::from_secs(1);
pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const MIN: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub(super) fn job(text: &str, schedule: &str) -> Job {
    Job { schedule: schedule.to_owned(), ..Job::new(name(text)) }
}

/// The instants from `first` on that lie before `end`, `period` apart.
pub(super) fn every(period: Duration, first: &str, end: &str) -> Vec<Timestamp> {
    let end = at(end);
    std::iter::successors(Some(at(first)), |fire| Some(fire.saturating_add(period)))
        .take_while(|fire| *fire < end)
        .collect()
}

pub(super) fn forbid(job: Job) -> Job {
    Job { concurrency: ConcurrencyPolicy::Forbid, ..job }
}

pub(super) fn disable(world: &World, job: &str) -> Command {
    let (job, revision) = (name(job), world.status(job).revision);
    Command::SetDisabled { job, revision, disabled: true, first: None, overdue: None }
}

pub(super) fn run(world: &World, job: &str, is_forced: bool) -> Fire {
    let nodes = world.nodes();
    let run = ManualRun {
        job: &name(job),
        now: world.now(),
        nodes: &nodes,
        region: "global",
        seed: 1,
        is_forced,
    };
    plan_manual(&world.tables, &run).unwrap()
}

/// Numbers for tests that throw dice; the seed is in the message of whatever fails.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
