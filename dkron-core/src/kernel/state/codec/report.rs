//! Reports of ended executions as records of the log.

use serde::{Deserialize, Serialize};

use super::scalar::{Id, Time, id, time, to_id, to_job_name, to_optional_time, to_time};
use super::{Code, Malformed, OutputRecord};
use crate::kernel::model::ExecutionState;
use crate::kernel::state::Report;

#[derive(Serialize, Deserialize)]
pub(super) struct ReportRecord<'a> {
    job: &'a str,
    #[serde(borrow)]
    execution: Id<'a>,
    token: u64,
    started_at: Option<Time>,
    finished_at: Time,
    state: u8,
    output: OutputRecord<'a>,
}

impl<'a> ReportRecord<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        Self {
            job: report.job.as_str(),
            execution: id(&report.execution),
            token: report.token,
            started_at: report.started_at.map(time),
            finished_at: time(report.finished_at),
            state: report.state.to_code(),
            output: OutputRecord::new(&report.output),
        }
    }

    pub(super) fn to_report(&self) -> Result<Report, Malformed> {
        let state = ExecutionState::from_code(self.state)?;
        if !state.is_final() {
            return Err(Malformed::new("a report says that the execution still runs"));
        }
        Ok(Report {
            job: to_job_name(self.job)?,
            execution: to_id(self.execution)?,
            token: self.token,
            started_at: to_optional_time(self.started_at)?,
            finished_at: to_time(self.finished_at)?,
            state,
            output: self.output.to_output(),
        })
    }
}
