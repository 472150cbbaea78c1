//! What the engine is told.

use crate::kernel::model::NodeView;
use crate::kernel::state::{Event, Outcome};
use crate::kernel::time::Timestamp;

/// One piece of news for [`Engine::step`](super::Engine::step).
///
/// The view handed to the same step holds at least everything that the news speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Only time has passed: the wake-up asked for has come, or any other reason to look again.
    ///
    /// Harmless at any moment and as often as wanted.
    Woken,
    /// This node leads from now on, and the view holds everything that was committed before.
    ///
    /// Whatever an earlier term of this engine had in flight is forgotten and read again from the
    /// view.
    Leading {
        /// Randomness for the choice of targets during this term.
        seed: u64,
        /// The greatest time of all entries of the log; [`Timestamp::MIN`] if there is none. What
        /// had passed then has passed for this leader too, whatever its clock shows.
        last_entry_at: Timestamp,
    },
    /// This node does not lead (any more): nothing is proposed or started until it leads again.
    Following,
    /// This node is about to stop: it decides nothing more. What it has claimed still starts, or is
    /// ended if it must not, so that a stop in good order leaves no claim behind. There is no way
    /// back.
    Draining,
    /// The nodes that are alive: all of them, this one included, each time one comes or goes.
    ///
    /// Until the first of these nothing is decided. A process that is missing here is over, or has
    /// lost its lease: what it was running is closed as lost.
    Nodes(&'a [NodeView]),
    /// An entry of the log that has just become part of the state of this node.
    ///
    /// Wanted from every applied entry, whoever proposed it, be it without facts. The same fact
    /// twice does no harm.
    Applied {
        /// The time of the entry: that has passed too, whatever the clock shows.
        at: Timestamp,
        /// The facts, in their order.
        events: &'a [Event],
    },
    /// What became of the round of proposals of an [`Effect::Propose`](super::Effect::Propose).
    Answered {
        /// The number of the round.
        round: u64,
        /// The answer.
        answer: Answer<'a>,
    },
}

/// What became of a round of proposals.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// All commands are applied; one outcome for each, in their order.
    Applied(&'a [Outcome]),
    /// Some or all of them are not known to be applied: the leadership was lost, the log failed, or
    /// nobody answered in time. They may still come into effect; the engine decides anew from the
    /// state, and what was decided twice is applied once.
    Failed,
}
