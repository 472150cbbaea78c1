//! Values and log entries as bytes: what is written here is read by every later version.
//!
//! A value is a version byte and a postcard body of a record type of this module; the model's own
//! types derive no serializer. Records borrow their texts, on the way out and on the way in.
//! Decoding takes hostile bytes: it answers with a [`Malformed`], and allocates no more than a
//! small multiple of what it was given.
//!
//! # Where to begin reading
//!
//! [`Scratch::encode`] and [`decode`]; then `job`, the largest record. `entry` is the frame of the
//! log.

mod code;
mod command;
mod due;
mod entry;
mod execution;
mod fire;
mod job;
mod job_write;
mod outcome;
mod report;
mod scalar;
mod skip;
mod status;

use std::fmt;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::{Table, TableError};

pub(super) use code::Code;
pub(super) use due::DueValue;
pub use entry::{DecodeError, decode_entry, encode_entry};
pub(super) use execution::{ExecutionRecord, OutputRecord};
pub use job::stored_job_bytes;
pub(super) use job::{JobRecord, JobRules};
pub(super) use skip::SkipRecord;
pub use status::StatusRow;
pub(super) use status::{Counters, DayCounts, FireProgress};

/// Version of every record written today.
const VERSION: u8 = 1;

/// Bytes that nobody of this version wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    reason: &'static str,
}

impl Malformed {
    /// A key of another form.
    pub(super) const KEY: Self = Self::new("a key has another form");

    pub(super) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }

    /// Says in which table the bytes were found.
    pub(super) fn in_table(self, table: Table) -> TableError {
        TableError::Corrupt { table: table.as_str(), reason: self.reason.to_owned() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

/// A buffer that is used again for each value written.
#[derive(Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
}

impl Scratch {
    /// Encodes a record; the bytes are valid until the next call.
    pub(super) fn encode(&mut self, record: &impl Serialize) -> &[u8] {
        self.bytes.clear();
        self.bytes.push(VERSION);
        append(&mut self.bytes, record);
        &self.bytes
    }

    /// Returns what was encoded last.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends the body of a record.
fn append(bytes: &mut Vec<u8>, record: &impl Serialize) {
    postcard::serialize_with_flavor(record, Appending(bytes))
        .expect("invariant: records hold nothing that postcard cannot write");
}

/// Appends bytes with their length, as [`take_bytes`] reads them.
pub(super) fn append_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    append(to, &(bytes.len() as u64));
    to.extend_from_slice(bytes);
}

/// Reads bytes that [`append_bytes`] wrote; returns those that follow, too.
pub(super) fn take_bytes(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    take(bytes)
}

/// Decodes a whole record.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    match decode_head(bytes)? {
        (record, []) => Ok(record),
        _ => Err(Malformed::new("bytes follow the end of the record")),
    }
}

/// Decodes the first fields of a record, and returns the bytes of the others.
fn decode_head<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Malformed> {
    match bytes.split_first() {
        Some((&VERSION, body)) => take(body),
        Some(_) => Err(Malformed::new("the version of the record is unknown")),
        None => Err(Malformed::new("the record is empty")),
    }
}

fn take<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<(T, &'a [u8]), Malformed> {
    postcard::take_from_bytes(body).map_err(|_| Malformed::new("the fields do not decode"))
}

/// Lets postcard write to the end of a buffer that others own.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
