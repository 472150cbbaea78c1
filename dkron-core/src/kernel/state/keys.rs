//! How every key is built and read: the one place that knows.
//!
//! Byte order is the order in which rows are walked. A job name holds no byte 0x00, so a name
//! followed by one is a prefix that no other job shares: `pre` never reaches the rows of `prefix`.
//! The bounds of names make every key at most [`KEY_BYTES_MAX`] bytes long.

use std::ops::{Bound, Deref};

use super::codec::{Code, DueValue, Malformed};
use super::{DueKind, DueRow, KeyRange, RequestId};
use crate::kernel::model::{Cause, ExecutionId, JobName, NodeName};
use crate::kernel::time::Timestamp;
use crate::limits::{DECLARED_BY_BYTES_MAX, NODE_NAME_BYTES_MAX};

/// Longest key, in bytes: what LMDB takes.
const KEY_BYTES_MAX: usize = 511;

/// Ends a name inside a key.
const END: u8 = 0x00;
/// The byte after [`END`]: a name followed by it sorts behind all keys that start with the name.
const PAST_END: u8 = 0x01;

/// What follows the kind in a key of `Pending` at most: a fire time, an attempt and a node.
const PENDING_REST_BYTES_MAX: usize = 12 + 4 + NODE_NAME_BYTES_MAX;

const KIND_SCHEDULE: u8 = 0;
const KIND_RETRY: u8 = 1;
const KIND_DEPENDENT: u8 = 2;

/// Key of the counters in `Meta`.
pub(super) const COUNTERS: &[u8] = b"state.counters";
/// Key of the pause flag in `Meta`.
pub(super) const PAUSED: &[u8] = b"state.paused";
/// What the state's own keys in `Meta` start with.
pub(super) const META_PREFIX: &[u8] = b"state.";

/// Bytes of a key that need no memory of their own: most keys whole.
const KEY_INLINE_BYTES: usize = 93;

/// A key under construction; mostly lives on the stack.
#[derive(Clone)]
pub(super) enum Key {
    Short { bytes: [u8; KEY_INLINE_BYTES], len: u8 },
    Long(Box<[u8]>),
}

impl Key {
    /// Joins `parts`.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        assert!(len <= KEY_BYTES_MAX, "invariant: names are bounded so that keys fit");
        let mut bytes = [0; KEY_INLINE_BYTES];
        let mut rest = match bytes.get_mut(..len) {
            Some(bytes) => bytes,
            None => return Self::Long(parts.concat().into()),
        };
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        Self::Short { bytes, len: len as u8 }
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

/// All keys that start alike.
pub(super) struct Prefix {
    from: Key,
    to: Key,
}

impl Prefix {
    /// Returns the range of the keys.
    pub(super) fn range(&self) -> KeyRange<'_> {
        (Bound::Included(&*self.from), Bound::Excluded(&*self.to))
    }
}

/// The rows of one job (or of one tag, or one parent) in a table whose keys start with a name.
pub(super) fn rows_of(name: &str) -> Prefix {
    let name = name.as_bytes();
    Prefix { from: Key::of(&[name, &[END]]), to: Key::of(&[name, &[PAST_END]]) }
}

/// Key of an execution in `Executions`, `Outputs` and `Running`.
pub(super) fn execution(job: &JobName, id: &ExecutionId) -> Key {
    Key::of(&[bytes(job), &[END], &id.due_ns.to_be_bytes(), id.node.as_bytes()])
}

/// All executions of `job` that were due at `due_ns` or later.
pub(super) fn executions_from(job: &JobName, due_ns: u64) -> Prefix {
    let from = Key::of(&[bytes(job), &[END], &due_ns.to_be_bytes()]);
    Prefix { from, to: Key::of(&[bytes(job), &[PAST_END]]) }
}

/// Reads only the due instant of a key that [`execution`] built.
pub(super) fn parse_execution_instant(key: &[u8]) -> Result<u64, Malformed> {
    let end = key.iter().position(|byte| *byte == END).ok_or(Malformed::KEY)?;
    let due_ns = key.get(end + 1..).and_then(<[u8]>::first_chunk).ok_or(Malformed::KEY)?;
    Ok(u64::from_be_bytes(*due_ns))
}

/// Reads a key that [`execution`] built.
pub(super) fn parse_execution(key: &[u8]) -> Result<(JobName, ExecutionId), Malformed> {
    let (job, rest) = split_job(key)?;
    let (due_ns, node) = rest.split_first_chunk().ok_or(Malformed::KEY)?;
    Ok((job, ExecutionId { due_ns: u64::from_be_bytes(*due_ns), node: node_name(node)? }))
}

/// Key of a row in `Due`.
pub(super) fn due(row: &DueRow) -> Key {
    let (kind, rest) = due_rest(&row.kind);
    Key::of(&[&row.at.to_key(), &[kind], bytes(&row.job), &[END], &rest])
}

/// Key of the schedule's row in `Due`.
pub(super) fn due_schedule(at: Timestamp, job: &JobName) -> Key {
    Key::of(&[&at.to_key(), &[KIND_SCHEDULE], bytes(job), &[END]])
}

/// Key of the same row in `Pending`.
pub(super) fn pending(row: &DueRow) -> Key {
    let (kind, rest) = due_rest(&row.kind);
    Key::of(&[bytes(&row.job), &[END], &row.at.to_key(), &[kind], &rest])
}

/// All dependent runs of `job` that are due at `at`, as keys of `Pending`.
pub(super) fn pending_dependents(job: &JobName, at: Timestamp) -> Prefix {
    let of_kind = |kind: u8| Key::of(&[bytes(job), &[END], &at.to_key(), &[kind]]);
    Prefix { from: of_kind(KIND_DEPENDENT), to: of_kind(KIND_DEPENDENT + 1) }
}

/// Makes the key of `Due` that a key of `Pending` stands for.
pub(super) fn due_of_pending(key: &[u8]) -> Result<Key, Malformed> {
    let (job, rest) = split_job(key)?;
    let (at_kind, rest) = rest.split_first_chunk::<13>().ok_or(Malformed::KEY)?;
    if rest.len() > PENDING_REST_BYTES_MAX {
        return Err(Malformed::KEY);
    }
    Ok(Key::of(&[at_kind, bytes(&job), &[END], rest]))
}

/// The end of the rows of `Due` that are due at `at` or before.
pub(super) fn due_until(at: Timestamp) -> Key {
    Key::of(&[&at.to_key(), &[u8::MAX]])
}

fn due_rest(kind: &DueKind) -> (u8, Key) {
    match kind {
        DueKind::Schedule => (KIND_SCHEDULE, Key::of(&[])),
        DueKind::Retry { fire_time, attempt, node, .. } => {
            let node = node.as_bytes();
            (KIND_RETRY, Key::of(&[&fire_time.to_key(), &attempt.to_be_bytes(), node]))
        }
        DueKind::Dependent { parent_fire_time, .. } => {
            (KIND_DEPENDENT, Key::of(&[&parent_fire_time.to_key()]))
        }
    }
}

/// Reads a key that [`due`] built; the value gives what the key does not hold.
pub(super) fn parse_due(key: &[u8], value: DueValue) -> Result<DueRow, Malformed> {
    let (at, rest) = split_time(key)?;
    let (kind, rest) = rest.split_first().ok_or(Malformed::KEY)?;
    let (job, rest) = split_job(rest)?;
    let kind = match (*kind, value) {
        (KIND_SCHEDULE, DueValue::Schedule) if rest.is_empty() => DueKind::Schedule,
        (KIND_RETRY, DueValue::Retry { cause }) => {
            let (fire_time, rest) = split_time(rest)?;
            let (attempt, node) = rest.split_first_chunk().ok_or(Malformed::KEY)?;
            let attempt = u32::from_be_bytes(*attempt);
            DueKind::Retry { fire_time, cause, attempt, node: node_name(node)? }
        }
        (KIND_DEPENDENT, DueValue::Dependent { parent }) => {
            let (parent_fire_time, rest) = split_time(rest)?;
            if !rest.is_empty() {
                return Err(Malformed::KEY);
            }
            DueKind::Dependent { parent, parent_fire_time }
        }
        _ => return Err(Malformed::KEY),
    };
    Ok(DueRow { at, job, kind })
}

/// Key of an open fire in `Fires`.
pub(super) fn fire(job: &JobName, fire_time: Timestamp, cause: Cause) -> Key {
    Key::of(&[bytes(job), &[END], &fire_time.to_key(), &[cause.to_code()]])
}

/// Checks a key that [`fire`] built.
pub(super) fn parse_fire(key: &[u8]) -> Result<(), Malformed> {
    match split_time(split_job(key)?.1)? {
        (_, [cause]) => Cause::from_code(*cause).map(|_| ()),
        _ => Err(Malformed::KEY),
    }
}

/// Key of a skip: `serial` tells skips of one instant apart.
pub(super) fn skip(job: &JobName, first: Timestamp, serial: u64) -> Key {
    Key::of(&[bytes(job), &[END], &first.to_key(), &serial.to_be_bytes()])
}

/// Reads the job and the first instant of a key that [`skip`] built.
pub(super) fn parse_skip(key: &[u8]) -> Result<(JobName, Timestamp), Malformed> {
    let (job, rest) = split_job(key)?;
    match split_time(rest)? {
        (first, serial) if serial.len() == size_of::<u64>() => Ok((job, first)),
        _ => Err(Malformed::KEY),
    }
}

/// Key of the counts of a day, numbered from 1970-01-01.
pub(super) fn day(day: i64) -> [u8; 8] {
    ((day as u64) ^ (1 << 63)).to_be_bytes()
}

/// Reads what [`day`] wrote.
pub(super) fn parse_day(key: &[u8]) -> Result<i64, Malformed> {
    let key = key.try_into().map_err(|_| Malformed::KEY)?;
    Ok((u64::from_be_bytes(key) ^ (1 << 63)) as i64)
}

/// Key of the edge from a parent to its child, and of a declaration from its tag to the job.
pub(super) fn edge(from: &str, to: &JobName) -> Key {
    Key::of(&[from.as_bytes(), &[END], bytes(to)])
}

/// Reads the far end of a key that [`edge`] built.
pub(super) fn parse_edge(key: &[u8]) -> Result<JobName, Malformed> {
    match key.iter().position(|byte| *byte == END) {
        Some(end) if (1..=DECLARED_BY_BYTES_MAX).contains(&end) => {
            job_name(key.get(end + 1..).unwrap_or_default())
        }
        _ => Err(Malformed::KEY),
    }
}

/// Key of an answer in `Requests`.
pub(super) fn request(id: RequestId) -> Key {
    Key::of(&[b"i", &id.0.to_be_bytes()])
}

/// Returns whether [`request`] could have built the key.
pub(super) fn is_request(key: &[u8]) -> bool {
    matches!(key, [b'i', id @ ..] if id.len() == size_of::<u128>())
}

/// Returns whether [`request_order`] could have built the key.
pub(super) fn is_request_order(key: &[u8]) -> bool {
    matches!(key, [b'o', serial @ ..] if serial.len() == size_of::<u64>())
}

/// Key of a request's place in the order of arrival.
pub(super) fn request_order(serial: u64) -> Key {
    Key::of(&[b"o", &serial.to_be_bytes()])
}

/// Reads the value at a place in the order of arrival.
pub(super) fn parse_request(value: &[u8]) -> Result<RequestId, Malformed> {
    let id = value.try_into().map_err(|_| Malformed::new("a request id has another length"))?;
    Ok(RequestId(u128::from_be_bytes(id)))
}

/// All places in the order of arrival, oldest first.
pub(super) fn request_orders() -> Prefix {
    Prefix { from: Key::of(&[b"o"]), to: Key::of(&[b"p"]) }
}

fn bytes(job: &JobName) -> &[u8] {
    job.as_bytes()
}

fn split_job(key: &[u8]) -> Result<(JobName, &[u8]), Malformed> {
    let end = key.iter().position(|byte| *byte == END).ok_or(Malformed::KEY)?;
    let (name, rest) = key.split_at(end);
    Ok((job_name(name)?, rest.get(1..).unwrap_or_default()))
}

fn split_time(key: &[u8]) -> Result<(Timestamp, &[u8]), Malformed> {
    let (time, rest) = key.split_first_chunk().ok_or(Malformed::KEY)?;
    Ok((Timestamp::from_key(*time).ok_or(Malformed::KEY)?, rest))
}

/// Reads a job name out of bytes.
pub(super) fn job_name(bytes: &[u8]) -> Result<JobName, Malformed> {
    std::str::from_utf8(bytes).ok().and_then(|text| JobName::parse(text).ok()).ok_or(Malformed::KEY)
}

fn node_name(bytes: &[u8]) -> Result<NodeName, Malformed> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| NodeName::parse(text).ok())
        .ok_or(Malformed::KEY)
}
