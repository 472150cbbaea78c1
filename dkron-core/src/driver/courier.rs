//! Delivers the reports of this node's runs until each is acknowledged.
//!
//! While the log accepts, reports go to it from memory: those that are ready together in one
//! proposal, a few proposals at once. When one of them fails, or takes long, everything that waits
//! and everything that comes goes to the outbox on disk first and is delivered from there, until
//! the outbox is empty again. So results are not lost, neither by a leader that is away, however
//! long, nor by the end of the process; and they cost a sync of their own only in bad times.
//!
//! # Where to begin reading
//!
//! [`Courier`] is what others hold; `delivery` is the task behind it, `behind` its way through the
//! outbox.
//!
//! # Invariants
//!
//! * A report is in memory alone for [`ANSWER_WAIT_MAX`] at most, unless the disk refuses it.
//! * What is left in the outbox at a start is delivered before [`Backlog::None`] is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::behind::Behind;
use super::delivery::Round;
use super::runs::Runs;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::Report;
use crate::ports::{Log, Outbox};

/// How long reports wait for the answer of the log before they are written to the outbox.
pub(super) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// What waits in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing: what was there is acknowledged.
    None,
    /// Something, and why it could not be delivered when that was tried last.
    Waiting(Option<String>),
}

/// What a courier needs.
pub struct CourierParts {
    /// Where reports go.
    pub log: Arc<dyn Log>,
    /// Where they are kept when that is not possible.
    pub outbox: Arc<dyn Outbox>,
    /// Who is told that they arrived, or are kept.
    pub runs: Arc<Runs>,
    /// Where they come from.
    pub incoming: mpsc::UnboundedReceiver<Report>,
}

/// The way to the courier of a node.
pub struct Courier {
    backlog: watch::Receiver<Backlog>,
    hurry: Arc<Notify>,
    closing: mpsc::Sender<oneshot::Sender<Result<(), Error>>>,
}

impl Courier {
    /// Starts to deliver: first what an earlier process left in the outbox.
    pub fn start(runtime: &Handle, parts: CourierParts) -> Self {
        let (told, backlog) = watch::channel(Backlog::Waiting(None));
        let (closing, asked) = mpsc::channel(1);
        let hurry = Arc::new(Notify::new());
        let CourierParts { log, outbox, runs, incoming } = parts;
        let behind = Some(Behind::now());
        let closed = CancellationToken::new();
        let round = Round { log, outbox, runs, told, behind, closed };
        runtime.spawn(round.run(incoming, asked, Arc::clone(&hurry)));
        Self { backlog, hurry, closing }
    }

    /// Follows what waits in the outbox.
    pub fn backlog(&self) -> watch::Receiver<Backlog> {
        self.backlog.clone()
    }

    /// Tries to deliver what waits in the outbox now: the log may accept it again.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Puts into the outbox what is not acknowledged, and ends. Call once the log has stopped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if results could not be kept; they are lost with the process.
    pub async fn close(&self) -> Result<(), Error> {
        let (sender, closed) = oneshot::channel();
        if self.closing.send(sender).await.is_err() {
            return Ok(()); // It was closed before.
        }
        closed.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "the delivery of results ended; please report it"))
        })
    }
}

#[cfg(test)]
#[path = "courier_test.rs"]
mod tests;
