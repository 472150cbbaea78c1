//! Creating and replacing jobs, and what else changes one: toggle, delete.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use dkron_core::{Error, ErrorKind, JobView};

use super::Api;
use super::answer::{empty, failure, json, layout, refusal, text, with_header};
use super::change::{Change, Unchanged};
use super::job_body::JobBody;
use super::job_check::{CheckedJob, JobRefusal};
use super::job_json::{NoProcessors, write_job, write_job_with};
use super::percent::percent_encode;
use super::precondition::{Preconditions, with_tag};
use super::query::Query;

/// Dkron's word for a parent that does not exist.
const NO_PARENT: &str = "specified parent job not found";

/// Answers `POST /v1/jobs`, `PATCH /v1/jobs` and `PUT /v1/jobs/:job`, which are the same.
pub(super) async fn write(api: Arc<Api>, query: Query, request: Request) -> Response {
    match api.cluster.is_paused() {
        Ok(false) => {}
        Ok(true) => {
            let paused = "New job submissions are currently paused";
            return text(StatusCode::SERVICE_UNAVAILABLE, paused);
        }
        Err(error) => return failure(&error),
    }
    let (parts, body) = request.into_parts();
    let conditions = match Preconditions::of(&parts.headers) {
        Ok(conditions) => conditions,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    let body = api.bodies.receive(body).await;
    // The room is held until the job is written: what is made of a body is as large.
    let ((checked, no_processors), _room) =
        match body.and_then(|(body, room)| Ok((check(&api, &body)?, room))) {
            Ok(accepted) => accepted,
            Err((status, why)) => return text(status, why),
        };
    match Change::Store(Box::new(checked)).make(&api, &conditions).await {
        Ok(view) => {
            let can_run = !view.job.disabled || view.job.parent_job.is_some();
            if query.has("runoncreate") && can_run {
                run_in_background(&api, &view);
            }
            let location = format!("/v1/jobs/{}", percent_encode(view.job.name.as_str()));
            let response = json(StatusCode::CREATED, layout(&query), |json| {
                write_job_with(json, &view, api.moment(), no_processors);
            });
            with_tag(with_header(response, header::LOCATION, &location), &view)
        }
        Err(Unchanged::Condition(fault)) => text(StatusCode::PRECONDITION_FAILED, fault),
        Err(Unchanged::Error(error)) => write_failure(&error),
    }
}

/// Answers `POST /v1/jobs/:job/toggle`.
pub(super) async fn toggle(
    api: &Api,
    job: &str,
    query: &Query,
    target: &str,
    headers: &HeaderMap,
) -> Response {
    let conditions = match Preconditions::of(headers) {
        Ok(conditions) => conditions,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    match Change::Toggle(job).make(api, &conditions).await {
        Ok(view) => {
            let response =
                json(StatusCode::OK, layout(query), |json| write_job(json, &view, api.moment()));
            with_tag(with_header(response, header::LOCATION, target), &view)
        }
        Err(Unchanged::Condition(fault)) => text(StatusCode::PRECONDITION_FAILED, fault),
        Err(Unchanged::Error(error)) => {
            let refused = match error.kind() {
                ErrorKind::Conflict => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::NOT_FOUND,
            };
            refusal(refused, &error)
        }
    }
}

/// Answers `DELETE /v1/jobs/:job`.
pub(super) async fn delete(api: &Api, job: &str, query: &Query, headers: &HeaderMap) -> Response {
    let conditions = match Preconditions::of(headers) {
        Ok(conditions) => conditions,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    match Change::Delete(job).make(api, &conditions).await {
        Ok(view) => {
            json(StatusCode::OK, layout(query), |json| write_job(json, &view, api.moment()))
        }
        Err(Unchanged::Condition(fault)) => text(StatusCode::PRECONDITION_FAILED, fault),
        Err(Unchanged::Error(error)) => refusal(StatusCode::NOT_FOUND, &error),
    }
}

/// Answers `GET /v1/jobs/:job`.
pub(super) fn show(api: &Api, job: &str, query: &Query) -> Response {
    match api.cluster.job(job) {
        Ok(Some(view)) => {
            let response =
                json(StatusCode::OK, layout(query), |json| write_job(json, &view, api.moment()));
            with_tag(response, &view)
        }
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Err(error) => failure(&error),
    }
}

/// Reads and checks a job; otherwise the status and the text of the refusal.
fn check(api: &Api, body: &[u8]) -> Result<(CheckedJob, NoProcessors), (StatusCode, String)> {
    let mut body = JobBody::decode(body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("Unable to parse payload: {error}.")))?;
    body.default_concurrency();
    let no_processors =
        if body.has_processors() { NoProcessors::Empty } else { NoProcessors::Null };
    let checked = body.check(api.server_zone).map_err(|refusal| match refusal {
        JobRefusal::Invalid(why) => {
            (StatusCode::BAD_REQUEST, format!("Job validation failed: {why}."))
        }
        JobRefusal::NoParent => (StatusCode::NOT_FOUND, NO_PARENT.to_owned()),
    })?;
    Ok((checked, no_processors))
}

fn write_failure(error: &Error) -> Response {
    match error.kind() {
        ErrorKind::InvalidArgument => {
            let text_ = format!("Job validation failed: {}.", error.message());
            text(StatusCode::BAD_REQUEST, text_)
        }
        ErrorKind::NotFound => text(StatusCode::NOT_FOUND, NO_PARENT),
        _ => failure(error),
    }
}

/// Runs a job that was just written; nobody waits for it.
fn run_in_background(api: &Arc<Api>, view: &JobView) {
    let (api, name) = (Arc::clone(api), view.job.name.clone());
    tokio::spawn(async move {
        if let Err(error) = api.cluster.run(name.as_str()).await {
            tracing::warn!(job = %name, error = %error.report(), "api: runoncreate did not run");
        }
    });
}
