//! Times, spans, names and maps as records hold them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Malformed;
use crate::kernel::model::{ExecutionId, JobName, NodeName};
use crate::kernel::time::Timestamp;

/// Seconds since 1970, and nanoseconds into that second.
pub(super) type Time = (i64, u32);
/// Seconds and nanoseconds.
pub(super) type Span = (u64, u32);
/// A map of texts, by ascending key.
pub(super) type Pairs<'a> = Vec<(&'a str, &'a str)>;
/// An execution's due instant in nanoseconds, and its node.
pub(super) type Id<'a> = (u64, &'a str);

pub(super) fn time(at: Timestamp) -> Time {
    (at.as_unix_s(), at.subsec_ns())
}

pub(super) fn to_time((unix_s, subsec_ns): Time) -> Result<Timestamp, Malformed> {
    Timestamp::from_parts(unix_s, subsec_ns).ok_or(Malformed::new("an instant is out of range"))
}

pub(super) fn to_optional_time(at: Option<Time>) -> Result<Option<Timestamp>, Malformed> {
    at.map(to_time).transpose()
}

pub(super) fn span(span: Duration) -> Span {
    (span.as_secs(), span.subsec_nanos())
}

pub(super) fn to_span((seconds, subsec_ns): Span) -> Result<Duration, Malformed> {
    if subsec_ns > 999_999_999 {
        return Err(Malformed::new("a span is out of range"));
    }
    Ok(Duration::new(seconds, subsec_ns))
}

pub(super) fn pairs(map: &BTreeMap<String, String>) -> Pairs<'_> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

pub(super) fn to_map(pairs: &Pairs<'_>) -> Result<BTreeMap<String, String>, Malformed> {
    sorted(pairs)?;
    Ok(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

/// Checks that the keys ascend, so that one map has one encoding.
pub(super) fn sorted<V>(pairs: &[(&str, V)]) -> Result<(), Malformed> {
    if pairs.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Ok(());
    }
    Err(Malformed::new("the keys of a map do not ascend"))
}

pub(super) fn to_job_name(name: &str) -> Result<JobName, Malformed> {
    JobName::parse(name).map_err(|_| Malformed::new("a job name is not accepted"))
}

pub(super) fn to_node_name(name: &str) -> Result<NodeName, Malformed> {
    NodeName::parse(name).map_err(|_| Malformed::new("a node name is not accepted"))
}

pub(super) fn id(id: &ExecutionId) -> Id<'_> {
    (id.due_ns, id.node.as_str())
}

pub(super) fn to_id((due_ns, node): Id<'_>) -> Result<ExecutionId, Malformed> {
    Ok(ExecutionId { due_ns, node: to_node_name(node)? })
}
