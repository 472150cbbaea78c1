//! A job in an answer: the 26 keys of Dkron in their order, then those of ours that say something.

use std::collections::BTreeMap;

use dkron_core::schedule::{Schedule, ScheduleContext};
use dkron_core::{ConcurrencyPolicy, Job, JobView, Retention, RunStatus, Timestamp, Zone};

use super::duration_text::GoDuration;
use super::job_check::CheckedJob;
use super::policy_text as policy;
use crate::go_json::{GoTime, Layout, Writer};

/// What the shown `next` depends on beside the job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The present instant.
    pub(super) now: Timestamp,
    /// The zone of schedules that name none.
    pub(super) server_zone: Zone,
}

/// How a job without processors is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoProcessors {
    /// `{}`, as stored ones are.
    Empty,
    /// `null`, as in the answer to a write that said nothing of them.
    Null,
}

/// Writes a checked job as it would be shown if it were stored as it is.
///
/// For the command `job apply`, which compares it with what is stored, and for the fuzz target of
/// job bodies, which holds what is written against what is read.
pub fn checked_job_text(checked: &CheckedJob) -> Vec<u8> {
    let status = checked.restored.clone().unwrap_or_default();
    let view = JobView { job: checked.job.clone(), status, children: Vec::new() };
    let mut json = Writer::new(Layout::Compact);
    write_job(&mut json, &view, Moment { now: Timestamp::UNIX_EPOCH, server_zone: Zone::UTC });
    json.take().into_bytes()
}

/// Writes a job as it is stored.
pub(super) fn write_job(json: &mut Writer, view: &JobView, moment: Moment) {
    write_job_with(json, view, moment, NoProcessors::Empty);
}

/// Writes a job.
pub(super) fn write_job_with(
    json: &mut Writer,
    view: &JobView,
    moment: Moment,
    no_processors: NoProcessors,
) {
    let (job, status) = (&view.job, &view.status);
    json.begin_object();
    json.key("id").string(job.name.as_str());
    json.key("name").string(job.name.as_str());
    json.key("displayname").string(&job.displayname);
    json.key("timezone").string(&job.timezone);
    json.key("schedule").string(&job.schedule);
    json.key("owner").string(&job.owner);
    json.key("owner_email").string(&job.owner_email);
    json.key("success_count").display(status.success_count);
    json.key("error_count").display(status.error_count);
    write_nullable_time(json, "last_success", status.last_success);
    write_nullable_time(json, "last_error", status.last_error);
    json.key("disabled").bool(job.disabled);
    write_map(json.key("tags"), &job.tags);
    write_map(json.key("metadata"), &job.metadata);
    json.key("retries").display(job.retries);
    write_dependents(json, view);
    json.key("parent_job").string(job.parent_job.as_ref().map_or("", |parent| parent.as_str()));
    json.key("processors");
    if job.processors.is_empty() && no_processors == NoProcessors::Null {
        json.null();
    } else {
        write_processors(json, &job.processors);
    }
    json.key("concurrency").string(concurrency_text(job.concurrency));
    json.key("executor").string(&job.executor);
    write_map(json.key("executor_config"), &job.executor_config);
    json.key("status").string(status_text(status.status));
    json.key("next").display_string(GoTime::utc_or_zero(shown_next(view, moment)));
    json.key("ephemeral").bool(job.ephemeral);
    write_nullable_time(json, "starts_at", job.starts_at);
    write_nullable_time(json, "expires_at", job.expires_at);
    write_own_fields(json, job);
    json.end_object();
}

/// Returns the `next` that is shown.
///
/// As in Dkron, a job that starts later shows its start, one that is not scheduled at present
/// (disabled, or run by its parent) shows when its schedule would fire, and one that had a single
/// instant and fired goes on showing that.
pub(super) fn shown_next(view: &JobView, moment: Moment) -> Option<Timestamp> {
    let job = &view.job;
    if job.starts_at > Some(moment.now) {
        return job.starts_at;
    }
    if view.status.next.is_some() {
        return view.status.next;
    }
    if job.schedule.starts_with("@at ") && view.status.last_fire.is_some() {
        return view.status.last_fire;
    }
    let is_idle = job.disabled || job.parent_job.is_some();
    if !is_idle || job.schedule.is_empty() {
        return None;
    }
    let context = ScheduleContext {
        timezone: &job.timezone,
        job: job.name.as_str(),
        dst: job.dst,
        server_zone: moment.server_zone,
    };
    Schedule::parse(&job.schedule, &context).ok()?.first_at(moment.now)
}

/// Returns the word for a status, as filters and answers have it.
pub(super) const fn status_text(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Untriggered => "",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::PartiallyFailed => "partially_failed",
    }
}

const fn concurrency_text(policy: ConcurrencyPolicy) -> &'static str {
    match policy {
        ConcurrencyPolicy::Allow => "allow",
        ConcurrencyPolicy::Forbid => "forbid",
        ConcurrencyPolicy::Unsaid => "",
    }
}

fn write_nullable_time(json: &mut Writer, key: &str, at: Option<Timestamp>) {
    json.key(key);
    match at {
        Some(at) => json.display_string(at),
        None => json.null(),
    };
}

/// Writes a map of texts; an empty one is `null`.
fn write_map(json: &mut Writer, map: &BTreeMap<String, String>) {
    if map.is_empty() {
        json.null();
        return;
    }
    write_object(json, map);
}

fn write_object(json: &mut Writer, map: &BTreeMap<String, String>) {
    json.begin_object();
    for (key, value) in map {
        json.key(key).string(value);
    }
    json.end_object();
}

fn write_dependents(json: &mut Writer, view: &JobView) {
    json.key("dependent_jobs");
    if view.children.is_empty() {
        json.null();
        return;
    }
    json.begin_array();
    for name in &view.children {
        json.string(name.as_str());
    }
    json.end_array();
}

fn write_processors(json: &mut Writer, processors: &BTreeMap<String, BTreeMap<String, String>>) {
    json.begin_object();
    for (name, config) in processors {
        write_object(json.key(name), config);
    }
    json.end_object();
}

/// Writes what Dkron does not have, where it is not the default.
fn write_own_fields(json: &mut Writer, job: &Job) {
    let default = Job::new(job.name.clone());
    if job.catch_up != default.catch_up {
        json.key("catch_up").string(&policy::catch_up_text(job.catch_up));
    }
    if job.dst != default.dst {
        json.key("dst").string(policy::dst_text(job.dst));
    }
    if job.lost_run != default.lost_run {
        json.key("lost_run").string(policy::lost_run_text(job.lost_run));
    }
    if let Some(deadline) = job.misfire_deadline {
        json.key("misfire_deadline").display_string(GoDuration(deadline));
    }
    if job.placement != default.placement {
        json.key("placement").string(policy::placement_text(job.placement));
    }
    if job.retry_backoff != default.retry_backoff {
        json.key("retry_backoff").string(&policy::retry_backoff_text(job.retry_backoff));
    }
    if let Some(timeout) = job.timeout {
        json.key("timeout").display_string(GoDuration(timeout));
    }
    if job.retention != default.retention {
        write_retention(json, job.retention);
    }
    if let Some(tag) = &job.declared_by {
        json.key("declared_by").string(tag);
    }
}

fn write_retention(json: &mut Writer, retention: Retention) {
    json.key("retention").begin_object();
    json.key("executions").display(retention.executions_max);
    if let Some(age) = retention.age_max {
        json.key("age").display_string(GoDuration(age));
    }
    if let Some(bytes) = retention.output_bytes_max {
        json.key("output_bytes").display(bytes);
    }
    json.end_object();
}
