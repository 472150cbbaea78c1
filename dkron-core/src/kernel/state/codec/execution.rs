//! Executions and their outputs as records.

use serde::{Deserialize, Serialize, Serializer};

use super::scalar::{Time, time, to_optional_time, to_time};
use super::{Code, Malformed, decode, decode_head};
use crate::kernel::model::{Cause, Execution, ExecutionId, ExecutionState, JobName};
use crate::kernel::state::StoredOutput;
use crate::kernel::time::Timestamp;

/// Everything but job, due instant and node, which are the key.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct ExecutionRecord {
    fire_time: Time,
    cause: u8,
    attempt: u32,
    token: u64,
    instance: u64,
    started_at: Time,
    finished_at: Option<Time>,
    state: u8,
    is_cancel_requested: bool,
    output_bytes_total: u64,
    output_bytes_kept: u64,
}

impl ExecutionRecord {
    /// `output_bytes_kept` is the length of the row in `Outputs`; 0 = there is none.
    pub(in super::super) fn new(execution: &Execution, output_bytes_kept: u64) -> Self {
        Self {
            fire_time: time(execution.fire_time),
            cause: execution.cause.to_code(),
            attempt: execution.attempt,
            token: execution.token,
            instance: execution.instance,
            started_at: time(execution.started_at),
            finished_at: execution.finished_at.map(time),
            state: execution.state.to_code(),
            is_cancel_requested: execution.is_cancel_requested,
            output_bytes_total: execution.output_bytes_total,
            output_bytes_kept,
        }
    }

    pub(in super::super) fn decode_execution(
        job: JobName,
        id: ExecutionId,
        bytes: &[u8],
    ) -> Result<Execution, Malformed> {
        let record = decode::<Self>(bytes)?;
        Ok(Execution {
            job,
            id,
            fire_time: to_time(record.fire_time)?,
            cause: Cause::from_code(record.cause)?,
            attempt: record.attempt,
            token: record.token,
            instance: record.instance,
            started_at: to_time(record.started_at)?,
            finished_at: to_optional_time(record.finished_at)?,
            state: ExecutionState::from_code(record.state)?,
            is_cancel_requested: record.is_cancel_requested,
            output_bytes_total: record.output_bytes_total,
        })
    }

    /// Decodes when the execution ended, and how many bytes of its output are kept.
    pub(in super::super) fn decode_end(
        bytes: &[u8],
    ) -> Result<(Option<Timestamp>, u64), Malformed> {
        let record = decode::<Self>(bytes)?;
        Ok((to_optional_time(record.finished_at)?, record.output_bytes_kept))
    }

    /// Decodes which fire the execution belongs to.
    pub(in super::super) fn decode_fire(bytes: &[u8]) -> Result<(Timestamp, Cause), Malformed> {
        let ((fire_time, cause), _) = decode_head::<(Time, u8)>(bytes)?;
        Ok((to_time(fire_time)?, Cause::from_code(cause)?))
    }
}

/// A stored output; the bytes stand last and are not copied to be encoded.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct OutputRecord<'a> {
    bytes_total: u64,
    packing: u8,
    #[serde(serialize_with = "at_once")]
    bytes: &'a [u8],
}

impl<'a> OutputRecord<'a> {
    pub(in super::super) fn new(output: &'a StoredOutput) -> Self {
        Self { bytes_total: output.bytes_total, packing: output.packing, bytes: &output.bytes }
    }

    pub(in super::super) fn to_output(&self) -> StoredOutput {
        StoredOutput {
            bytes_total: self.bytes_total,
            packing: self.packing,
            bytes: self.bytes.to_vec(),
        }
    }
}

/// Serde would take a slice apart and write it byte by byte.
fn at_once<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}
