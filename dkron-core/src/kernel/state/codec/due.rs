//! What a due row holds beside its key.

use serde::{Deserialize, Serialize};

use super::scalar::to_job_name;
use super::{Code, Malformed, Scratch, decode};
use crate::kernel::model::{Cause, JobName};
use crate::kernel::state::DueKind;

/// What the key of a due row leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum DueValue {
    /// Nothing: the key says all.
    Schedule,
    /// Why the fire of the failed attempt came about.
    Retry { cause: Cause },
    /// Who succeeded.
    Dependent { parent: JobName },
}

#[derive(Serialize, Deserialize)]
enum DueRecord<'a> {
    Schedule,
    Retry(u8),
    #[serde(borrow)]
    Dependent(&'a str),
}

impl DueValue {
    pub(in super::super) fn encode<'s>(kind: &DueKind, scratch: &'s mut Scratch) -> &'s [u8] {
        scratch.encode(&match kind {
            DueKind::Schedule => DueRecord::Schedule,
            DueKind::Retry { cause, .. } => DueRecord::Retry(cause.to_code()),
            DueKind::Dependent { parent, .. } => DueRecord::Dependent(parent.as_str()),
        })
    }

    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match decode(bytes)? {
            DueRecord::Schedule => Self::Schedule,
            DueRecord::Retry(cause) => Self::Retry { cause: Cause::from_code(cause)? },
            DueRecord::Dependent(parent) => Self::Dependent { parent: to_job_name(parent)? },
        })
    }
}
