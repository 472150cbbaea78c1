//! What became of the output of one run: its last bytes, its size, and who follows it live.
//!
//! A run writes at any speed and is never held up: only the last bytes are kept, and a reader that
//! falls behind is told how many it missed. Followers read from the one ring at offsets of their
//! own, so they cost nothing but their place; a reader that lost its connection goes on at the
//! offset it had reached.
//!
//! # Where to begin reading
//!
//! [`OutputCapture`]; `tail` is the ring under it, `follow` the reader's side.

mod capture;
mod follow;
mod tail;

#[cfg(test)]
pub use capture::CapturedOutput;
pub use capture::{OutputCapture, Progress};
pub use follow::{OutputFollower, OutputNews};
