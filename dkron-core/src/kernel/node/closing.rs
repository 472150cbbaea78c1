//! Executions that the leader has to end: lost ones, and claims that must not start.

use std::collections::BTreeMap;

use crate::kernel::model::{Execution, ExecutionState, SkipReason};
use crate::kernel::state::{Command, Report, StoredOutput};
use crate::kernel::time::Timestamp;

/// How an execution is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its process is gone, and what it did is not known. The job's policy on lost runs decides
    /// what follows.
    Lost,
    /// It was asked to end before it was handed out: nothing of it ever ran.
    Cancelled,
    /// Its job no longer wants it, and it was not handed out.
    Withdrawn,
}

/// Executions to end, by fencing token; each stays until its end was answered for.
#[derive(Debug, Default)]
pub(super) struct Closing {
    executions: BTreeMap<u64, (Execution, Ending)>,
}

impl Closing {
    /// Adds an execution, unless it is there.
    pub(super) fn add(&mut self, execution: Execution, ending: Ending) {
        self.executions.entry(execution.token).or_insert((execution, ending));
    }

    /// Takes an execution out: it has ended.
    pub(super) fn remove(&mut self, token: u64) {
        self.executions.remove(&token);
    }

    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.executions.is_empty()
    }

    /// Returns the commands that end the first `limit` of them at `now`, and their tokens.
    pub(super) fn commands(&self, now: Timestamp, limit: usize) -> (Vec<Command>, Vec<u64>) {
        let first = self.executions.iter().take(limit);
        first.map(|(token, (execution, ending))| (command(execution, *ending, now), *token)).unzip()
    }
}

fn command(execution: &Execution, ending: Ending, now: Timestamp) -> Command {
    let (state, why) = match ending {
        Ending::Lost => (
            ExecutionState::Lost,
            "lost: the process that ran it is gone, and what it did is not known\n",
        ),
        Ending::Cancelled => (ExecutionState::Cancelled, "cancelled: before it started\n"),
        Ending::Withdrawn => {
            return Command::Withdraw {
                job: execution.job.clone(),
                execution: execution.id.clone(),
                token: execution.token,
                reason: SkipReason::Withdrawn,
            };
        }
    };
    Command::Finish(Report {
        job: execution.job.clone(),
        execution: execution.id.clone(),
        token: execution.token,
        // It began no later than it ended: its beginning is that of the claim, perhaps by another
        // clock or ahead of time.
        started_at: Some(execution.started_at.min(now)),
        finished_at: now,
        state,
        // Nobody else can say it: whoever looks at the execution sees a failure without a word.
        output: StoredOutput { bytes: why.into(), ..StoredOutput::default() },
    })
}
