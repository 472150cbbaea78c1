//! Where callers put their commands, and where the proposer takes them out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::ticket::{Pending, QueueLoad, Ticket};
use super::weight::weight_of;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::Envelope;
use crate::limits::PROPOSAL_BYTES_QUEUED_MAX;
use crate::ports::Histogram;

/// Takes proposals. Clones lead to the same queue.
#[derive(Clone)]
pub struct ProposalQueue {
    sender: mpsc::UnboundedSender<Proposal>,
    load: Arc<QueueLoad>,
    is_closed: Arc<AtomicBool>,
}

/// Commands that wait, and whom to answer.
pub(super) struct Proposal {
    pub(super) commands: Vec<Envelope>,
    pub(super) weight: usize,
    pub(super) ticket: Arc<Ticket>,
}

impl ProposalQueue {
    /// Makes a queue; the other end goes to a [`Proposer`](super::proposer::Proposer).
    pub fn new() -> (Self, ProposalReceiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let load = Arc::default();
        (Self { sender, load, is_closed: Arc::default() }, ProposalReceiver(receiver))
    }

    /// Puts commands into the queue.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`] if too much waits already, [`ErrorKind::Stopped`] after
    /// [`ProposalQueue::close`].
    pub fn push(&self, commands: Vec<Envelope>) -> Result<Pending, Error> {
        let stopped = || Error::new(ErrorKind::Stopped, "propose: the node has stopped");
        if self.is_closed.load(Ordering::Acquire) {
            return Err(stopped());
        }
        let weight = commands.iter().map(weight_of).sum();
        let queued = self.load.bytes.fetch_add(weight, Ordering::AcqRel);
        let (ticket, pending) = Ticket::new(commands.len(), weight, Arc::clone(&self.load));
        // The first that goes over the bound still passes: or one that is larger never would.
        if queued > PROPOSAL_BYTES_QUEUED_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("propose: {queued} bytes of commands wait already"),
            ));
        }
        if commands.is_empty() {
            ticket.succeed(&mut std::iter::empty(), 0);
        } else {
            let proposal = Proposal { commands, weight, ticket };
            self.sender.send(proposal).map_err(|_| stopped())?;
        }
        Ok(pending)
    }

    /// Refuses what comes from now on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Returns about how many bytes of commands wait or are under way.
    pub fn bytes(&self) -> usize {
        self.load.bytes.load(Ordering::Acquire)
    }

    /// Returns how long proposals took that have taken effect.
    pub fn commit_time(&self) -> Histogram {
        self.load.commit_time.read()
    }
}

/// The end of the queue where proposals come out.
pub struct ProposalReceiver(pub(super) mpsc::UnboundedReceiver<Proposal>);
