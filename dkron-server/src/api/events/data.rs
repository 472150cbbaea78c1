//! The data of events: JSON in Dkron's words, one line each.

use dkron_core::{Cause, Execution, JobChange, JobName, Skip, Timestamp, Zone};

use super::tails::Chunk;
use crate::api::executions::write_fields;
use crate::api::skips;
use crate::go_json::{GoTime, Layout, Writer};

/// The data of `job_changed`.
pub(super) fn job_changed(job: &JobName, change: JobChange) -> String {
    object(|json| {
        json.key("job_name").string(job.as_str());
        json.key("change").string(match change {
            JobChange::Created => "created",
            JobChange::Updated => "updated",
            JobChange::Deleted => "deleted",
            JobChange::Toggled { .. } => "toggled",
        });
        if let JobChange::Toggled { disabled } = change {
            json.key("disabled").bool(disabled);
        }
    })
}

/// The data of `execution_started`.
pub(super) fn started(execution: &Execution) -> String {
    object(|json| {
        write_execution(json, execution);
    })
}

/// The data of `execution_finished`.
pub(super) fn finished(
    execution: &Execution,
    is_fire_complete: bool,
    retry_at: Option<Timestamp>,
) -> String {
    object(|json| {
        write_execution(json, execution);
        json.key("output_bytes_total").display(execution.output_bytes_total);
        json.key("fire_complete").bool(is_fire_complete);
        if let Some(retry_at) = retry_at {
            json.key("retry_at").display_string(GoTime::utc(retry_at));
        }
    })
}

/// The data of `execution_output`.
pub(super) fn output(execution: &Execution, chunk: &Chunk) -> String {
    object(|json| {
        json.key("id").string(&execution.id.to_string());
        json.key("job_name").string(execution.job.as_str());
        json.key("node_name").string(execution.id.node.as_str());
        json.key("offset").display(chunk.offset);
        json.key("bytes_missing").display(chunk.missing);
        json.key("output").bytes(&chunk.bytes);
    })
}

/// The data of `fire_skipped`; `withdrawn` had been claimed for it.
pub(super) fn skipped(skip: &Skip, withdrawn: Option<&Execution>) -> String {
    object(|json| {
        skips::write_fields(json, skip, Zone::UTC);
        if let Some(execution) = withdrawn {
            json.key("id").string(&execution.id.to_string());
        }
    })
}

/// Writes an execution as the list of executions shows it, and more.
fn write_execution(json: &mut Writer, execution: &Execution) {
    write_fields(json, execution, &[], Zone::UTC);
    json.key("state").string(&execution.state.to_string());
    json.key("cause").string(match execution.cause {
        Cause::Schedule => "schedule",
        Cause::Manual => "manual",
        Cause::Parent => "parent",
    });
}

fn object(write: impl FnOnce(&mut Writer)) -> String {
    let mut json = Writer::new(Layout::Compact);
    json.begin_object();
    write(&mut json);
    json.end_object();
    json.take()
}

#[cfg(test)]
mod tests {
    use dkron_core::SkipReason;

    use super::*;
    use crate::api::executions::tests::execution;

    fn job() -> JobName {
        JobName::parse("job").unwrap()
    }

    #[test]
    fn changes_of_jobs_are_told_in_a_word() {
        let check = |change, want: &str| {
            assert_eq!(job_changed(&job(), change), format!("{{\"job_name\":\"job\",{want}}}"));
        };
        check(JobChange::Created, "\"change\":\"created\"");
        check(JobChange::Updated, "\"change\":\"updated\"");
        check(JobChange::Deleted, "\"change\":\"deleted\"");
        let toggled = JobChange::Toggled { disabled: true };
        check(toggled, "\"change\":\"toggled\",\"disabled\":true");
    }

    #[test]
    fn an_execution_is_told_as_lists_show_it_and_a_little_more() {
        let told = started(&execution(1_000_000_000, None));
        assert_eq!(
            told,
            "{\"id\":\"1000000000-n\",\"job_name\":\"job\",\
             \"started_at\":\"1970-01-01T00:00:01Z\",\"finished_at\":\"0001-01-01T00:00:00Z\",\
             \"success\":false,\"node_name\":\"n\",\"group\":1000000000,\"attempt\":1,\
             \"state\":\"running\",\"cause\":\"schedule\"}"
        );
        let end = Some(Timestamp::UNIX_EPOCH);
        let told = finished(&execution(1, end), false, end);
        let want = "\"output_bytes_total\":0,\"fire_complete\":false,\
                    \"retry_at\":\"1970-01-01T00:00:00Z\"}";
        assert!(told.ends_with(want), "{told}");
    }

    #[test]
    fn an_output_is_one_line_whatever_it_holds() {
        let chunk = Chunk { offset: 7, missing: 2, bytes: b"a\r\n\"\xff\0".to_vec() };
        assert_eq!(
            output(&execution(1, None), &chunk),
            "{\"id\":\"1-n\",\"job_name\":\"job\",\"node_name\":\"n\",\"offset\":7,\
             \"bytes_missing\":2,\"output\":\"a\\r\\n\\\"\\ufffd\\u0000\"}"
        );
    }

    #[test]
    fn a_skip_is_told_as_lists_show_it_with_the_claim_that_was_taken_back() {
        let at = Timestamp::UNIX_EPOCH;
        let reason = SkipReason::Disabled;
        let skip = Skip { job: job(), first: at, last: at, attempt: 1, fires: 3, reason };
        let want = "{\"job_name\":\"job\",\"first\":\"1970-01-01T00:00:00Z\",\
                    \"last\":\"1970-01-01T00:00:00Z\",\"fires\":3,\"attempt\":1,\
                    \"reason\":\"disabled\",\"detail\":\"the job is disabled\"";
        assert_eq!(skipped(&skip, None), format!("{want}}}"));
        let withdrawn = skipped(&skip, Some(&execution(1, None)));
        assert_eq!(withdrawn, format!("{want},\"id\":\"1-n\"}}"));
    }
}
