//! How much of a form is read: what stands around its file is small.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;

/// What a form may have around its file, in bytes; also the most that is held of what it says of a
/// part of it.
pub(super) const FORM_BYTES_MAX: u64 = 1 << 20;

/// The bytes that may still be read of one body; clones are one.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// Allows for a form up to its file.
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(FORM_BYTES_MAX)))
    }

    /// Allows so many bytes more.
    pub(super) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Allows so many bytes from here on.
    pub(super) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Returns a body that ends with an error where it exceeds what is allowed.
    pub(super) fn limit(&self, body: Body) -> Body {
        let allowance = self.clone();
        Body::from_stream(body.into_data_stream().map(move |chunk| {
            let chunk = chunk.map_err(io::Error::other)?;
            allowance.take(chunk)
        }))
    }

    fn take(&self, chunk: Bytes) -> io::Result<Bytes> {
        let taken = |left: u64| left.checked_sub(chunk.len() as u64);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken) {
            Ok(_) => Ok(chunk),
            Err(_) => Err(io::Error::other("the form goes on for too long")),
        }
    }
}
