//! `POST /v1/jobs/:job` and `/run`: run a job now, and answer when everything it set off is over.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::Response;
use dkron_core::ErrorKind;

use super::Api;
use super::answer::{empty, failure, failure_as, json, layout, refusal, with_header};
use super::cascade::Cascade;
use super::job_json::write_job;
use super::query::Query;

/// Runs a job. The answer is the job as it was before; it comes when all nodes have finished, with
/// retries and dependent jobs, or at once if the query has `async`. If the node stops before that,
/// it is 503, and the run may go on.
pub(super) async fn run(api: Arc<Api>, job: &str, query: Query, target: &str) -> Response {
    let before = match api.cluster.job(job) {
        Ok(Some(view)) => view,
        Ok(None) => return empty(StatusCode::NOT_FOUND),
        Err(error) => return failure(&error),
    };
    let moment = api.moment();
    let cascade = match Cascade::start(&api.cluster, &before.job.name).await {
        Ok(cascade) => cascade,
        // That no node can run it, as in Dkron.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            return failure_as(StatusCode::NOT_FOUND, &error);
        }
        Err(error) => return refusal(StatusCode::NOT_FOUND, &error),
    };
    if !query.has("async")
        && let Err(error) = cascade.wait().await
    {
        return failure(&error);
    }
    let response = json(StatusCode::OK, layout(&query), |json| write_job(json, &before, moment));
    with_header(response, header::LOCATION, target)
}
