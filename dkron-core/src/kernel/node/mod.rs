//! One node's engine: what it proposes, starts and ends, as a step function.
//!
//! Answers: given the time and one piece of news, what is to be done now, and when does somebody
//! have to look again? It does none of it: the driver proposes, sends, sleeps and logs.
//!
//! # Where to begin reading
//!
//! [`Input`] is everything the engine is told, [`Effect`] everything it asks for.
//!
//! May use: everything in `kernel`.

mod effect;
mod input;

pub use effect::{Effect, Observation};
pub use input::{Answer, Input};
