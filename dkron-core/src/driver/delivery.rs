//! The courier's task: proposes the reports that come in, and takes in what the log says to them.
//!
//! # Where to begin reading
//!
//! [`Round::run`].

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::behind::{Behind, RETRY_AFTER_MIN};
use super::courier::{ANSWER_WAIT_MAX, Backlog};
use super::runs::Runs;
use crate::error::{Error, ErrorKind};
use crate::kernel::state::{Envelope, Outcome, Report};
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::{Log, Outbox, OutboxMark};

/// Proposals under way at once: one is synced while the next is gathered.
const PROPOSALS_MAX: usize = 4;

/// Where the reports of a delivery are while it is under way.
#[derive(Clone, Copy)]
pub(super) enum Source {
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
pub(super) struct Round {
    pub(super) log: Arc<dyn Log>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) runs: Arc<Runs>,
    pub(super) told: watch::Sender<Backlog>,
    /// While reports may be in the outbox.
    pub(super) behind: Option<Behind>,
    /// What is in the outbox is not waited for any more.
    pub(super) closed: CancellationToken,
}

impl Round {
    /// Delivers what comes in, until it is told to close or the sending side is gone.
    ///
    /// *Owner*: the node's runtime. *Inputs*: reports. *Bound*: [`PROPOSALS_MAX`] batches of
    /// [`COMMANDS_PER_ENTRY_MAX`] under way; what comes beyond is written to disk as soon as the
    /// first of them has waited [`ANSWER_WAIT_MAX`].
    pub(super) async fn run(
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
    pub(super) fn tell(&self, backlog: Backlog) {
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
