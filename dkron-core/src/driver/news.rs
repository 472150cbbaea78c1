//! What the engine's thread is told.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::kernel::model::NodeView;
use crate::kernel::state::{Event, Outcome};
use crate::kernel::time::Timestamp;

/// News that may wait for the engine; who brings more waits.
pub const NEWS_MAX: usize = 1_024;

/// A fact for the engine.
pub enum EngineNews {
    /// An entry became part of the state.
    Applied {
        /// Its time.
        at: Timestamp,
        /// What it made known, in this order.
        events: Vec<Event>,
    },
    /// A round of proposals was answered.
    Answered {
        /// Which.
        round: u64,
        /// What became of its commands, in their order; or that nobody knows.
        result: Result<Vec<Outcome>, Error>,
    },
    /// This node leads, and everything of former terms is applied.
    Leading {
        /// Randomness for the choice of targets.
        seed: u64,
        /// The greatest time of all entries of the log.
        last_entry_at: Timestamp,
    },
    /// This node does not lead.
    Following,
    /// The nodes that are alive.
    Nodes(Vec<NodeView>),
    /// The node is about to stop: nothing more is claimed, what is claimed still starts, and then
    /// this is answered.
    Drain(oneshot::Sender<()>),
    /// The node stops.
    Stop,
}

/// Brings news; blocks while [`NEWS_MAX`] wait.
pub type NewsSender = SyncSender<EngineNews>;
