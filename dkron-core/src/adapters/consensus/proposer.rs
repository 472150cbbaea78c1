//! The way of commands into the log: what waits when an entry may leave goes with it.
//!
//! A caller's commands are put into a `queue`. One task makes entries of what is there, hands them
//! to openraft, and keeps a few under way: the first of them leaves at once, and while they are on
//! their way the next one fills up. So a single proposal waits for nobody, and thousands at once
//! cost a handful of syncs.
//!
//! A `ticket` goes with each proposal and brings the answer back.
//!
//! # Invariants
//!
//! * Commands of one call keep their order, and so do calls.
//! * Times of entries do not go back, whatever the clock does.
//! * A proposal knows whether any of it was handed to openraft: exactly then its failure may have
//!   happened all the same.

use std::collections::VecDeque;
use std::sync::Arc;

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::apply_thread::ApplyProgress;
use super::leadership::Leadership;
use super::queue::{Proposal, ProposalReceiver};
use super::raft_types::{CallBack, Payload, Raft, TypeConfig};
use super::ticket::Ticket;
use super::weight::weight_of;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Entry, Envelope, encode_entry};
use crate::kernel::time::Timestamp;
use crate::limits::{COMMANDS_PER_ENTRY_MAX, ENTRY_BYTES_MAX};
use crate::ports::{Clock, LogStore};

/// Entries under way at once: one is written while another is applied and the next ones are made.
const ENTRIES_UNDER_WAY_MAX: usize = 4;

/// The part of a proposal that went into one entry.
struct ProposalPart {
    ticket: Arc<Ticket>,
    commands: usize,
}

/// Makes entries of what is in the queue.
///
/// *Owner*: the node's runtime. *Inputs*: the queue. *Bound*: [`ENTRIES_UNDER_WAY_MAX`] entries
/// under way, `PROPOSAL_BYTES_QUEUED_MAX` bytes waiting. *Ends* when all ends of the queue are
/// dropped, or openraft has ended.
pub struct Proposer {
    /// Where entries go.
    pub raft: Raft,
    /// Asked whether there is space, before each entry.
    pub log: Arc<dyn LogStore>,
    /// Asked whether this node leads.
    pub leadership: watch::Receiver<Leadership>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How far the state is applied, and the time of the last entry in it: that of another leader,
    /// perhaps, whose clock was ahead.
    pub progress: watch::Receiver<ApplyProgress>,
    /// The time of the last entry made here.
    pub last_at: Timestamp,
}

impl Proposer {
    /// Runs until the queue ends.
    pub async fn run(mut self, mut incoming: ProposalReceiver) {
        let under_way = Arc::new(Semaphore::new(ENTRIES_UNDER_WAY_MAX));
        let mut waiting: VecDeque<Proposal> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Some(proposal) = incoming.0.recv().await else { return };
                waiting.push_back(proposal);
            }
            let Ok(slot) = Arc::clone(&under_way).acquire_owned().await else { return };
            while let Ok(proposal) = incoming.0.try_recv() {
                waiting.push_back(proposal);
            }
            if let Err(error) = self.check() {
                for proposal in waiting.drain(..) {
                    proposal.ticket.fail(error.kind(), error.message(), false);
                }
                continue;
            }
            let (commands, parts) = gather(&mut waiting);
            if !commands.is_empty() {
                self.hand_over(commands, parts, slot).await;
            }
        }
    }

    /// Tells whether an entry would be accepted now.
    fn check(&self) -> Result<(), Error> {
        let leadership = self.leadership.borrow();
        if !leadership.is_leader {
            return Err(not_leader(leadership.leader.as_ref().map(|leader| leader.as_str())));
        }
        drop(leadership);
        self.log.check_writable()
    }

    /// Hands commands to openraft as one entry.
    async fn hand_over(
        &mut self,
        commands: Vec<Envelope>,
        parts: Vec<ProposalPart>,
        slot: OwnedSemaphorePermit,
    ) {
        let applied_at = self.progress.borrow().at.unwrap_or(Timestamp::MIN);
        self.last_at = self.clock.now().max(self.last_at).max(applied_at);
        let entry = Entry { at: self.last_at, commands };
        let bytes = encode_entry(&entry);
        let answer = CallBack::new(move |result| {
            answer_parts(&parts, result);
            drop(slot);
        });
        // If openraft has ended it drops the callback, and whoever waits is told by that.
        let _ = self.raft.client_write_ff(Payload::new(entry, bytes), Some(answer)).await;
    }
}

/// Takes commands from the front of the queue for one entry.
fn gather(waiting: &mut VecDeque<Proposal>) -> (Vec<Envelope>, Vec<ProposalPart>) {
    let mut commands: Vec<Envelope> = Vec::new();
    let mut parts = Vec::new();
    let mut weight = 0;
    while let Some(mut proposal) = waiting.pop_front() {
        let count = fitting(&proposal, commands.len(), weight);
        if count == 0 {
            waiting.push_front(proposal);
            break;
        }
        if !proposal.ticket.begin_part() {
            continue;
        }
        let ticket = Arc::clone(&proposal.ticket);
        parts.push(ProposalPart { ticket, commands: count });
        if count < proposal.commands.len() {
            let rest = proposal.commands.split_off(count);
            append(&mut commands, std::mem::replace(&mut proposal.commands, rest));
            proposal.weight = proposal.commands.iter().map(weight_of).sum();
            waiting.push_front(proposal);
            break;
        }
        weight += proposal.weight;
        append(&mut commands, proposal.commands);
    }
    (commands, parts)
}

/// Appends commands; those of a single call are not copied.
fn append(commands: &mut Vec<Envelope>, more: Vec<Envelope>) {
    if commands.is_empty() {
        *commands = more;
    } else {
        commands.extend(more);
    }
}

/// Returns how many commands of a proposal fit an entry that holds `commands` of `weight` bytes.
/// The first command of an entry always fits.
fn fitting(proposal: &Proposal, commands: usize, weight: usize) -> usize {
    let room = COMMANDS_PER_ENTRY_MAX.saturating_sub(commands);
    if proposal.commands.len() <= room && weight + proposal.weight <= ENTRY_BYTES_MAX {
        return proposal.commands.len();
    }
    let mut weight = weight;
    let mut fits = 0;
    for command in proposal.commands.iter().take(room) {
        weight += weight_of(command);
        if weight > ENTRY_BYTES_MAX && commands + fits > 0 {
            break;
        }
        fits += 1;
    }
    fits
}

/// Answers those whose commands were in an entry.
fn answer_parts(parts: &[ProposalPart], result: ClientWriteResult<TypeConfig>) {
    for part in parts {
        part.ticket.end_part();
    }
    let error = match result {
        Ok(response) => {
            let mut outcomes = response.data.into_iter();
            for part in parts {
                part.ticket.succeed(&mut outcomes, part.commands);
            }
            return;
        }
        Err(error) => error,
    };
    let (is_refused, leader) = match &error {
        ClientWriteError::ForwardToLeader(forward) => (true, forward.leader_id.as_ref()),
        ClientWriteError::LogEntryDiscarded(forward) => (false, forward.leader_id.as_ref()),
        // Neither is asked for here.
        ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
            (true, None)
        }
    };
    let error = not_leader(leader.map(|leader| leader.as_str()));
    for part in parts {
        part.ticket.fail(error.kind(), error.message(), is_refused);
    }
}

fn not_leader(leader: Option<&str>) -> Error {
    let message = match leader {
        Some(leader) => format!("this node does not lead: \"{leader}\" does"),
        None => "this node does not lead, and no other is known to".to_owned(),
    };
    Error::new(ErrorKind::NotLeader, message)
}
