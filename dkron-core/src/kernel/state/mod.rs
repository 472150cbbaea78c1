//! The replicated state machine: what all servers agree on.
//!
//! `apply` is a total function of (tables, entry): equal logs give equal bytes on every server. It
//! never evaluates a schedule (servers may carry different time-zone data: the leader evaluates,
//! and the command carries the instants) and never reads a clock (time in an entry is the
//! proposer's; it is compared, never corrected). A command that cannot be applied is answered with
//! [`Outcome::Rejected`]; that is data, on which all servers agree, not an error.
//!
//! # Where to begin reading
//!
//! [`Command`] is everything that can change, [`Event`] everything that a change makes known,
//! [`Table`] where facts are kept.
//!
//! # Invariants
//!
//! S1 to S11, listed in `invariant` and checked by `integrity` after every command of the random
//! histories in `apply/property_test`, which also hold a naive model of counters and statuses
//! beside it.
//!
//! May use: `model`, `time`, `limits`, `error`; not `schedule`.

mod apply;
mod checksum;
mod codec;
mod command;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod event;
mod fire_id;
#[cfg(test)]
mod format_test;
#[cfg(any(test, feature = "testing"))]
mod integrity;
#[cfg(any(test, feature = "testing"))]
mod invariant;
mod keys;
mod memory;
mod outcome;
pub mod query;
mod rows;
mod snapshot;
mod table;

pub use apply::apply;
pub use codec::{DecodeError, StatusRow, decode_entry, encode_entry, stored_job_bytes};
pub use command::{
    ApplyJobs, Command, DueKind, DueRow, Entry, Envelope, Fire, JobWrite, Overdue, Report,
    RequestId, StoredOutput, Target, Verdict,
};
pub use event::{Claim, Event, JobChange};
pub use fire_id::FireId;
#[cfg(any(test, feature = "testing"))]
pub use integrity::check_integrity;
#[cfg(feature = "testing")]
pub use invariant::{Invariant, Violation};
pub use memory::MemoryTables;
pub use outcome::{Outcome, Rejection};
#[cfg(any(test, feature = "testing"))]
pub use snapshot::state_hash;
pub use snapshot::{SnapshotReader, SnapshotWriter};
pub use table::{KeyRange, Order, Table, TableError, Tables, TablesMut};
