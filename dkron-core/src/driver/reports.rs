//! Delivers the reports of this node's runs until each is acknowledged.
//!
//! Reports that are ready together travel in one proposal; a few proposals are under way at once. A
//! report that cannot be delivered goes to the outbox on disk and is tried again until it is
//! acknowledged or refused: results are not lost, neither by a leader that is away nor by the end
//! of the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::runs::Runs;
use crate::error::Error;
use crate::kernel::state::{Command, Envelope, Outcome, Report};
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::{Log, Outbox};

/// Proposals under way at once: one is synced while the next is gathered.
const PROPOSALS_MAX: usize = 4;

/// The first wait after a failed delivery; doubled up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// Delivers reports.
pub struct Courier {
    /// Where they go.
    pub log: Arc<dyn Log>,
    /// Where they wait when that is not possible.
    pub outbox: Arc<dyn Outbox>,
    /// Who is told that they arrived.
    pub runs: Arc<Runs>,
}

impl Courier {
    /// Delivers what an earlier process left in the outbox. Call while this node leads, before
    /// runs of earlier processes are given up as lost.
    ///
    /// # Errors
    ///
    /// That of the outbox or the log; then the outbox is as it was.
    pub async fn deliver_left_over(&self) -> Result<usize, Error> {
        let reports = self.outbox.load()?;
        let count = reports.len();
        for batch in reports.chunks(COMMANDS_PER_ENTRY_MAX) {
            // Whatever became of them (accepted, known already, fenced), they are answered.
            self.log.propose(envelopes(batch)).await?;
        }
        if count > 0 {
            self.outbox.clear()?;
        }
        Ok(count)
    }

    /// Delivers what comes in, until the sending side is gone and everything is answered.
    ///
    /// *Owner*: the node's runtime. *Bound*: [`PROPOSALS_MAX`] batches of
    /// [`COMMANDS_PER_ENTRY_MAX`] under way.
    pub async fn run(self: Arc<Self>, mut incoming: mpsc::UnboundedReceiver<Report>) {
        let slots = Arc::new(Semaphore::new(PROPOSALS_MAX));
        let mut batch = Vec::new();
        while incoming.recv_many(&mut batch, COMMANDS_PER_ENTRY_MAX).await > 0 {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let courier = Arc::clone(&self);
            let batch = std::mem::take(&mut batch);
            tokio::spawn(async move {
                courier.deliver(batch).await;
                drop(slot);
            });
        }
        let _ = slots.acquire_many(PROPOSALS_MAX as u32).await;
    }

    /// Delivers one batch, however long that takes.
    async fn deliver(self: Arc<Self>, batch: Vec<Report>) {
        let mut wait = RETRY_AFTER_MIN;
        let mut is_in_outbox = false;
        loop {
            match self.log.propose(envelopes(&batch)).await {
                Ok(outcomes) => return self.acknowledge(&batch, &outcomes),
                Err(error) => {
                    tracing::warn!(
                        reports = batch.len(),
                        error = error.report(),
                        "results wait in the outbox: cannot deliver them now"
                    );
                }
            }
            if !is_in_outbox {
                is_in_outbox = self.store(batch.clone()).await;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_AFTER_MAX);
        }
    }

    fn acknowledge(&self, batch: &[Report], outcomes: &[Outcome]) {
        for (report, outcome) in batch.iter().zip(outcomes) {
            if let Outcome::Rejected(rejection) = outcome {
                tracing::warn!(
                    job = %report.job,
                    execution = %report.execution,
                    %rejection,
                    "a result was refused"
                );
            }
        }
        self.runs.acknowledge(batch.iter().map(|report| report.token));
    }

    /// Puts reports into the outbox; returns whether they are safe there.
    async fn store(&self, batch: Vec<Report>) -> bool {
        let outbox = Arc::clone(&self.outbox);
        let stored = tokio::task::spawn_blocking(move || outbox.add(&batch)).await;
        match stored {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(error = error.report(), "cannot write results to the outbox");
                false
            }
            Err(_) => false,
        }
    }
}

fn envelopes(reports: &[Report]) -> Vec<Envelope> {
    let finish = |report: &Report| Envelope {
        request: None,
        command: Command::Finish(Box::new(report.clone())),
    };
    reports.iter().map(finish).collect()
}
