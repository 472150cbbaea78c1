//! The output of one execution as plain text: the stored one, or the live one of a run.
//!
//! Dkron has no such route: it shows outputs inside of JSON, and of running ones a chunk.
//!
//! # Where to begin reading
//!
//! [`show`]; then `stored` and `live`, one for each state of an execution.
//!
//! # Invariants
//!
//! * A run never waits for who reads its output.
//! * Of those who follow runs as many are served as `streams` permits; more are told so.

mod live;
mod range;
mod stored;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use dkron_core::{
    Error, ErrorKind, Execution, ExecutionId, ExecutionOutput, OutputFollower, parse_go_bool,
};

use super::Api;
use super::answer::{failure, text, typed, with_header};
use super::executions;
use super::pieces::blocking;
use super::query::Query;

/// How many bytes the execution has written in all; the last of them are kept.
const BYTES_TOTAL: HeaderName = HeaderName::from_static("x-dkron-output-bytes-total");

/// Where the execution stood when the answer began.
const STATE: HeaderName = HeaderName::from_static("x-dkron-execution-state");

/// What an answer is made of.
enum Found {
    /// It has ended, or only what there is was asked for.
    Stored(Execution, ExecutionOutput),
    Running(Execution, OutputFollower),
}

/// Answers `GET /v1/jobs/:job/executions/:execution/output`.
pub(super) async fn show(
    api: Arc<Api>,
    job: &str,
    id: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Response {
    let is_followed = match query.get_some("follow").map(parse_go_bool) {
        None => true,
        Some(Some(is_followed)) => is_followed,
        Some(None) => return text(StatusCode::BAD_REQUEST, "follow must be true or false"),
    };
    let found = match ExecutionId::parse(id) {
        Ok(parsed) => {
            let (reader, job) = (Arc::clone(&api), job.to_owned());
            blocking(move || find(&reader, &job, &parsed, is_followed)).await
        }
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(Found::Stored(execution, output))) if execution.state.is_final() => {
            let state = execution.state.to_string();
            with_header(stored::answer(&execution, output, headers), STATE, &state)
        }
        Ok(Some(Found::Stored(execution, output))) => {
            let response = plain(StatusCode::OK, Body::from(output.bytes));
            let response = with_header(response, BYTES_TOTAL, &output.bytes_total.to_string());
            running(response, &execution)
        }
        Ok(Some(Found::Running(execution, follower))) => match api.streams.output_place() {
            Some(place) => running(live::answer(follower, place), &execution),
            None => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "as many clients as may follow the outputs of executions; ask with ?follow=false, \
                 or try again later",
            ),
        },
        Ok(None) => {
            // The name of a node may end like this route.
            let of_such_a_node = format!("{id}/output");
            let response = executions::show(api, job, &of_such_a_node, query).await;
            if response.status() == StatusCode::NOT_FOUND {
                return text(StatusCode::NOT_FOUND, "no such execution is kept");
            }
            response
        }
        Err(error) => failure(&error),
    }
}

/// Reads what the answer is made of; `None` if there is no such execution. Blocks.
fn find(api: &Api, job: &str, id: &ExecutionId, is_followed: bool) -> Result<Option<Found>, Error> {
    let execution = match api.cluster.execution(job, id) {
        Ok(Some(execution)) => execution,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidArgument => return Ok(None),
        Err(error) => return Err(error),
    };
    if is_followed
        && !execution.state.is_final()
        && let Some(follower) = api.cluster.follow_output(job, id, 0)?
    {
        return Ok(Some(Found::Running(execution, follower)));
    }
    // What ends in between is shown as it was found: whoever asks again gets the stored output.
    let output = api.cluster.output(job, id)?;
    Ok(output.map(|output| Found::Stored(execution, output)))
}

/// Completes the answer about an execution that is running.
fn running(response: Response, execution: &Execution) -> Response {
    let response = with_header(response, STATE, &execution.state.to_string());
    let response = with_header(response, header::ACCEPT_RANGES, "none");
    with_header(response, header::CACHE_CONTROL, "no-store")
}

/// Plain text that no browser takes for anything else.
fn plain(status: StatusCode, body: Body) -> Response {
    let response = typed(status, "text/plain; charset=utf-8", body);
    with_header(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}
