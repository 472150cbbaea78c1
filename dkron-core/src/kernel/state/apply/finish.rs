//! The end of an execution, and what follows from it: a retry, or the end of its fire.

use super::parents::children;
use super::{Apply, NotApplied, half_a_job};
use crate::kernel::model::{Execution, ExecutionState, JobName, LostRunPolicy, RunStatus};
use crate::kernel::state::codec::{FireProgress, JobRules, StatusRow};
use crate::kernel::state::{
    DueKind, DueRow, Event, FireId, Outcome, Rejection, Report, Table, TableError, TablesMut, keys,
    rows,
};
use crate::kernel::time::Timestamp;

/// How far a fire is after one of its rows of attempts has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Others go on.
    Open,
    /// That was the last: with this status, if any row left a result.
    Over(Option<RunStatus>),
}

impl Settled {
    /// Returns whether no attempt of the fire runs or is due any more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Over(_))
    }

    /// Returns the status that the fire gives its job, if it is over and gives any.
    pub(super) fn status(self) -> Option<RunStatus> {
        match self {
            Self::Open => None,
            Self::Over(status) => status,
        }
    }
}

impl<T: TablesMut> Apply<'_, T> {
    pub(super) fn finish(&mut self, report: &Report) -> Result<Outcome, NotApplied> {
        let job = &report.job;
        let running = rows::execution(self.tables, Table::Running, job, &report.execution)?;
        let Some(mut execution) = running.filter(|_| report.state.is_final()) else {
            return self.finish_again(report);
        };
        if execution.token != report.token {
            return Err(fenced(report));
        }
        execution.started_at = report.started_at.unwrap_or(execution.started_at);
        execution.finished_at = Some(report.finished_at);
        execution.state = report.state;
        execution.output_bytes_total = report.output.bytes_total;
        let Some(mut row) = self.tables.status(job)? else {
            return self.finish_of_no_job(execution);
        };
        let rules = rows::rules(self.tables, job)?.ok_or_else(half_a_job)?;

        self.count(&mut row, &execution)?;
        self.file_execution(&mut row, &execution, &report.output)?;
        self.retain(job, &mut row, &rules.retention, report.finished_at)?;
        let fire = FireId::of_execution(&execution);
        let retry = self.next_attempt(&rules, &execution);
        let settled = match &retry {
            Some(retry) => {
                self.put_due(retry)?;
                Settled::Open
            }
            None => {
                let is_success = execution.state == ExecutionState::Succeeded;
                self.settle(job, fire, Some(is_success))?
            }
        };
        self.events.push(Event::Finished {
            execution,
            is_fire_complete: settled.is_over(),
            retry_at: retry.map(|retry| retry.at),
        });
        self.conclude(job, row, fire, settled.status(), Some(rules))?;
        Ok(Outcome::Done)
    }

    /// Ends an execution whose job was deleted meanwhile: nothing is kept of it, nothing follows.
    fn finish_of_no_job(&mut self, execution: Execution) -> Result<Outcome, NotApplied> {
        self.tables.delete(Table::Running, &keys::execution(&execution.job, &execution.id))?;
        let fire = FireId::of_execution(&execution);
        let is_fire_complete = self.settle(&execution.job, fire, None)?.is_over();
        self.events.push(Event::Finished { execution, is_fire_complete, retry_at: None });
        Ok(Outcome::Done)
    }

    /// Answers a report of an execution that does not run: done, if it says what is known.
    fn finish_again(&self, report: &Report) -> Result<Outcome, NotApplied> {
        let job = &report.job;
        let ended = rows::execution(self.tables, Table::Executions, job, &report.execution)?;
        match ended {
            Some(ended) if ended.token != report.token => Err(fenced(report)),
            Some(ended)
                if ended.state == report.state && ended.finished_at == Some(report.finished_at) =>
            {
                Ok(Outcome::Done)
            }
            _ => {
                let (job, execution) = (job.clone(), report.execution.clone());
                Err(Rejection::ExecutionNotRunning { job, execution }.into())
            }
        }
    }

    /// Counts an end: per job and per day. What did not succeed is an error, a cancelled run too.
    fn count(&mut self, row: &mut StatusRow, execution: &Execution) -> Result<(), TableError> {
        let is_success = execution.state == ExecutionState::Succeeded;
        let status = &mut row.status;
        if is_success {
            status.success_count = status.success_count.saturating_add(1);
            status.last_success = status.last_success.max(execution.finished_at);
        } else {
            status.error_count = status.error_count.saturating_add(1);
            status.last_error = status.last_error.max(execution.finished_at);
        }
        match execution.finished_at {
            Some(finished_at) => self.count_day(finished_at, is_success),
            None => Ok(()),
        }
    }

    /// Says whether, and when, an execution that has ended is attempted again.
    fn next_attempt(&self, rules: &JobRules, execution: &Execution) -> Option<DueRow> {
        let has_retries = execution.attempt <= rules.retries;
        let is_retried = match execution.state {
            _ if execution.is_cancel_requested => false,
            ExecutionState::Failed => has_retries,
            ExecutionState::Lost => match rules.lost_run {
                LostRunPolicy::Fail => has_retries,
                LostRunPolicy::Rerun => true,
                LostRunPolicy::Never => false,
            },
            ExecutionState::Running | ExecutionState::Succeeded | ExecutionState::Cancelled => {
                false
            }
        };
        let attempt = execution.attempt.checked_add(1).filter(|_| is_retried)?;
        let finished_at = execution.finished_at?;
        let run_time = finished_at.since(execution.started_at);
        let wait = rules.retry_backoff.wait_before(attempt, run_time);
        // A node whose clock is ahead must not put its retries off.
        let at = finished_at.min(self.at).saturating_add(wait);
        let kind = DueKind::Retry {
            fire_time: execution.fire_time,
            cause: execution.cause,
            attempt,
            node: execution.id.node.clone(),
        };
        Some(DueRow { at, job: execution.job.clone(), kind })
    }

    /// Ends one row of attempts of a fire: with a success or not, or as if it had never been.
    pub(super) fn settle(
        &mut self,
        job: &JobName,
        fire: FireId,
        result: Option<bool>,
    ) -> Result<Settled, TableError> {
        let stored = rows::fire_progress(self.tables, job, fire.fire_time, fire.cause)?;
        let progress = FireProgress {
            open: stored.open.saturating_sub(1),
            succeeded: stored.succeeded.saturating_add((result == Some(true)).into()),
            failed: stored.failed.saturating_add((result == Some(false)).into()),
        };
        if progress.open > 0 {
            self.put_progress(job, fire, &progress)?;
            return Ok(Settled::Open);
        }
        if stored != FireProgress::default() {
            let key = keys::fire(job, fire.fire_time, fire.cause);
            self.tables.delete(Table::Fires, &key)?;
        }
        Ok(Settled::Over(match (progress.succeeded, progress.failed) {
            (0, 0) => None,
            (_, 0) => Some(RunStatus::Success),
            (0, _) => Some(RunStatus::Failed),
            _ => Some(RunStatus::PartiallyFailed),
        }))
    }

    /// Saves a job's status; if a fire has just become complete, with what follows from that.
    ///
    /// What follows (children, the end of an ephemeral job) goes by `complete`, what became of this
    /// fire, never by the status of the job: of fires that overlap that is whichever ended last.
    /// `rules` spares reading them again.
    pub(super) fn conclude(
        &mut self,
        job: &JobName,
        mut row: StatusRow,
        fire: FireId,
        complete: Option<RunStatus>,
        rules: Option<JobRules>,
    ) -> Result<(), TableError> {
        if let Some(status) = complete {
            row.status.status = status;
        }
        if complete == Some(RunStatus::Success) {
            let children = children(self.tables, job)?;
            for child in &children {
                self.put_dependent(child, job, fire.fire_time)?;
            }
            let rules = match rules {
                Some(rules) => rules,
                None => rows::rules(self.tables, job)?.ok_or_else(half_a_job)?,
            };
            if rules.ephemeral && children.is_empty() {
                return self.remove_job(job, &row);
            }
        }
        self.save_status(job, &row)
    }

    /// Makes a child due: now, or a nanosecond later for each run of it that is due now already.
    fn put_dependent(
        &mut self,
        child: &JobName,
        parent: &JobName,
        parent_fire_time: Timestamp,
    ) -> Result<(), TableError> {
        let at = self.free_dependent_instant(child)?;
        let kind = DueKind::Dependent { parent: parent.clone(), parent_fire_time };
        self.put_due(&DueRow { at, job: child.clone(), kind })
    }
}

fn fenced(report: &Report) -> NotApplied {
    let (job, execution) = (report.job.clone(), report.execution.clone());
    Rejection::Fenced { job, execution }.into()
}

#[cfg(test)]
#[path = "finish_test.rs"]
mod tests;
