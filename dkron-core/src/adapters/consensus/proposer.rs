//! The way of commands into the log: what waits when an entry may leave goes with it.
//!
//! A caller's commands are put into a queue. One task makes entries of what is there, hands them to
//! openraft, and keeps a few under way: the first of them leaves at once, and while they are on
//! their way the next one fills up. So a single proposal waits for nobody, and thousands at once
//! cost a handful of syncs.
//!
//! # Invariants
//!
//! * Commands of one call keep their order, and so do calls.
//! * Times of entries do not go back, whatever the clock does.
//! * A proposal knows whether any of it was handed to openraft: exactly then its failure may have
//!   happened all the same.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::leadership::Leadership;
use super::raft_types::{CallBack, Payload, Raft, TypeConfig};
use super::weight::weight_of;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Entry, Envelope, Outcome, encode_entry};
use crate::kernel::time::Timestamp;
use crate::limits::{COMMANDS_PER_ENTRY_MAX, ENTRY_BYTES_MAX, PROPOSAL_BYTES_QUEUED_MAX};
use crate::ports::{Clock, LogStore};

/// Entries under way at once: one is written while another is applied and the next ones are made.
const ENTRIES_UNDER_WAY_MAX: usize = 4;

/// The answer to a proposal.
pub type Answer = Result<Vec<Outcome>, Error>;

/// Takes proposals. Clones lead to the same queue.
#[derive(Clone)]
pub struct ProposalQueue {
    sender: mpsc::UnboundedSender<Proposal>,
    bytes: Arc<AtomicUsize>,
    is_closed: Arc<AtomicBool>,
}

/// A proposal that is under way.
pub struct Pending {
    /// Comes when it is answered; fails if the node ends first.
    pub answer: oneshot::Receiver<Answer>,
    stage: Arc<Stage>,
}

impl Pending {
    /// Stops waiting. Returns whether some of it may take effect, or has; if not, none of it ever
    /// will.
    pub fn give_up(&self) -> bool {
        let gave_up = self.stage.move_on(Stage::WAITING, Stage::GIVEN_UP);
        !gave_up && !self.stage.is(Stage::GIVEN_UP)
    }
}

/// How far a proposal has come.
#[derive(Default)]
struct Stage(AtomicU8);

impl Stage {
    /// It is in the queue.
    const WAITING: u8 = 0;
    /// Some of it was handed to openraft.
    const HANDED_OVER: u8 = 1;
    /// Nothing of it will take effect: nobody waits for it any more, or it was refused.
    const GIVEN_UP: u8 = 2;
    /// It has failed, and some of what was handed over may take effect all the same.
    const IN_DOUBT: u8 = 3;

    fn is(&self, stage: u8) -> bool {
        self.0.load(Ordering::Acquire) == stage
    }

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Release);
    }

    /// Moves from one stage to another; returns whether it was at the first.
    fn move_on(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Commands that wait, and whom to answer.
struct Proposal {
    commands: Vec<Envelope>,
    weight: usize,
    ticket: Arc<Ticket>,
}

/// The answer of one proposal, gathered from the entries that it is spread over.
struct Ticket {
    stage: Arc<Stage>,
    /// Its share of the bound of the queue; given back when it is done with.
    weight: usize,
    bytes: Arc<AtomicUsize>,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    outcomes: Vec<Outcome>,
    /// Commands without an outcome.
    missing: usize,
    /// Entries with commands of this proposal that openraft has not answered.
    under_way: usize,
    sender: Option<oneshot::Sender<Answer>>,
}

impl ProposalQueue {
    /// Makes a queue; the other end goes to a [`Proposer`].
    pub fn new() -> (Self, ProposalReceiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let bytes = Arc::default();
        (Self { sender, bytes, is_closed: Arc::default() }, ProposalReceiver(receiver))
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
        let queued = self.bytes.fetch_add(weight, Ordering::AcqRel);
        let (sender, answer) = oneshot::channel();
        let stage = Arc::<Stage>::default();
        let missing = commands.len();
        let outcomes = Vec::with_capacity(missing);
        let gathered = Gathered { outcomes, missing, under_way: 0, sender: Some(sender) };
        let ticket = Arc::new(Ticket {
            stage: Arc::clone(&stage),
            weight,
            bytes: Arc::clone(&self.bytes),
            gathered: Mutex::new(gathered),
        });
        // The first that goes over the bound still passes: or one that is larger never would.
        if queued > PROPOSAL_BYTES_QUEUED_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("propose: {queued} bytes of commands wait already"),
            ));
        }
        let pending = Pending { answer, stage };
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
        self.bytes.load(Ordering::Acquire)
    }
}

/// The end of the queue where proposals come out.
pub struct ProposalReceiver(mpsc::UnboundedReceiver<Proposal>);

impl Ticket {
    /// Adds the outcomes of `count` commands; answers when they are complete.
    fn succeed(&self, outcomes: &mut impl Iterator<Item = Outcome>, count: usize) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.outcomes.extend(outcomes.take(count));
        gathered.missing -= count;
        if gathered.missing == 0
            && let Some(sender) = gathered.sender.take()
        {
            let outcomes = std::mem::take(&mut gathered.outcomes);
            drop(sender.send(Ok(outcomes)));
        }
    }

    /// Answers with an error, and keeps what is left of the proposal from being handed over.
    ///
    /// `is_refused`: openraft said that it did not take the entry that this is about.
    fn fail(&self, kind: ErrorKind, message: &str, is_refused: bool) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let was_handed_over = self.stage.is(Stage::HANDED_OVER);
        let has_others = !gathered.outcomes.is_empty() || gathered.under_way > 0;
        let may_have_happened =
            self.stage.is(Stage::IN_DOUBT) || was_handed_over && (!is_refused || has_others);
        // Before the answer, for whoever waits may give up at this very moment.
        self.stage.set(if may_have_happened { Stage::IN_DOUBT } else { Stage::GIVEN_UP });
        if let Some(sender) = gathered.sender.take() {
            let error = Error::new(kind, message);
            drop(sender.send(Err(if may_have_happened { error.maybe_happened() } else { error })));
        }
    }

    /// Counts a part that is handed over; false if nobody waits for the proposal any more.
    fn begin_part(&self) -> bool {
        // Held over both steps, so that a failure of another part counts this one or prevents it.
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = self.stage.move_on(Stage::WAITING, Stage::HANDED_OVER)
            || self.stage.is(Stage::HANDED_OVER);
        if is_wanted {
            gathered.under_way += 1;
        }
        is_wanted
    }

    /// Counts a part that is answered.
    fn end_part(&self) {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).under_way -= 1;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.weight, Ordering::AcqRel);
    }
}

/// The part of a proposal that went into one entry.
struct Part {
    ticket: Arc<Ticket>,
    commands: usize,
}

/// Makes entries of what is in the queue.
///
/// *Owner*: the node's runtime. *Inputs*: the queue. *Bound*: [`ENTRIES_UNDER_WAY_MAX`] entries
/// under way, [`PROPOSAL_BYTES_QUEUED_MAX`] bytes waiting. *Ends* when all ends of the queue are
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
    /// The time of the last entry; the state's at first.
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
        parts: Vec<Part>,
        slot: OwnedSemaphorePermit,
    ) {
        self.last_at = self.clock.now().max(self.last_at);
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
fn gather(waiting: &mut VecDeque<Proposal>) -> (Vec<Envelope>, Vec<Part>) {
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
        parts.push(Part { ticket, commands: count });
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
fn answer_parts(parts: &[Part], result: ClientWriteResult<TypeConfig>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::state::Command;

    /// A proposal that was handed over, and what its caller holds.
    fn handed_over() -> (Pending, Proposal) {
        let (queue, mut receiver) = ProposalQueue::new();
        let command = Command::SetPaused { paused: true };
        let pending = queue.push(vec![Envelope { request: None, command }]).unwrap();
        let proposal = receiver.0.try_recv().unwrap();
        assert!(proposal.ticket.begin_part());
        proposal.ticket.end_part();
        (pending, proposal)
    }

    #[test]
    fn giving_up_at_the_moment_of_a_failure_says_what_the_failure_says() {
        let check = |is_refused: bool, want: bool| {
            let (mut pending, proposal) = handed_over();
            proposal.ticket.fail(ErrorKind::NotLeader, "another node leads", is_refused);
            assert_eq!(pending.give_up(), want, "refused: {is_refused}");
            let answered = pending.answer.try_recv().unwrap().unwrap_err();
            assert_eq!(answered.may_have_happened(), want, "refused: {is_refused}");
        };
        check(false, true);
        check(true, false);
    }
}
