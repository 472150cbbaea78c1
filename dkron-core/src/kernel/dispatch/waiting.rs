//! Due rows whose decision is put off.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::model::JobName;
use crate::kernel::state::DueRow;
use crate::kernel::time::Timestamp;

/// Due rows that could not be started when they were looked at, each with the instant at which its
/// decision must fall.
///
/// Until then they cost a look-up each time the due table is walked, and no decision.
#[derive(Clone, Debug, Default)]
pub struct WaitingRows {
    by_job: BTreeMap<JobName, Vec<WaitingRow>>,
    by_time: BTreeSet<(Timestamp, JobName)>,
}

/// A due row whose decision is put off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRow {
    /// The row.
    pub row: DueRow,
    /// Until when.
    pub until: Timestamp,
}

impl WaitingRows {
    /// Returns the first instant at which a decision must fall.
    pub fn first_until(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(until, _)| *until)
    }

    /// Returns whether the decision on `row` is put off beyond `now`.
    pub fn holds(&self, row: &DueRow, now: Timestamp) -> bool {
        let is_it = |waiting: &WaitingRow| waiting.row == *row && waiting.until > now;
        self.by_job.get(&row.job).is_some_and(|rows| rows.iter().any(is_it))
    }

    /// Puts the decision on a row off.
    pub fn add(&mut self, waiting: WaitingRow) {
        let job = waiting.row.job.clone();
        self.by_time.insert((waiting.until, job.clone()));
        let rows = self.by_job.entry(job).or_default();
        rows.retain(|other| other.row != waiting.row);
        rows.push(waiting);
    }

    /// Lets the decisions on a job's rows fall: something has changed.
    pub fn release(&mut self, job: &JobName) {
        for waiting in self.by_job.remove(job).unwrap_or_default() {
            self.by_time.remove(&(waiting.until, waiting.row.job));
        }
    }

    /// Lets all decisions fall.
    pub fn release_all(&mut self) {
        *self = Self::default();
    }

    /// Lets the decisions fall whose instant has come.
    pub fn release_until(&mut self, now: Timestamp) {
        while let Some((until, job)) = self.by_time.first()
            && *until <= now
        {
            let job = job.clone();
            self.by_time.pop_first();
            if let Some(rows) = self.by_job.get_mut(&job) {
                rows.retain(|waiting| waiting.until > now);
                if rows.is_empty() {
                    self.by_job.remove(&job);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::state::DueKind;

    fn row(job: &str, unix_s: i64) -> DueRow {
        let at = Timestamp::from_unix_s(unix_s).unwrap();
        DueRow { at, job: JobName::parse(job).unwrap(), kind: DueKind::Schedule }
    }

    fn at(unix_s: i64) -> Timestamp {
        Timestamp::from_unix_s(unix_s).unwrap()
    }

    #[test]
    fn a_row_waits_until_its_instant_or_until_its_job_changes() {
        let mut waiting = WaitingRows::default();
        waiting.add(WaitingRow { row: row("a", 10), until: at(10) });
        waiting.add(WaitingRow { row: row("a", 5), until: at(60) });
        waiting.add(WaitingRow { row: row("b", 10), until: at(20) });

        assert_eq!(waiting.first_until(), Some(at(10)));
        assert!(waiting.holds(&row("a", 10), at(9)));
        assert!(!waiting.holds(&row("a", 10), at(10)));
        assert!(!waiting.holds(&row("a", 11), at(9)));

        waiting.release_until(at(10));
        assert!(!waiting.holds(&row("a", 10), at(9)));
        assert!(waiting.holds(&row("a", 5), at(59)));
        assert_eq!(waiting.first_until(), Some(at(20)));

        waiting.release(&JobName::parse("a").unwrap());
        assert!(!waiting.holds(&row("a", 5), at(59)));
        waiting.release_until(at(20));
        assert!(waiting.by_job.is_empty());
        assert_eq!(waiting.first_until(), None);
    }

    #[test]
    fn a_row_that_waits_anew_waits_once() {
        let mut waiting = WaitingRows::default();
        waiting.add(WaitingRow { row: row("a", 5), until: at(10) });
        waiting.add(WaitingRow { row: row("a", 5), until: at(20) });

        assert!(waiting.holds(&row("a", 5), at(15)));
        waiting.release_until(at(10));
        assert!(waiting.holds(&row("a", 5), at(15)));
    }
}
