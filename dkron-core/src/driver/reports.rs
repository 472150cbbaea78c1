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
//! `Round::run`.
//!
//! # Invariants
//!
//! * A report is in memory alone for [`ANSWER_WAIT_MAX`] at most, unless the disk refuses it.
//! * What is left in the outbox at a start is delivered before [`Backlog::None`] is told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::runs::Runs;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Envelope, Outcome, Report};
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::{Log, Outbox, OutboxMark};

/// Proposals under way at once: one is synced while the next is gathered.
const PROPOSALS_MAX: usize = 4;

/// How long reports wait for the answer of the log before they are written to the outbox.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// The first wait after a failed delivery; doubled up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

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

/// How the delivery from the outbox stands.
struct Behind {
    /// Everything before it is acknowledged.
    mark: OutboxMark,
    /// Reports that could not be written to the outbox, and why.
    unsaved: Vec<Report>,
    fault: Option<Error>,
    is_trying: bool,
    /// When to try again, and how long to wait if that fails as well.
    try_at: Instant,
    wait: Duration,
    delivered: usize,
}

impl Behind {
    /// Begins; what is in the outbox may be delivered at once.
    fn now() -> Self {
        Self {
            mark: OutboxMark::default(),
            unsaved: Vec::new(),
            fault: None,
            is_trying: false,
            try_at: Instant::now(),
            wait: RETRY_AFTER_MIN,
            delivered: 0,
        }
    }

    fn put_off(&mut self) {
        self.is_trying = false;
        self.try_at = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(RETRY_AFTER_MAX);
    }
}

/// Where the reports of a delivery are while it is under way.
#[derive(Clone, Copy)]
enum Source {
    /// In memory alone, for the first time.
    Fresh,
    /// In memory alone, for the disk refused them.
    Unsaved,
    /// In the outbox, before this mark.
    Outbox(OutboxMark),
}

/// A delivery that was answered.
struct Delivery {
    reports: Vec<Report>,
    source: Source,
    answer: Result<Vec<Outcome>, Error>,
}

/// The courier's own half.
struct Round {
    log: Arc<dyn Log>,
    outbox: Arc<dyn Outbox>,
    runs: Arc<Runs>,
    told: watch::Sender<Backlog>,
    /// While reports may be in the outbox.
    behind: Option<Behind>,
    /// What is in the outbox is not waited for any more.
    closed: CancellationToken,
}

impl Round {
    /// Delivers what comes in, until it is told to close or the sending side is gone.
    ///
    /// *Owner*: the node's runtime. *Inputs*: reports. *Bound*: [`PROPOSALS_MAX`] batches of
    /// [`COMMANDS_PER_ENTRY_MAX`] under way; what comes beyond is written to disk as soon as the
    /// first of them has waited [`ANSWER_WAIT_MAX`].
    async fn run(
        mut self,
        mut incoming: mpsc::UnboundedReceiver<Report>,
        mut asked: mpsc::Receiver<oneshot::Sender<Result<(), Error>>>,
        hurry: Arc<Notify>,
    ) {
        let mut under_way = FuturesUnordered::new();
        let mut batch = Vec::new();
        loop {
            let has_room = self.behind.is_some() || under_way.len() < PROPOSALS_MAX;
            let try_at =
                self.behind.as_ref().filter(|behind| !behind.is_trying).map(|behind| behind.try_at);
            tokio::select! {
                Some(delivery) = under_way.next() => self.answered(delivery).await,
                count = incoming.recv_many(&mut batch, COMMANDS_PER_ENTRY_MAX), if has_room => {
                    let reports = std::mem::take(&mut batch);
                    if count == 0 {
                        return;
                    } else if self.behind.is_some() {
                        self.keep(reports).await;
                    } else {
                        under_way.push(self.deliver(reports, Source::Fresh));
                    }
                }
                () = due(try_at, &hurry) => {
                    if let Some((reports, source)) = self.next_try().await {
                        under_way.push(self.deliver(reports, source));
                    }
                }
                Some(answer) = asked.recv() => {
                    incoming.close();
                    self.closed.cancel();
                    while incoming.recv_many(&mut batch, COMMANDS_PER_ENTRY_MAX).await > 0 {
                        self.fall_behind("the node stops").keep(std::mem::take(&mut batch)).await;
                    }
                    while let Some(delivery) = under_way.next().await {
                        self.answered(delivery).await;
                    }
                    // Fails only if nobody waits any more.
                    let _ = answer.send(self.end().await);
                    return;
                }
            }
        }
    }

    /// Proposes reports. What is in memory alone does not wait for a log that takes its time.
    fn deliver(
        &self,
        reports: Vec<Report>,
        source: Source,
    ) -> impl Future<Output = Delivery> + use<> {
        let answer = self.log.propose(reports.iter().map(Envelope::finish).collect());
        let closed = self.closed.clone();
        async move {
            let answer = match source {
                Source::Outbox(_) => {
                    closed.run_until_cancelled(answer).await.unwrap_or_else(|| {
                        Err(Error::new(ErrorKind::Stopped, "the node stops").maybe_happened())
                    })
                }
                Source::Fresh | Source::Unsaved => {
                    tokio::time::timeout(ANSWER_WAIT_MAX, answer).await.unwrap_or_else(|_| {
                        let seconds = ANSWER_WAIT_MAX.as_secs();
                        let text = format!("no answer of the log within {seconds} s");
                        Err(Error::new(ErrorKind::DeadlineExceeded, text).maybe_happened())
                    })
                }
            };
            Delivery { reports, source, answer }
        }
    }

    /// Takes in what the log said to a delivery.
    async fn answered(&mut self, delivery: Delivery) {
        let Delivery { reports, source, answer } = delivery;
        match (answer, source) {
            (Ok(outcomes), _) => {
                self.acknowledge(&reports, &outcomes);
                if let (Some(behind), Source::Outbox(_) | Source::Unsaved) =
                    (&mut self.behind, source)
                {
                    if let Source::Outbox(mark) = source {
                        behind.mark = mark;
                    }
                    behind.delivered += reports.len();
                    behind.is_trying = false;
                    (behind.try_at, behind.wait) = (Instant::now(), RETRY_AFTER_MIN);
                }
            }
            (Err(error), Source::Fresh) => {
                self.fall_behind(&error.report()).keep(reports).await;
            }
            (Err(error), Source::Outbox(_) | Source::Unsaved) => {
                if let Some(behind) = &mut self.behind {
                    if let Source::Unsaved = source {
                        behind.unsaved.extend(reports);
                    }
                    behind.put_off();
                }
                self.tell(Backlog::Waiting(Some(error.report())));
            }
        }
    }

    /// From now on everything goes through the outbox.
    fn fall_behind(&mut self, why: &str) -> &mut Self {
        if self.behind.is_none() {
            tracing::warn!(why, "results wait in the outbox: cannot deliver them now");
            let mut behind = Behind::now();
            behind.put_off();
            self.behind = Some(behind);
            self.tell(Backlog::Waiting(Some(why.to_owned())));
        }
        self
    }

    /// Writes reports to the outbox.
    async fn keep(&mut self, reports: Vec<Report>) {
        let Some(behind) = &mut self.behind else { return };
        let (outbox, reports) = (Arc::clone(&self.outbox), Arc::new(reports));
        let adding = Arc::clone(&reports);
        let kept = match tokio::task::spawn_blocking(move || outbox.add(&adding)).await {
            Ok(kept) => kept,
            Err(_) => Err(Error::new(ErrorKind::Internal, "writing to the outbox was broken off")),
        };
        match kept {
            Ok(()) => self.runs.keep(reports.iter().map(|report| report.token)),
            Err(error) => {
                if behind.fault.is_none() {
                    let error = error.report();
                    tracing::error!(error, "results are in memory alone: the outbox fails");
                }
                behind.fault = Some(error);
                behind.unsaved.extend(Arc::unwrap_or_clone(reports));
            }
        }
    }

    /// Says what to deliver next while this is behind; nothing if that is over, or put off.
    async fn next_try(&mut self) -> Option<(Vec<Report>, Source)> {
        let unsaved = std::mem::take(&mut self.behind.as_mut()?.unsaved);
        if !unsaved.is_empty() {
            self.keep(unsaved).await;
        }
        let (outbox, from) = (Arc::clone(&self.outbox), self.behind.as_ref()?.mark);
        let is_saved = self.behind.as_ref()?.unsaved.is_empty();
        let read = tokio::task::spawn_blocking(move || {
            let next = outbox.read(from)?;
            if next.is_none() && is_saved {
                outbox.clear()?;
            }
            Ok(next)
        });
        let read = read.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "reading the outbox was broken off"))
        });
        let behind = self.behind.as_mut()?;
        if is_saved {
            behind.fault = None;
        }
        behind.is_trying = true;
        match read {
            Ok(Some((reports, end))) => return Some((reports, Source::Outbox(end))),
            Ok(None) if is_saved => {
                if behind.delivered > 0 {
                    tracing::info!(results = behind.delivered, "the outbox is delivered");
                }
                self.behind = None;
                self.tell(Backlog::None);
                return None;
            }
            Ok(None) => {}
            Err(error) => {
                let report = error.report();
                tracing::error!(error = report, "cannot deliver the outbox");
                if is_saved {
                    behind.put_off();
                    self.tell(Backlog::Waiting(Some(report)));
                    return None;
                }
            }
        }
        let count = behind.unsaved.len().min(COMMANDS_PER_ENTRY_MAX);
        Some((behind.unsaved.drain(..count).collect(), Source::Unsaved))
    }

    /// Says whether everything is acknowledged or kept.
    async fn end(&mut self) -> Result<(), Error> {
        let Some(behind) = &mut self.behind else { return Ok(()) };
        let unsaved = std::mem::take(&mut behind.unsaved);
        if !unsaved.is_empty() {
            self.keep(unsaved).await;
        }
        match &mut self.behind {
            Some(Behind { unsaved, fault, .. }) if !unsaved.is_empty() => {
                let text = format!("{} results could neither be handed in nor kept", unsaved.len());
                let error = Error::new(ErrorKind::Storage, text);
                Err(match fault.take() {
                    Some(fault) => error.with_source(fault),
                    None => error,
                })
            }
            _ => Ok(()),
        }
    }

    fn acknowledge(&self, reports: &[Report], outcomes: &[Outcome]) {
        for (report, outcome) in reports.iter().zip(outcomes) {
            if let Outcome::Rejected(rejection) = outcome {
                tracing::warn!(
                    job = %report.job,
                    execution = %report.execution,
                    %rejection,
                    "a result was refused"
                );
            }
        }
        self.runs.acknowledge(reports.iter().map(|report| report.token));
    }

    /// Tells how it stands, if that is news.
    fn tell(&self, backlog: Backlog) {
        self.told.send_if_modified(|told| {
            let is_news = *told != backlog;
            if is_news {
                *told = backlog;
            }
            is_news
        });
    }
}

/// Resolves when the next try is due, or somebody hurries; never if none is to come.
async fn due(try_at: Option<Instant>, hurry: &Notify) {
    match try_at {
        None => std::future::pending().await,
        Some(at) => tokio::select! {
            () = tokio::time::sleep_until(at) => {}
            () = hurry.notified() => {}
        },
    }
}

#[cfg(test)]
#[path = "reports_test.rs"]
mod tests;
