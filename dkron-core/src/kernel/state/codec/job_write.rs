//! Writes of jobs as records of the log.

use serde::{Deserialize, Serialize};

use super::Malformed;
use super::job::JobRecord;
use super::scalar::{Time, time, to_job_name, to_optional_time, to_time};
use super::status::{StatusRecord, StatusRow};
use crate::kernel::state::{JobWrite, Overdue};

#[derive(Serialize, Deserialize)]
pub(super) struct JobWriteRecord<'a> {
    name: &'a str,
    #[serde(borrow)]
    job: JobRecord<'a>,
    first: Option<Time>,
    overdue: Option<OverdueRecord>,
    if_revision: Option<u64>,
    restored: Option<StatusRecord>,
}

/// First and last instant, and how many.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct OverdueRecord(Time, Time, u32);

impl OverdueRecord {
    pub(super) fn new(overdue: Overdue) -> Self {
        Self(time(overdue.first), time(overdue.last), overdue.fires)
    }

    pub(super) fn to_overdue(self) -> Result<Overdue, Malformed> {
        Ok(Overdue { first: to_time(self.0)?, last: to_time(self.1)?, fires: self.2 })
    }
}

impl<'a> JobWriteRecord<'a> {
    pub(super) fn new(write: &'a JobWrite) -> Self {
        let restored =
            |status: &_| StatusRecord::new(&StatusRow { status: Clone::clone(status), running: 0 });
        Self {
            name: write.job.name.as_str(),
            job: JobRecord::new(&write.job),
            first: write.first.map(time),
            overdue: write.overdue.map(OverdueRecord::new),
            if_revision: write.if_revision,
            restored: write.restored.as_ref().map(restored),
        }
    }

    pub(super) fn to_write(&self) -> Result<JobWrite, Malformed> {
        let restored = self.restored.as_ref().map(StatusRecord::to_row).transpose()?;
        Ok(JobWrite {
            job: self.job.to_job(&to_job_name(self.name)?)?,
            first: to_optional_time(self.first)?,
            overdue: self.overdue.map(OverdueRecord::to_overdue).transpose()?,
            if_revision: self.if_revision,
            restored: restored.map(|row| row.status),
        })
    }
}
