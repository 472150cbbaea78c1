//! `POST /v1/jobs/:job` and `/run`: run a job now, and answer when everything it set off is over.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::Response;
use dkron_core::{ErrorKind, RunReceipt, parse_go_bool};

use super::Api;
use super::answer::{empty, failure, failure_as, json, layout, refusal, text, with_header};
use super::cancel::execution_path;
use super::cascade::Cascade;
use super::job_json::write_job;
use super::query::Query;

/// When a run is answered, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// When everything it set off is over, with the job as it was before. Dkron's way.
    End,
    /// At once, with the job as it was before.
    None,
    /// At once, with what was started. An extension.
    Started,
}

impl Wait {
    /// Reads `async` and `wait`; otherwise what is wrong.
    fn parse(query: &Query) -> Result<Self, String> {
        let is_async = query.has("async");
        match query.get_some("wait").map(|text| (text, parse_go_bool(text))) {
            Some((_, Some(false))) => Ok(Self::Started),
            Some((text, None)) => Err(format!("wait must be true or false, found \"{text}\"")),
            _ if is_async => Ok(Self::None),
            _ => Ok(Self::End),
        }
    }
}

/// Runs a job. The answer comes when all nodes have finished, with retries and dependent jobs, or
/// when the query wants it. If the node stops before, it is 503, and the run may go on.
pub(super) async fn run(api: Arc<Api>, job: &str, query: Query, target: &str) -> Response {
    let before = match api.cluster.job(job) {
        Ok(Some(view)) => view,
        Ok(None) => return empty(StatusCode::NOT_FOUND),
        Err(error) => return failure(&error),
    };
    let wait = match Wait::parse(&query) {
        Ok(wait) => wait,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
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
    match wait {
        Wait::Started => return started(cascade.receipt(), &query),
        Wait::End => {
            if let Err(error) = cascade.wait().await {
                return failure(&error);
            }
        }
        Wait::None => {}
    }
    let response = json(StatusCode::OK, layout(&query), |json| write_job(json, &before, moment));
    with_header(response, header::LOCATION, target)
}

/// Answers with the executions that were started, one for each node; `Location` is the first.
fn started(receipt: &RunReceipt, query: &Query) -> Response {
    let response = json(StatusCode::ACCEPTED, layout(query), |json| {
        json.begin_object();
        json.key("job_name").string(receipt.job.as_str());
        json.key("group").display(receipt.fire_time.as_unix_ns());
        json.key("executions").begin_array();
        for id in &receipt.executions {
            json.string(&id.to_string());
        }
        json.end_array().end_object();
    });
    match receipt.executions.first() {
        Some(id) => with_header(response, header::LOCATION, &execution_path(&receipt.job, id)),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, want: Result<Wait, &str>) {
        let got = Wait::parse(&Query::parse(query));
        assert_eq!(got, want.map_err(str::to_owned), "{query}");
    }

    #[test]
    fn a_run_is_waited_for_unless_the_query_wants_otherwise() {
        check("", Ok(Wait::End));
        check("wait=true", Ok(Wait::End));
        check("wait", Ok(Wait::End));
        check("async", Ok(Wait::None));
        check("wait=true&async", Ok(Wait::None));
        check("wait=false", Ok(Wait::Started));
        check("wait=0&async", Ok(Wait::Started));
        check("wait=no", Err("wait must be true or false, found \"no\""));
    }
}
