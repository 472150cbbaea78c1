//! One who listens: what is sent next, and when.
//!
//! Holds a position and nothing else. It is asked for more when its client has taken what there
//! was; a client that takes nothing falls behind by itself, and learns of it when it goes on.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use dkron_core::Error;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::filter::Filter;
use super::gap::{Gap, GapReason};
use super::position::{Position, unix_ms};
use super::ring::{Next, Ring, read};
use crate::clock;

/// What a client waits before it connects again, in milliseconds, unless it knows better.
const RETRY_MS: u32 = 2_000;

/// The last that a listener is sent.
const FAREWELL: &[u8] = b": the node stops\n\n";

/// Somebody who listens to a row of events.
pub(super) struct Listener {
    pub(super) ring: Arc<RwLock<Ring>>,
    /// Changes with every block that is told; closed when nothing more will be.
    pub(super) told: watch::Receiver<u64>,
    pub(super) filter: Filter,
    /// Behind the last event it was sent, or was not to be sent.
    pub(super) position: Position,
    /// What it is told of first.
    pub(super) gap: Option<Gap>,
    /// How long it is left without a word.
    pub(super) silence_max: Duration,
    /// Left when it is dropped.
    pub(super) _place: OwnedSemaphorePermit,
    /// Tells the collector that somebody wants outputs.
    pub(super) _outputs: Option<watch::Receiver<()>>,
}

/// Where the answer to a listener stands.
enum Stage {
    Opening,
    Listening { speak_at: Instant },
    Over,
}

impl Listener {
    /// Makes the body of the answer: it goes on until the client hangs up, or the node stops.
    pub(super) fn into_body(self) -> Body {
        let pieces = stream::unfold((self, Stage::Opening), |(mut listener, stage)| async move {
            let (piece, stage) = listener.next(stage).await?;
            Some((Ok::<_, Error>(piece), (listener, stage)))
        });
        Body::from_stream(pieces)
    }

    /// Waits for what is to be sent next.
    async fn next(&mut self, stage: Stage) -> Option<(Bytes, Stage)> {
        let speak_at = match stage {
            Stage::Opening => return Some((self.opening(), self.listening())),
            Stage::Listening { speak_at } => speak_at,
            Stage::Over => return None,
        };
        loop {
            // Before the look: what is told after it wakes.
            self.told.borrow_and_update();
            if let Some(news) = self.look() {
                return Some((news, self.listening()));
            }
            tokio::select! {
                changed = self.told.changed() => if changed.is_err() {
                    return Some((Bytes::from_static(FAREWELL), Stage::Over));
                },
                () = sleep_until(speak_at) => {
                    // With its position: a client that hears of few events comes back to it.
                    let beat = format!(": still here\nid: {}\n\n", self.position);
                    return Some((Bytes::from(beat), self.listening()));
                }
            }
        }
    }

    fn listening(&self) -> Stage {
        Stage::Listening { speak_at: Instant::now() + self.silence_max }
    }

    fn opening(&mut self) -> Bytes {
        let mut text = format!(": events of dkron\nretry: {RETRY_MS}\n");
        match self.gap.take() {
            Some(gap) => text = text + "\n" + &gap.event(self.position),
            None => text = format!("{text}id: {}\n\n", self.position),
        }
        Bytes::from(text)
    }

    /// Takes what is behind the position, if there is something to send.
    fn look(&mut self) -> Option<Bytes> {
        loop {
            let next = read(&self.ring).behind(self.position.number);
            match next {
                Next::Nothing => return None,
                Next::Lost(first) => {
                    let missed = Some(first - self.position.number - 1);
                    let since = Some(self.position.at());
                    let at_ms = unix_ms(clock::now());
                    self.position = Position { number: first - 1, at_ms, ..self.position };
                    let gap = Gap { reason: GapReason::TooLate, missed, since };
                    return Some(Bytes::from(gap.event(self.position)));
                }
                Next::Block(block) => {
                    let news = block.text_from(self.position.number + 1, &self.filter);
                    self.position = block.last();
                    if !news.is_empty() {
                        return Some(news);
                    }
                }
            }
        }
    }
}
