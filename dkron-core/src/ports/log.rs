//! The replicated log, as those who propose see it.

use std::future::Future;
use std::pin::Pin;

use crate::error::Error;
use crate::kernel::state::{Envelope, Outcome};

/// The answer to a proposal, once it comes. Not tied to any runtime.
pub type LogFuture = Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Error>> + Send>>;

/// Where commands become part of the state.
pub trait Log: Send + Sync + 'static {
    /// Proposes commands; resolves when they are durable and applied on this node.
    ///
    /// Outcomes come in the order of the commands. Commands of one call may travel in several log
    /// entries; each is applied as a whole or not at all. Dropping the future does not take back
    /// the proposal.
    ///
    /// # Errors
    ///
    /// Fails as a whole, with [`Error::may_have_happened`] telling whether some of the commands
    /// may be, or become, part of the state all the same.
    fn propose(&self, commands: Vec<Envelope>) -> LogFuture;
}
