//! A small replicated state to try things on, and what must hold of any such state.

use std::sync::OnceLock;
use std::time::Duration;

use dkron_core::Timestamp;
use dkron_core::kernel::model::{Cause, ConcurrencyPolicy, ExecutionId, Job, JobName, NodeName};
use dkron_core::kernel::model::{ExecutionState, RetryBackoff, SkipReason};
use dkron_core::kernel::state::query::{self, Part};
use dkron_core::kernel::state::{
    ApplyJobs, Command, DueKind, DueRow, Entry, Envelope, Fire, JobWrite, MemoryTables, Order,
    Report, RequestId, SnapshotReader, SnapshotWriter, StoredOutput, TableError, Tables, Target,
    Verdict, apply,
};

/// Rows looked at in each list; more are the same again.
const LOOK_MAX: usize = 16;

/// An instant so many seconds into 2026.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(1_767_225_600 + seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn name(text: &str) -> JobName {
    JobName::parse(text).expect("the name of a sample is valid")
}

fn node(text: &str) -> NodeName {
    NodeName::parse(text).expect("the name of a sample is valid")
}

/// `revision` is that of the job's write: they are counted over all jobs.
fn start(row: &DueRow, revision: u64, forced: bool) -> Command {
    let targets = vec![Target { node: node("n1"), instance: 1 }];
    Command::Fire(Fire {
        job: row.job.clone(),
        revision,
        due: (!forced).then(|| row.clone()),
        at: row.at,
        next: Some(row.at.saturating_add(Duration::from_secs(60))),
        is_forced: forced,
        verdict: Verdict::Start { targets: targets.into() },
    })
}

/// Returns entries that do one thing of each kind, as they would come one after the other.
pub fn samples() -> Vec<Entry> {
    let mut nightly = Job::new(name("a"));
    nightly.schedule = "0 30 2 * * *".to_owned();
    nightly.concurrency = ConcurrencyPolicy::Forbid;
    nightly.retries = 2;
    nightly.retry_backoff = RetryBackoff::Fixed { delay: Duration::ZERO };
    let mut child = Job::new(name("b"));
    child.parent_job = Some(name("a"));
    let row = DueRow { at: at(60), job: name("a"), kind: DueKind::Schedule };
    let id = |seconds: u64| ExecutionId {
        due_ns: (1_767_225_600 + seconds) * 1_000_000_000,
        node: node("n1"),
    };
    let report = |state, token, text: &str| Report {
        job: name("a"),
        execution: id(60),
        token,
        started_at: Some(at(60)),
        finished_at: at(61),
        state,
        output: StoredOutput {
            bytes_total: text.len() as u64,
            packing: 0,
            bytes: text.as_bytes().to_vec(),
        },
    };
    let retry =
        DueKind::Retry { fire_time: at(60), cause: Cause::Schedule, attempt: 2, node: node("n1") };
    let skip = Fire {
        job: name("a"),
        revision: 1,
        due: Some(DueRow { at: at(120), job: name("a"), kind: DueKind::Schedule }),
        at: at(120),
        next: Some(at(180)),
        is_forced: false,
        verdict: Verdict::Skip {
            last: at(120),
            fires: 1,
            reason: SkipReason::NoCapableNode { wanted: "tag role=web".to_owned() },
        },
    };
    let declared = ApplyJobs {
        declared_by: "app".to_owned(),
        jobs: vec![JobWrite::new(Job::new(name("c")), None)],
        prune: true,
    };
    let commands = [
        Command::SetJob(Box::new(JobWrite::new(nightly, Some(at(60))))),
        Command::SetJob(Box::new(JobWrite::new(child, None))),
        start(&row, 1, false),
        Command::Finish(report(ExecutionState::Failed, 1, "exit status 1\n")),
        start(&DueRow { at: at(61), job: name("a"), kind: retry }, 1, false),
        Command::Fire(skip),
        start(&DueRow { at: at(130), job: name("b"), kind: DueKind::Schedule }, 2, true),
        Command::Cancel { job: name("b"), execution: id(130) },
        Command::ApplyJobs(Box::new(declared)),
        Command::SetDisabled {
            job: name("c"),
            revision: 3,
            disabled: true,
            first: None,
            overdue: None,
        },
        Command::SetPaused { paused: true },
        Command::Withdraw {
            job: name("b"),
            execution: id(130),
            token: 3,
            reason: SkipReason::Withdrawn,
        },
        Command::DeleteExecutions { job: name("a") },
        Command::DeleteJob { job: name("c") },
        Command::Sweep { removals_max: 256 },
    ];
    let entry = |(number, command): (usize, Command)| {
        let request = Some(RequestId(number as u128));
        Entry { at: at(100 + number as i64 * 10), commands: vec![Envelope { request, command }] }
    };
    commands.into_iter().enumerate().map(entry).collect()
}

/// Returns the state after the first samples: jobs, a running execution, due rows.
pub fn state() -> MemoryTables {
    static STATE: OnceLock<MemoryTables> = OnceLock::new();
    let made = STATE.get_or_init(|| {
        let mut tables = MemoryTables::new();
        for entry in samples().into_iter().take(7) {
            let mut events = Vec::new();
            apply(&mut tables, &entry, &mut events).expect("a sample applies");
        }
        tables
    });
    made.clone()
}

/// Returns the snapshot of a state.
pub fn snapshot(tables: &MemoryTables) -> Vec<u8> {
    let mut writer = SnapshotWriter::new();
    let mut bytes = Vec::new();
    while let Some(chunk) = writer.next_chunk(tables).expect("memory does not fail") {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// Reads a snapshot, in pieces; `None` if it is refused.
pub fn restore(bytes: &[u8]) -> Option<MemoryTables> {
    let mut tables = MemoryTables::new();
    let mut reader = SnapshotReader::new(&mut tables);
    for piece in bytes.chunks(1_000) {
        reader.push(piece).ok()?;
    }
    reader.finish().ok()?;
    Some(tables)
}

/// Reads everything that an API would show.
///
/// # Errors
///
/// [`TableError`] if something does not decode.
pub fn look_at(tables: &impl Tables) -> Result<(), TableError> {
    let part = Part { order: Order::Descending, skip: 1, limit: LOOK_MAX };
    query::first_due(tables)?;
    query::due_rows(tables, None, Timestamp::MAX, LOOK_MAX)?;
    query::is_paused(tables)?;
    query::stats(tables, at(0), 3)?;
    query::jobs_page(tables, part)?;
    for view in query::jobs_after(tables, None, LOOK_MAX, |_| Ok(true))? {
        let job = &view.job.name;
        query::children(tables, job)?;
        query::waiting(tables, job)?;
        query::skips(tables, job, Order::Ascending, LOOK_MAX)?;
        query::running(tables, Some(job), LOOK_MAX)?;
        for execution in query::executions_page(tables, job, part)?.items {
            query::output(tables, job, &execution.id)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dkron_core::kernel::state::Outcome;

    use super::*;

    #[test]
    fn every_sample_takes_effect() {
        let mut tables = MemoryTables::new();
        for entry in samples() {
            let outcomes = apply(&mut tables, &entry, &mut Vec::new()).unwrap();
            let [outcome] = outcomes.as_slice() else { panic!("{outcomes:?}") };
            assert!(!matches!(outcome, Outcome::Rejected(_)), "{entry:?}: {outcome:?}");
        }
    }
}
