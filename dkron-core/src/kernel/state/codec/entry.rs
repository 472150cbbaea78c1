//! The frame of a log entry.

use super::command::EnvelopeRecord;
use super::scalar::{Time, time, to_time};
use super::{Malformed, append, take};
use crate::kernel::state::Entry;
use crate::limits::COMMANDS_PER_ENTRY_MAX;

/// Version of every frame written today. The log outlives the program that wrote it.
const FRAME_VERSION: u8 = 1;

/// Bytes that are not a log entry of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log entry does not decode: {reason}")]
pub struct DecodeError {
    /// What is wrong.
    pub reason: String,
}

/// Writes an entry as bytes; equal entries give equal bytes.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + entry.commands.len() * 64);
    bytes.push(FRAME_VERSION);
    append(&mut bytes, &(time(entry.at), entry.commands.len() as u64));
    for envelope in &entry.commands {
        append(&mut bytes, &EnvelopeRecord::new(envelope));
    }
    bytes
}

/// Reads what [`encode_entry`] wrote; takes hostile bytes, and allocates no more than a small
/// multiple of their number.
///
/// # Errors
///
/// [`DecodeError`] for anything else: another version, a torn end, bytes that follow, a name or an
/// instant out of range, more than [`COMMANDS_PER_ENTRY_MAX`] commands.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, DecodeError> {
    decode(bytes).map_err(|why| DecodeError { reason: why.to_string() })
}

fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
    let body = match bytes.split_first() {
        Some((&FRAME_VERSION, body)) => body,
        Some(_) => return Err(Malformed::new("the version of the frame is unknown")),
        None => return Err(Malformed::new("the frame is empty")),
    };
    let ((at, count), mut rest) = take::<(Time, u64)>(body)?;
    if count > COMMANDS_PER_ENTRY_MAX as u64 {
        return Err(Malformed::new("too many commands"));
    }
    let mut commands = Vec::new();
    for _ in 0..count {
        let (envelope, after) = take::<EnvelopeRecord<'_>>(rest)?;
        commands.push(envelope.to_envelope()?);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Malformed::new("bytes follow the last command"));
    }
    Ok(Entry { at: to_time(at)?, commands })
}
