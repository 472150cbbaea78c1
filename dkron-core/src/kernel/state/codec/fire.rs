//! Decided fires as records of the log: the due row they answer, and the verdict.

use serde::{Deserialize, Serialize};

use super::scalar::{Time, time, to_job_name, to_node_name, to_optional_time, to_time};
use super::skip::ReasonRecord;
use super::{Code, Malformed};
use crate::kernel::model::Cause;
use crate::kernel::state::{DueKind, DueRow, Fire, Target, Verdict};

#[derive(Serialize, Deserialize)]
pub(super) struct FireRecord<'a> {
    job: &'a str,
    revision: u64,
    #[serde(borrow)]
    due: Option<DueRowRecord<'a>>,
    at: Time,
    next: Option<Time>,
    is_forced: bool,
    verdict: VerdictRecord<'a>,
}

#[derive(Serialize, Deserialize)]
struct DueRowRecord<'a> {
    at: Time,
    job: &'a str,
    #[serde(borrow)]
    kind: DueKindRecord<'a>,
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum DueKindRecord<'a> {
    Schedule,
    Retry { fire_time: Time, cause: u8, attempt: u32, node: &'a str },
    Dependent { parent: &'a str, parent_fire_time: Time },
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
enum VerdictRecord<'a> {
    #[serde(borrow)]
    Start(Vec<(&'a str, u64)>),
    Skip(Time, u32, ReasonRecord<'a>),
}

impl<'a> FireRecord<'a> {
    pub(super) fn new(fire: &'a Fire) -> Self {
        Self {
            job: fire.job.as_str(),
            revision: fire.revision,
            due: fire.due.as_ref().map(DueRowRecord::new),
            at: time(fire.at),
            next: fire.next.map(time),
            is_forced: fire.is_forced,
            verdict: match &fire.verdict {
                Verdict::Start { targets } => VerdictRecord::Start(
                    targets.iter().map(|t| (t.node.as_str(), t.instance)).collect(),
                ),
                Verdict::Skip { last, fires, reason } => {
                    VerdictRecord::Skip(time(*last), *fires, ReasonRecord::new(reason))
                }
            },
        }
    }

    pub(super) fn to_fire(&self) -> Result<Fire, Malformed> {
        let target = |(node, instance): &(&str, u64)| {
            Ok(Target { node: to_node_name(node)?, instance: *instance })
        };
        Ok(Fire {
            job: to_job_name(self.job)?,
            revision: self.revision,
            due: self.due.as_ref().map(DueRowRecord::to_row).transpose()?,
            at: to_time(self.at)?,
            next: to_optional_time(self.next)?,
            is_forced: self.is_forced,
            verdict: match &self.verdict {
                VerdictRecord::Start(targets) => Verdict::Start {
                    targets: targets.iter().map(target).collect::<Result<_, _>>()?,
                },
                VerdictRecord::Skip(last, fires, reason) => Verdict::Skip {
                    last: to_time(*last)?,
                    fires: *fires,
                    reason: reason.to_reason()?,
                },
            },
        })
    }
}

impl<'a> DueRowRecord<'a> {
    fn new(row: &'a DueRow) -> Self {
        let kind = match &row.kind {
            DueKind::Schedule => DueKindRecord::Schedule,
            DueKind::Retry { fire_time, cause, attempt, node } => DueKindRecord::Retry {
                fire_time: time(*fire_time),
                cause: cause.to_code(),
                attempt: *attempt,
                node: node.as_str(),
            },
            DueKind::Dependent { parent, parent_fire_time } => DueKindRecord::Dependent {
                parent: parent.as_str(),
                parent_fire_time: time(*parent_fire_time),
            },
        };
        Self { at: time(row.at), job: row.job.as_str(), kind }
    }

    fn to_row(&self) -> Result<DueRow, Malformed> {
        let kind = match self.kind {
            DueKindRecord::Schedule => DueKind::Schedule,
            DueKindRecord::Retry { fire_time, cause, attempt, node } => DueKind::Retry {
                fire_time: to_time(fire_time)?,
                cause: Cause::from_code(cause)?,
                attempt,
                node: to_node_name(node)?,
            },
            DueKindRecord::Dependent { parent, parent_fire_time } => DueKind::Dependent {
                parent: to_job_name(parent)?,
                parent_fire_time: to_time(parent_fire_time)?,
            },
        };
        Ok(DueRow { at: to_time(self.at)?, job: to_job_name(self.job)?, kind })
    }
}
