//! The fires of a job that were not started, and why: an addition to Dkron's API.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::limits::SKIPS_PER_JOB_MAX;
use dkron_core::{Error, ErrorKind, Skip, Timestamp, Zone};

use super::Api;
use super::answer::{TOTAL_COUNT, empty, failure, json, layout, with_header};
use super::pieces::blocking;
use super::query::Query;
use crate::go_json::{GoTime, Writer};

/// Answers `GET /v1/jobs/:job/skips`: newest first, at most [`SKIPS_PER_JOB_MAX`].
pub(super) async fn list(api: Arc<Api>, job: &str, query: &Query) -> Response {
    let job = job.to_owned();
    // After a start it may have to wait until the history was checked.
    let found = blocking(move || read(&api, &job)).await;
    let (skips, zone) = match found {
        Ok(Some(found)) => found,
        Ok(None) => return empty(StatusCode::NOT_FOUND),
        Err(error) => return failure(&error),
    };
    let response = json(StatusCode::OK, layout(query), |json| {
        json.begin_array();
        for skip in &skips {
            json.begin_object();
            write_fields(json, skip, zone);
            json.end_object();
        }
        json.end_array();
    });
    with_header(response, TOTAL_COUNT, &skips.len().to_string())
}

/// Reads the skips of a job and its zone; `None` without such a job.
fn read(api: &Api, job: &str) -> Result<Option<(Vec<Skip>, Zone)>, Error> {
    let is_absent =
        |error: &Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidArgument);
    let Some(view) = api.cluster.job(job)? else { return Ok(None) };
    let zone = Zone::parse(&view.job.timezone, api.server_zone).unwrap_or(Zone::UTC);
    match api.cluster.skips(job, SKIPS_PER_JOB_MAX as usize) {
        Ok(skips) => Ok(Some((skips, zone))),
        // Deleted since.
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the fields of a skip.
pub(super) fn write_fields(json: &mut Writer, skip: &Skip, zone: Zone) {
    let local = |at: Timestamp| GoTime { at, offset_s: zone.offset_s_at(at) };
    json.key("job_name").string(skip.job.as_str());
    json.key("first").display_string(local(skip.first));
    json.key("last").display_string(local(skip.last));
    json.key("fires").display(skip.fires);
    json.key("attempt").display(skip.attempt);
    json.key("reason").string(skip.reason.label());
    json.key("detail").string(&skip.reason.to_string());
}

#[cfg(test)]
mod tests {
    use dkron_core::{JobName, SkipReason};

    use super::*;
    use crate::go_json::Layout;

    #[test]
    fn a_skip_is_shown_in_the_zone_of_its_job_with_its_reason() {
        let at = |s| Timestamp::from_unix_s(s).unwrap();
        let reason = SkipReason::NoCapableNode { wanted: "tag role=web".to_owned() };
        let job = JobName::parse("a").unwrap();
        let skip = Skip { job, first: at(0), last: at(60), attempt: 1, fires: 2, reason };
        let mut json = Writer::new(Layout::Compact);

        json.begin_object();
        write_fields(&mut json, &skip, Zone::parse("Asia/Tokyo", Zone::UTC).unwrap());
        json.end_object();

        assert_eq!(
            json.take(),
            "{\"job_name\":\"a\",\"first\":\"1970-01-01T09:00:00+09:00\",\
             \"last\":\"1970-01-01T09:01:00+09:00\",\"fires\":2,\"attempt\":1,\
             \"reason\":\"no_capable_node\",\"detail\":\"no capable node: tag role=web\"}"
        );
    }
}
