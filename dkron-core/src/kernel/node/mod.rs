//! One node's engine: what it proposes, starts and ends, as a step function.
//!
//! Answers: given the time and one piece of news, what is to be done now, and when does somebody
//! have to look again? It does none of it: the driver proposes, sends, sleeps and logs.
//!
//! # Where to begin reading
//!
//! [`Engine::step`]; [`Input`] is everything the engine is told, [`Effect`] everything it asks for.
//! What a leader does is in `term`, what it proposes in `rounds`.
//!
//! # Invariants
//!
//! * Nothing is started that is not claimed in the state, nor before its instant.
//! * Whatever is lost on the way (a proposal, an answer, a step, the whole engine), the state tells
//!   what is left to do.
//! * An idle engine asks to be woken, and does nothing else.
//!
//! Checked by one `_test` for each of its promises, and by `harness`, which runs days of schedules
//! against a model.
//!
//! May use: everything in `kernel`.

mod closing;
mod effect;
mod engine;
mod engine_clock;
mod input;
mod look_ahead;
mod nodes;
mod observation;
mod rounds;
mod scene;
mod sweep;
mod term;
mod waiting_claims;

#[cfg(test)]
mod catch_up_test;
#[cfg(test)]
mod claims_test;
#[cfg(test)]
mod endings_test;
#[cfg(test)]
mod engine_clock_test;
#[cfg(test)]
mod engine_test;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod outage_test;
#[cfg(test)]
mod overlap_test;
#[cfg(test)]
mod props;
#[cfg(test)]
mod record;
#[cfg(test)]
mod rounds_test;
#[cfg(test)]
mod sweep_test;

pub use effect::Effect;
pub use engine::{Engine, EngineConfig};
pub use input::{Answer, Input};
pub use observation::Observation;
