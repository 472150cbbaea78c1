//! The courier's way through the outbox, for as long as the log does not take reports at once.
//!
//! What cannot even be written to the outbox stays in memory, and is tried like the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::courier::Backlog;
use super::delivery::{Round, Source};
use crate::error::{Error, ErrorKind};
use crate::kernel::state::Report;
use crate::limits::COMMANDS_PER_ENTRY_MAX;
use crate::ports::OutboxMark;

/// The first wait after a failed delivery; doubled up to [`RETRY_AFTER_MAX`].
pub(super) const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// How the delivery from the outbox stands.
pub(super) struct Behind {
    /// Everything before it is acknowledged.
    pub(super) mark: OutboxMark,
    /// Reports that could not be written to the outbox, and why.
    pub(super) unsaved: Vec<Report>,
    pub(super) fault: Option<Error>,
    pub(super) is_trying: bool,
    /// When to try again, and how long to wait if that fails as well.
    pub(super) try_at: Instant,
    pub(super) wait: Duration,
    pub(super) delivered: usize,
}

impl Behind {
    /// Begins; what is in the outbox may be delivered at once.
    pub(super) fn now() -> Self {
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

    /// Tries again later, and each time later still.
    pub(super) fn put_off(&mut self) {
        self.is_trying = false;
        self.try_at = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(RETRY_AFTER_MAX);
    }
}

impl Round {
    /// From now on everything goes through the outbox.
    pub(super) fn fall_behind(&mut self, why: &str) -> &mut Self {
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
    pub(super) async fn keep(&mut self, reports: Vec<Report>) {
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
    pub(super) async fn next_try(&mut self) -> Option<(Vec<Report>, Source)> {
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
    pub(super) async fn end(&mut self) -> Result<(), Error> {
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
}
