//! Skips and their reasons as records.

use serde::{Deserialize, Serialize};

use super::scalar::{Id, Time, id, time, to_id, to_time};
use super::{Malformed, decode};
use crate::kernel::model::{JobName, Skip, SkipReason};
use crate::kernel::time::Timestamp;

/// Everything but job and first instant, which are in the key.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct SkipRecord<'a> {
    last: Time,
    attempt: u32,
    fires: u32,
    #[serde(borrow)]
    reason: ReasonRecord<'a>,
}

/// Variants are numbered by their order: new ones stand last.
#[derive(Serialize, Deserialize)]
pub(super) enum ReasonRecord<'a> {
    Disabled,
    NotStarted,
    Expired,
    #[serde(borrow)]
    Forbidden(Id<'a>),
    NoCapableNode(&'a str),
    CaughtUp,
    TooLate,
    Withdrawn,
    AlreadyDecided,
}

impl<'a> ReasonRecord<'a> {
    pub(super) fn new(reason: &'a SkipReason) -> Self {
        match reason {
            SkipReason::Disabled => Self::Disabled,
            SkipReason::NotStarted => Self::NotStarted,
            SkipReason::Expired => Self::Expired,
            SkipReason::Forbidden { running } => Self::Forbidden(id(running)),
            SkipReason::NoCapableNode { wanted } => Self::NoCapableNode(wanted),
            SkipReason::CaughtUp => Self::CaughtUp,
            SkipReason::TooLate => Self::TooLate,
            SkipReason::Withdrawn => Self::Withdrawn,
            SkipReason::AlreadyDecided => Self::AlreadyDecided,
        }
    }

    pub(super) fn to_reason(&self) -> Result<SkipReason, Malformed> {
        Ok(match self {
            Self::Disabled => SkipReason::Disabled,
            Self::NotStarted => SkipReason::NotStarted,
            Self::Expired => SkipReason::Expired,
            Self::Forbidden(running) => SkipReason::Forbidden { running: to_id(*running)? },
            Self::NoCapableNode(wanted) => {
                SkipReason::NoCapableNode { wanted: (*wanted).to_owned() }
            }
            Self::CaughtUp => SkipReason::CaughtUp,
            Self::TooLate => SkipReason::TooLate,
            Self::Withdrawn => SkipReason::Withdrawn,
            Self::AlreadyDecided => SkipReason::AlreadyDecided,
        })
    }
}

impl<'a> SkipRecord<'a> {
    pub(in super::super) fn new(skip: &'a Skip) -> Self {
        let reason = ReasonRecord::new(&skip.reason);
        Self { last: time(skip.last), attempt: skip.attempt, fires: skip.fires, reason }
    }

    pub(in super::super) fn decode_skip(
        job: JobName,
        first: Timestamp,
        bytes: &[u8],
    ) -> Result<Skip, Malformed> {
        let SkipRecord { last, attempt, fires, reason } = decode::<SkipRecord<'_>>(bytes)?;
        let (last, reason) = (to_time(last)?, reason.to_reason()?);
        Ok(Skip { job, first, last, attempt, fires, reason })
    }
}
