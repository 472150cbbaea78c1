//! What came of a scene of the harness: what is due, what started, what was skipped.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::World;
use super::props::name;
use crate::kernel::model::{Cause, JobStatus, Skip};
use crate::kernel::state::{DueRow, query};
use crate::kernel::time::Timestamp;

impl World {
    pub(super) fn status(&self, job: &str) -> JobStatus {
        query::status(&self.tables, &name(job)).unwrap().unwrap()
    }

    pub(super) fn due_of(&self, job: &str) -> Vec<DueRow> {
        query::waiting(&self.tables, &name(job)).unwrap()
    }

    /// The instants of the fires of `job` that were started, in order, as texts.
    pub(super) fn started(&self, job: &str) -> Vec<String> {
        let of_job = self.starts.iter().filter(|start| start.job == name(job));
        of_job.map(|start| start.fire_time.to_string()).collect()
    }

    pub(super) fn skips_of(&self, job: &str) -> Vec<&Skip> {
        self.skips.iter().filter(|skip| skip.job == name(job)).collect()
    }

    /// Checks that every instant of `fires` has exactly one outcome, and no other instant has any.
    #[track_caller]
    pub(super) fn check_outcomes(&self, job: &str, fires: &[Timestamp]) {
        let job = name(job);
        let mut outcomes: BTreeMap<Timestamp, u32> = fires.iter().map(|fire| (*fire, 0)).collect();
        // A fire is claimed for all its nodes at once: one of them stands for it.
        let mut claimed = BTreeSet::new();
        for execution in self.claims.iter().map(|claim| &claim.execution) {
            let is_first = execution.attempt == 1 && execution.cause == Cause::Schedule;
            if execution.job == job && is_first {
                claimed.insert((execution.fire_time, execution.id.due_ns));
            }
        }
        for (fire_time, _) in claimed {
            let outcome = outcomes.get_mut(&fire_time);
            *outcome.unwrap_or_else(|| panic!("{job} has no fire at {fire_time}")) += 1;
        }
        for skip in self.skips.iter().filter(|skip| skip.job == job) {
            let is_at = |instant| outcomes.contains_key(instant);
            assert!(is_at(&skip.first) && is_at(&skip.last), "{skip:?}");
            let within = outcomes.range_mut(skip.first..=skip.last);
            let count = within.map(|(_, outcome)| *outcome += 1).count();
            assert!((1..=count).contains(&(skip.fires as usize)), "{skip:?} of {count}");
        }
        let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| **outcome != 1).collect();
        assert!(wrong.is_empty(), "{job}: outcomes of {:?}", &wrong[..wrong.len().min(5)]);
    }
}
