//! The routes of executions: the handlers that answer with the list of a job, with one execution,
//! and with what runs at present, and that delete; and the JSON of an execution.
//!
//! Which executions a list holds, and in which order, is in `history`.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::{
    Error, ErrorKind, Execution, ExecutionId, ExecutionState, JobName, Timestamp, Zone,
};

use super::Api;
use super::answer::{
    TOTAL_COUNT, WAITING_COUNT, empty, failure, json, json_body, layout, text, with_header,
};
use super::history::{History, Sort};
use super::job_json::write_job;
use super::pieces::{Piece, Pieces, blocking, body_of};
use super::query::Query;
use crate::go_json::{GoTime, Writer};

/// Bytes of a running execution's output that `/v1/busy` shows: its end.
const BUSY_OUTPUT_BYTES: usize = 4_096;

/// A piece of a history is sent once it has so many bytes.
const PIECE_BYTES: usize = 1 << 16;

/// Answers `GET /v1/jobs/:job/executions`.
pub(super) async fn list(api: Arc<Api>, job: &str, query: Query) -> Response {
    let view = match api.cluster.job(job) {
        Ok(Some(view)) => view,
        Ok(None) => return empty(StatusCode::NOT_FOUND),
        Err(error) => return failure(&error),
    };
    let sort = match Sort::parse(query.get("_sort").unwrap_or_default()) {
        Ok(sort) => sort,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    let is_descending = query.get("_order").is_none_or(|order| order.is_empty() || order == "DESC");
    let zone = Zone::parse(&view.job.timezone, api.server_zone).unwrap_or(Zone::UTC);
    let job = view.job.name.clone();
    let history = if sort == Sort::Id {
        History::in_order(&view, is_descending)
    } else {
        let (reader, name) = (Arc::clone(&api), job.clone());
        // All of it has to be looked at.
        match blocking(move || History::sorted(&reader, &name, sort, is_descending)).await {
            Ok(history) => history,
            Err(error) => return failure(&error),
        }
    };
    let total = history.total().to_string();
    let mut json = Writer::new(layout(&query));
    json.begin_array();
    let output_bytes_max = output_limit(&query);
    let response =
        match body_of(HistoryWriter { api, job, history, output_bytes_max, zone, json }).await {
            Ok(body) => json_body(StatusCode::OK, body),
            Err(error) => failure(&error),
        };
    with_header(response, TOTAL_COUNT, &total)
}

/// Answers `GET /v1/jobs/:job/executions/:execution`.
pub(super) async fn show(api: Arc<Api>, job: &str, id: &str, query: &Query) -> Response {
    let Ok(id) = ExecutionId::parse(id) else { return empty(StatusCode::NOT_FOUND) };
    let job = job.to_owned();
    // After a start it may have to wait until the history was checked.
    match blocking(move || find(&api, &job, &id)).await {
        Ok(Some((execution, output))) => json(StatusCode::OK, layout(query), |json| {
            json.begin_object();
            write_fields(json, &execution, &output, Zone::UTC);
            json.end_object();
        }),
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Err(error) if error.kind() == ErrorKind::InvalidArgument => empty(StatusCode::NOT_FOUND),
        Err(error) => failure(&error),
    }
}

/// Answers `DELETE /v1/jobs/:job/executions`.
pub(super) async fn delete(api: Arc<Api>, job: &str, query: Query) -> Response {
    let read = || api.cluster.job(job).map_err(Error::maybe_happened);
    let deleted = api.cluster.delete_executions(job).await;
    match deleted.and_then(|()| read()) {
        Ok(Some(view)) => {
            json(StatusCode::OK, layout(&query), |json| write_job(json, &view, api.moment()))
        }
        // Deleted since, and its history with it.
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Err(error) if error.kind() == ErrorKind::InvalidArgument => empty(StatusCode::NOT_FOUND),
        Err(error) => failure(&error),
    }
}

/// Answers `GET /v1/busy`.
pub(super) async fn busy(api: Arc<Api>, query: &Query) -> Response {
    // Thousands may run, each with its output.
    let running = blocking(move || {
        let mut running = api.cluster.running(BUSY_OUTPUT_BYTES)?;
        running.sort_by_key(|run| (run.execution.started_at, run.execution.id.due_ns));
        Ok((running, api.cluster.health().waiting))
    });
    let (running, waiting) = match running.await {
        Ok(running) => running,
        Err(error) => return failure(&error),
    };
    let response = json(StatusCode::OK, layout(query), |json| {
        json.begin_array();
        for run in &running {
            json.begin_object();
            write_fields(json, &run.execution, &run.output.bytes, Zone::UTC);
            json.end_object();
        }
        json.end_array();
    });
    let response = with_header(response, TOTAL_COUNT, &running.len().to_string());
    with_header(response, WAITING_COUNT, &waiting.to_string())
}

fn find(api: &Api, job: &str, id: &ExecutionId) -> Result<Option<(Execution, Vec<u8>)>, Error> {
    let Some(execution) = api.cluster.execution(job, id)? else { return Ok(None) };
    let output = api.cluster.output(job, id)?;
    Ok(Some((execution, output.map(|output| output.bytes).unwrap_or_default())))
}

/// Returns how many bytes of each output are wanted; `None` = all.
fn output_limit(query: &Query) -> Option<usize> {
    query.get("output_size_limit").and_then(|limit| limit.parse().ok())
}

/// Writes a history, a few executions at a time: each may carry a quarter of a megabyte of output.
struct HistoryWriter {
    api: Arc<Api>,
    job: JobName,
    history: History,
    output_bytes_max: Option<usize>,
    zone: Zone,
    json: Writer,
}

impl Pieces for HistoryWriter {
    fn next_piece(&mut self) -> Result<Piece, Error> {
        while self.json.len() < PIECE_BYTES {
            match self.history.next(&self.api, &self.job)? {
                Some(execution) => self.write(&execution)?,
                None => {
                    self.json.end_array();
                    return Ok(Piece { text: self.json.take(), is_last: true });
                }
            }
        }
        Ok(Piece { text: self.json.take(), is_last: false })
    }
}

impl HistoryWriter {
    fn write(&mut self, execution: &Execution) -> Result<(), Error> {
        let output = self.api.cluster.output(execution.job.as_str(), &execution.id)?;
        let output = output.map(|output| output.bytes).unwrap_or_default();
        let shown = self.output_bytes_max.map_or(&*output, |bytes_max| last(&output, bytes_max));
        self.json.begin_object();
        write_fields(&mut self.json, execution, shown, self.zone);
        self.json.key("output_truncated").bool(shown.len() < output.len());
        self.json.end_object();
        Ok(())
    }
}

/// Writes the fields that every form of an execution has; those that say nothing are left out.
pub(super) fn write_fields(json: &mut Writer, execution: &Execution, output: &[u8], zone: Zone) {
    let local = |at: Timestamp| GoTime { at, offset_s: zone.offset_s_at(at) };
    let finished_at = execution.finished_at.map_or(GoTime::utc(Timestamp::MIN), local);
    json.key("id").string(&execution.id.to_string());
    json.key("job_name").string(execution.job.as_str());
    json.key("started_at").display_string(local(execution.started_at));
    json.key("finished_at").display_string(finished_at);
    json.key("success").bool(execution.state == ExecutionState::Succeeded);
    if !output.is_empty() {
        json.key("output").bytes(output);
    }
    json.key("node_name").string(execution.id.node.as_str());
    json.key("group").display(execution.fire_time.as_unix_ns());
    json.key("attempt").display(execution.attempt);
}

/// Returns the last `bytes_max` bytes.
fn last(bytes: &[u8], bytes_max: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(bytes_max)..).unwrap_or(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use dkron_core::{Cause, NodeName};

    use super::*;
    use crate::go_json::Layout;

    /// Returns the first attempt of a fire.
    pub(in crate::api) fn execution(due_ns: u64, finished_at: Option<Timestamp>) -> Execution {
        let at = Timestamp::from_unix_ns(due_ns as i64);
        Execution {
            job: JobName::parse("job").unwrap(),
            id: ExecutionId { due_ns, node: NodeName::parse("n").unwrap() },
            fire_time: at,
            cause: Cause::Schedule,
            attempt: 1,
            token: due_ns,
            instance: 1,
            started_at: at,
            finished_at,
            state: ExecutionState::Running,
            is_cancel_requested: false,
            output_bytes_total: 0,
        }
    }

    #[test]
    fn a_running_execution_ends_in_the_year_1_in_every_zone() {
        for zone in ["UTC", "Europe/Paris", "Asia/Tokyo"] {
            let mut json = Writer::new(Layout::Compact);
            json.begin_object();
            write_fields(
                &mut json,
                &execution(0, None),
                &[],
                Zone::parse(zone, Zone::UTC).unwrap(),
            );
            json.end_object();

            let text = json.take();
            assert!(text.contains("\"finished_at\":\"0001-01-01T00:00:00Z\""), "{zone}: {text}");
        }
    }
}
