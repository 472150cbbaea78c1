//! `POST /v1/jobs/:job/executions/:execution/cancel`: ask for the end of what runs. An extension.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::Response;
use dkron_core::{Error, ErrorKind, ExecutionId, JobName};

use super::Api;
use super::answer::{empty, failure, text, with_header};
use super::percent::percent_encode;
use super::pieces::blocking;

/// Asks for the end of an execution. The answer comes once that is committed, and does not wait for
/// the end: the execution at `Location` shows it.
pub(super) async fn cancel(api: Arc<Api>, job: &str, id: &str) -> Response {
    let not_found = || {
        text(StatusCode::NOT_FOUND, format!("job \"{job}\" has no execution \"{id}\" that is kept"))
    };
    let (Ok(name), Ok(id)) = (JobName::parse(job), ExecutionId::parse(id)) else {
        return not_found();
    };
    match api.cluster.request_cancel(job, &id).await {
        Ok(()) => {
            let location = execution_path(&name, &id);
            with_header(empty(StatusCode::ACCEPTED), header::LOCATION, &location)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match is_kept(&api, &name, &id).await {
                Ok(true) => text(StatusCode::CONFLICT, format!("execution \"{id}\" is over")),
                Ok(false) => not_found(),
                Err(error) => failure(&error),
            }
        }
        Err(error) => failure(&error),
    }
}

/// Returns the path under which an execution is shown.
pub(super) fn execution_path(job: &JobName, id: &ExecutionId) -> String {
    percent_encode(&format!("/v1/jobs/{job}/executions/{id}"))
}

async fn is_kept(api: &Arc<Api>, job: &JobName, id: &ExecutionId) -> Result<bool, Error> {
    let (api, job, id) = (Arc::clone(api), job.clone(), id.clone());
    // After a start it may have to wait until the history was checked.
    blocking(move || Ok(api.cluster.execution(job.as_str(), &id)?.is_some())).await
}
