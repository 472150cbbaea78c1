//! What touches the world: one directory per port, and none knows another.
//!
//! May use: `ports`, `kernel::{model, time, state}`, `limits`, `error`.

pub(crate) mod clock;
pub(crate) mod consensus;
pub(crate) mod entropy;
pub(crate) mod executor;
pub(crate) mod storage;
