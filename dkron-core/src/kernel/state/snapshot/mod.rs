//! The whole state as a stream of chunks, and back.
//!
//! A chunk is a length, a checksum and a body; the first body names the format, each following one
//! holds rows of one table in key order, the last one counts them. Chunks are numbered. A torn end,
//! a flipped bit, a chunk that is missing or comes twice, a row that does not decode: all are found
//! before the reader says that it is done.
//!
//! Writing and reading hold one chunk in memory at a time. Keys of the log adapter in `Meta` are
//! neither written nor touched.
//!
//! # Where to begin reading
//!
//! [`SnapshotWriter::next_chunk`] and [`SnapshotReader::push`].
//! For tests `state_hash` compares two states without sending either.

mod chunk;
#[cfg(any(test, feature = "testing"))]
mod hash;
mod reader;
#[cfg(test)]
mod snapshot_test;
mod writer;

use super::TableError;

#[cfg(any(test, feature = "testing"))]
pub use hash::state_hash;
pub use reader::SnapshotReader;
pub use writer::SnapshotWriter;

/// A snapshot that cannot be read, or tables that cannot take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The stream is not what a [`SnapshotWriter`] of this version wrote.
    #[error("chunk {chunk} of the snapshot does not decode: {reason}")]
    Corrupt {
        /// Its number, from 0.
        chunk: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// The stream ended before its end mark.
    #[error("the snapshot ends after {chunks} chunks, without its end mark")]
    Truncated {
        /// Complete chunks that were read.
        chunks: u32,
    },
    /// The tables failed.
    #[error(transparent)]
    Table(#[from] TableError),
}
