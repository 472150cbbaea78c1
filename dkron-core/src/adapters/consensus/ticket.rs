//! What becomes of one proposal: how far it has come, what it was answered, and whether it may have
//! happened all the same.
//!
//! A proposal may be spread over several entries: its ticket gathers what each of them brought.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::kernel::state::Outcome;
use crate::ports::{ANSWER_SPANS, SpanMeter};

/// The answer to a proposal.
pub type ProposalAnswer = Result<Vec<Outcome>, Error>;

/// A proposal that is under way.
pub struct Pending {
    /// Comes when it is answered; fails if the node ends first.
    pub answer: oneshot::Receiver<ProposalAnswer>,
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

/// What the proposals of one queue have in common.
pub(super) struct QueueLoad {
    /// Bytes that wait in the queue or are under way.
    pub(super) bytes: AtomicUsize,
    /// How long proposals took, from the queue to the state, that have taken effect.
    pub(super) commit_time: SpanMeter,
}

impl Default for QueueLoad {
    fn default() -> Self {
        Self { bytes: AtomicUsize::new(0), commit_time: SpanMeter::new(ANSWER_SPANS) }
    }
}

/// The answer of one proposal, gathered from the entries that it is spread over.
pub(super) struct Ticket {
    stage: Arc<Stage>,
    /// Its share of the bound of the queue.
    weight: usize,
    load: Arc<QueueLoad>,
    begun: Instant,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    outcomes: Vec<Outcome>,
    /// Commands without an outcome.
    missing: usize,
    /// Entries with commands of this proposal that openraft has not answered.
    under_way: usize,
    sender: Option<oneshot::Sender<ProposalAnswer>>,
}

impl Ticket {
    /// Makes the ticket of so many commands, and what its caller waits with.
    ///
    /// `weight` is counted in `load` already, and taken off when the ticket is done with.
    pub(super) fn new(
        commands: usize,
        weight: usize,
        load: Arc<QueueLoad>,
    ) -> (Arc<Self>, Pending) {
        let (sender, answer) = oneshot::channel();
        let stage = Arc::<Stage>::default();
        let outcomes = Vec::with_capacity(commands);
        let sender = Some(sender);
        let gathered = Gathered { outcomes, missing: commands, under_way: 0, sender };
        let gathered = Mutex::new(gathered);
        let begun = Instant::now();
        let ticket = Self { stage: Arc::clone(&stage), weight, load, begun, gathered };
        (Arc::new(ticket), Pending { answer, stage })
    }

    /// Adds the outcomes of `count` commands; answers when they are complete.
    pub(super) fn succeed(&self, outcomes: &mut impl Iterator<Item = Outcome>, count: usize) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.outcomes.extend(outcomes.take(count));
        gathered.missing -= count;
        if gathered.missing == 0
            && let Some(sender) = gathered.sender.take()
        {
            let outcomes = std::mem::take(&mut gathered.outcomes);
            self.load.commit_time.record(self.begun.elapsed());
            drop(sender.send(Ok(outcomes)));
        }
    }

    /// Answers with an error, and keeps what is left of the proposal from being handed over.
    ///
    /// `is_refused`: openraft said that it did not take the entry that this is about.
    pub(super) fn fail(&self, kind: ErrorKind, message: &str, is_refused: bool) {
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
    pub(super) fn begin_part(&self) -> bool {
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
    pub(super) fn end_part(&self) {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).under_way -= 1;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(self.weight, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_up_at_the_moment_of_a_failure_says_what_the_failure_says() {
        let check = |is_refused: bool, want: bool| {
            let (ticket, mut pending) = Ticket::new(1, 0, Arc::default());
            assert!(ticket.begin_part(), "it is handed over");
            ticket.end_part();
            ticket.fail(ErrorKind::NotLeader, "another node leads", is_refused);
            assert_eq!(pending.give_up(), want, "refused: {is_refused}");
            let answered = pending.answer.try_recv().unwrap().unwrap_err();
            assert_eq!(answered.may_have_happened(), want, "refused: {is_refused}");
        };
        check(false, true);
        check(true, false);
    }
}
