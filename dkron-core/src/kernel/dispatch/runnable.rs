//! Whether a job may run at all: enabled, and within its bounds.
//!
//! The pause of the cluster is not looked at: as in Dkron it refuses new jobs, and stops no fire of
//! those there are.

use crate::kernel::model::{Cause, Job, SkipReason};
use crate::kernel::state::DueKind;
use crate::kernel::time::Timestamp;

/// Returns why a fire of `job` due at `at` must not start, in Dkron's order: disabled, before
/// `starts_at`, after `expires_at`. Both bounds are still within. Of a dependent run, `at` is not
/// after what the clock shows.
///
/// A retry belongs to a fire that has started: the bounds do not concern it, and a fire that
/// somebody asked for goes on even if the job is disabled. A dependent run is withdrawn if the edge
/// it came over is gone.
pub(super) fn refusal(job: &Job, at: Timestamp, kind: &DueKind) -> Option<SkipReason> {
    match kind {
        DueKind::Retry { cause: Cause::Manual, .. } => None,
        _ if job.disabled => Some(SkipReason::Disabled),
        DueKind::Retry { .. } => None,
        DueKind::Dependent { parent, .. } if job.parent_job.as_ref() != Some(parent) => {
            Some(SkipReason::Withdrawn)
        }
        DueKind::Schedule if job.parent_job.is_some() => Some(SkipReason::Withdrawn),
        DueKind::Schedule | DueKind::Dependent { .. } => out_of_bounds(job, at),
    }
}

fn out_of_bounds(job: &Job, at: Timestamp) -> Option<SkipReason> {
    if job.starts_at.is_some_and(|starts_at| at < starts_at) {
        Some(SkipReason::NotStarted)
    } else if job.expires_at.is_some_and(|expires_at| at > expires_at) {
        Some(SkipReason::Expired)
    } else {
        None
    }
}

/// Returns whether `at` lies before the job's `starts_at` or after its `expires_at`.
pub(super) fn is_out_of_bounds(job: &Job, at: Timestamp) -> bool {
    out_of_bounds(job, at).is_some()
}

/// Returns whether a fire due at `at` is too late at `now` for the job's `misfire_deadline`.
pub(super) fn is_too_late(job: &Job, at: Timestamp, now: Timestamp) -> bool {
    job.misfire_deadline.is_some_and(|deadline| now.since(at) > deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{JobName, NodeName};
    use std::time::Duration;

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::from_unix_s(unix_s).unwrap()
    }

    fn name(text: &str) -> JobName {
        JobName::parse(text).unwrap()
    }

    fn retry(cause: Cause) -> DueKind {
        let node = NodeName::parse("n").unwrap();
        DueKind::Retry { fire_time: at(50), cause, attempt: 2, node }
    }

    fn dependent(parent: &str) -> DueKind {
        DueKind::Dependent { parent: name(parent), parent_fire_time: at(50) }
    }

    /// A job that runs from 100 to 200.
    fn bounded() -> Job {
        Job { starts_at: Some(at(100)), expires_at: Some(at(200)), ..Job::new(name("job")) }
    }

    #[test]
    fn both_bounds_are_within() {
        let job = bounded();
        for (instant, want) in [
            (99, Some(SkipReason::NotStarted)),
            (100, None),
            (200, None),
            (201, Some(SkipReason::Expired)),
        ] {
            assert_eq!(refusal(&job, at(instant), &DueKind::Schedule), want, "{instant}");
        }
    }

    #[test]
    fn a_disabled_job_goes_first_among_the_reasons() {
        let job = Job { disabled: true, ..bounded() };
        for kind in [DueKind::Schedule, retry(Cause::Schedule), dependent("p")] {
            assert_eq!(refusal(&job, at(99), &kind), Some(SkipReason::Disabled), "{kind:?}");
        }
    }

    #[test]
    fn retries_outlive_the_bounds_and_manual_ones_the_disabling() {
        let job = bounded();
        assert_eq!(refusal(&job, at(201), &retry(Cause::Schedule)), None);
        let job = Job { disabled: true, ..job };
        assert_eq!(refusal(&job, at(201), &retry(Cause::Manual)), None);
    }

    #[test]
    fn a_dependent_run_needs_its_edge_and_a_child_has_no_schedule() {
        let job = Job { parent_job: Some(name("p")), ..bounded() };
        assert_eq!(refusal(&job, at(150), &dependent("p")), None);
        assert_eq!(refusal(&job, at(150), &dependent("q")), Some(SkipReason::Withdrawn));
        assert_eq!(refusal(&job, at(99), &dependent("p")), Some(SkipReason::NotStarted));
        assert_eq!(refusal(&job, at(150), &DueKind::Schedule), Some(SkipReason::Withdrawn));
    }

    #[test]
    fn the_misfire_deadline_is_still_in_time() {
        let job = Job { misfire_deadline: Some(Duration::from_secs(5)), ..Job::new(name("job")) };
        assert!(!is_too_late(&job, at(100), at(90)));
        assert!(!is_too_late(&job, at(100), at(105)));
        assert!(is_too_late(&job, at(100), at(106)));
        assert!(!is_too_late(&Job::new(name("job")), at(100), at(1_000_000)));
    }
}
