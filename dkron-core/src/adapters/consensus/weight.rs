//! About how many bytes a command takes in the log, without encoding it.
//!
//! Only what can be large is looked at; the rest counts as [`COMMAND_BYTES`]. Entries and queues
//! are bounded by it, so it need not be exact.

use std::collections::BTreeMap;

use crate::kernel::model::Job;
use crate::kernel::state::{Command, Envelope};

/// What the small fields of a command take, names and instants included.
const COMMAND_BYTES: usize = 128;

/// Returns about how many bytes the command takes.
pub fn weight_of(envelope: &Envelope) -> usize {
    let large = match &envelope.command {
        Command::SetJob(write) => weight_of_job(&write.job),
        Command::ApplyJobs(jobs) => jobs.jobs.iter().map(|write| weight_of_job(&write.job)).sum(),
        Command::Finish(report) => report.output.bytes.len(),
        Command::Fire(_)
        | Command::DeleteJob { .. }
        | Command::DeleteJobIfRevision { .. }
        | Command::SetDisabled { .. }
        | Command::DeleteExecutions { .. }
        | Command::SetPaused { .. }
        | Command::Withdraw { .. }
        | Command::Cancel { .. }
        | Command::Sweep { .. } => 0,
    };
    COMMAND_BYTES + large
}

/// Returns about how many bytes a job takes in the log.
pub fn weight_of_job(job: &Job) -> usize {
    let texts = [&job.displayname, &job.timezone, &job.schedule, &job.owner, &job.owner_email];
    let texts: usize = texts.iter().map(|text| text.len()).sum();
    let processors: usize = job.processors.values().map(weight_of_map).sum();
    let maps = [&job.tags, &job.metadata, &job.executor_config].map(weight_of_map);
    COMMAND_BYTES + texts + processors + maps.iter().sum::<usize>()
}

fn weight_of_map(map: &BTreeMap<String, String>) -> usize {
    map.iter().map(|(key, value)| key.len() + value.len() + 2).sum()
}
