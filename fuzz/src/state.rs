//! The replicated state: log frames, snapshots, and rows that nobody wrote.

use std::ops::{Bound, ControlFlow};

use dkron_core::Timestamp;
use dkron_core::kernel::model::{ExecutionState, JobName};
use dkron_core::kernel::state::{
    Command, Entry, Envelope, MemoryTables, Order, Report, SnapshotReader, SnapshotWriter,
    StoredOutput, Table, Tables, TablesMut, apply, check_integrity, decode_entry, encode_entry,
    query,
};

/// A log frame that decodes is an entry: it encodes to one that is equal, and applies to a state
/// that is sound before and after.
pub fn log_entry(data: &[u8]) {
    let Ok(entry) = decode_entry(data) else { return };
    assert_eq!(decode_entry(&encode_entry(&entry)).as_ref(), Ok(&entry));

    let mut tables = MemoryTables::new();
    let mut events = Vec::new();
    for _ in 0..2 {
        let outcomes = apply(&mut tables, &entry, &mut events).expect("memory does not fail");
        assert_eq!(outcomes.len(), entry.commands.len());
        let violations = check_integrity(&tables).expect("what was written decodes");
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// A snapshot that is read is written again as one that is equal; reading it never panics.
pub fn snapshot(data: &[u8]) {
    let mut tables = MemoryTables::new();
    if restore(&mut tables, data, 7).is_err() {
        return;
    }
    let mut writer = SnapshotWriter::new();
    let mut stream = Vec::new();
    while let Some(chunk) = writer.next_chunk(&tables).expect("memory does not fail") {
        stream.extend(chunk);
    }
    let mut again = MemoryTables::new();
    restore(&mut again, &stream, 1 << 20).expect("what was written is read");
    assert!(again == tables);
    use_rows(&mut tables);
}

fn restore(tables: &mut MemoryTables, stream: &[u8], step: usize) -> Result<(), String> {
    let mut reader = SnapshotReader::new(tables);
    for bytes in stream.chunks(step) {
        reader.push(bytes).map_err(|error| error.to_string())?;
    }
    reader.finish().map_err(|error| error.to_string())
}

/// Rows of any bytes: reading and changing them answers, with an error or without.
///
/// Reads rows of: place of the table, length of the key, key, length of the value, value.
pub fn rows(mut data: &[u8]) {
    let mut tables = MemoryTables::new();
    while let Some((&place, rest)) = data.split_first() {
        let table = Table::ALL[usize::from(place) % Table::ALL.len()];
        let (key, rest) = take(rest);
        let (value, rest) = take(rest);
        data = rest;
        if !key.is_empty() {
            tables.put(table, key, value).expect("memory does not fail");
        }
    }
    use_rows(&mut tables);
}

/// Takes as many bytes as the first one says, or all.
fn take(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((&length, rest)) = data.split_first() else { return (&[], &[]) };
    rest.split_at(usize::from(length).min(rest.len()))
}

/// Asks everything, then changes everything, whatever comes of it.
fn use_rows(tables: &mut MemoryTables) {
    let _ = check_integrity(tables);
    let _ = query::due_rows(tables, None, Timestamp::MAX, usize::MAX);
    let _ = query::running(tables, None, usize::MAX);
    let _ = query::stats(tables, Timestamp::UNIX_EPOCH, 30);
    let part = query::Part { order: Order::Descending, skip: 0, limit: usize::MAX };
    let _ = query::jobs_page(tables, part);

    let mut names = Vec::new();
    for table in [Table::Jobs, Table::Status] {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let walked = tables.walk(table, all, Order::Ascending, |key, _| {
            let name = std::str::from_utf8(key).ok().and_then(|text| JobName::parse(text).ok());
            names.extend(name);
            ControlFlow::Continue(())
        });
        walked.expect("memory does not fail");
    }
    for job in names {
        let _ = query::executions_page(tables, &job, part);
        let _ = query::skips(tables, &job, Order::Ascending, usize::MAX);
        let _ = query::waiting(tables, &job);
        for run in query::running(tables, Some(&job), 4).unwrap_or_default() {
            let report = Report {
                job: job.clone(),
                execution: run.id,
                token: run.token,
                started_at: None,
                finished_at: Timestamp::MAX,
                state: ExecutionState::Failed,
                output: StoredOutput::default(),
            };
            change(tables, Command::Finish(report));
        }
        if let Ok(Some(view)) = query::job(tables, &job) {
            let (revision, disabled) = (view.status.revision, !view.job.disabled);
            let toggled = job.clone();
            change(
                tables,
                Command::SetDisabled {
                    job: toggled,
                    revision,
                    disabled,
                    first: None,
                    overdue: None,
                },
            );
        }
        change(tables, Command::DeleteExecutions { job: job.clone() });
        change(tables, Command::DeleteJob { job });
    }
    change(tables, Command::Sweep { removals_max: u32::MAX });
}

fn change(tables: &mut MemoryTables, command: Command) {
    let commands = vec![Envelope { request: None, command }];
    let entry = Entry { at: Timestamp::UNIX_EPOCH, commands };
    let _ = apply(tables, &entry, &mut Vec::new());
}
