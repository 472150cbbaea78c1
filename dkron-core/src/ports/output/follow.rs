//! The reader's side: one place in the stream, and what is new there.

use std::pin::pin;
use std::sync::Arc;

use super::capture::{OutputCapture, Progress};
use crate::limits;

/// Reads the output of a run as it comes; see `OutputCapture::follow`.
pub struct OutputFollower {
    capture: Arc<OutputCapture>,
    offset: u64,
    progress_version: u64,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputNews {
    /// Bytes in a row, at most [`limits::OUTPUT_CHUNK_BYTES_MAX`].
    Output {
        /// The place of the first of them in the stream; to go on after a break, add their number.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The follower was too slow, or came too late: so many bytes are gone.
    Missed {
        /// How many.
        bytes: u64,
    },
    /// The run told how far it has come; only the latest counts.
    Progress(Progress),
}

impl OutputFollower {
    /// Begins at `offset`.
    pub(super) fn new(capture: Arc<OutputCapture>, offset: u64) -> Self {
        Self { capture, offset, progress_version: 0 }
    }

    /// Waits for news; `None` once the run is over and everything has been told.
    ///
    /// Cancel-safe. The run never waits for it.
    pub async fn next(&mut self) -> Option<OutputNews> {
        let capture = Arc::clone(&self.capture);
        loop {
            let mut notified = pin!(capture.news().notified());
            notified.as_mut().enable();
            let (news, is_over) = self.look();
            if news.is_some() || is_over {
                return news;
            }
            notified.await;
        }
    }

    /// Returns what is new right now, and whether nothing more will come.
    fn look(&mut self) -> (Option<OutputNews>, bool) {
        let state = self.capture.lock();
        if state.progress_version != self.progress_version {
            self.progress_version = state.progress_version;
            return (state.progress.clone().map(OutputNews::Progress), false);
        }
        let start = state.tail.start();
        if self.offset < start {
            let bytes = start - self.offset;
            self.offset = start;
            return (Some(OutputNews::Missed { bytes }), false);
        }
        let bytes = state.tail.copy_from(self.offset, limits::OUTPUT_CHUNK_BYTES_MAX);
        if bytes.is_empty() {
            return (None, state.is_over);
        }
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        (Some(OutputNews::Output { offset, bytes }), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::OutputWriter;

    fn output(offset: u64, bytes: &[u8]) -> Option<OutputNews> {
        Some(OutputNews::Output { offset, bytes: bytes.to_vec() })
    }

    #[tokio::test]
    async fn a_follower_sees_what_was_there_and_what_comes_then_the_end() {
        let capture = OutputCapture::new();
        let writer = capture.writer();
        writer.write(b"before ");
        let mut follower = capture.follow(0);

        assert_eq!(follower.next().await, output(0, b"before "));
        let (news, ()) = tokio::join!(follower.next(), async { writer.write(b"live") });
        assert_eq!(news, output(7, b"live"));
        let (news, _) = tokio::join!(follower.next(), async { capture.finish(None) });
        assert_eq!(news, None);
    }

    #[tokio::test]
    async fn a_follower_goes_on_where_it_stopped() {
        let capture = OutputCapture::new();
        capture.writer().write(b"0123456789");
        capture.finish(Some("exit status 1"));

        let mut follower = capture.follow(6);

        assert_eq!(follower.next().await, output(6, b"6789"));
        assert_eq!(follower.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_follower_is_told_what_it_missed_and_the_run_went_on() {
        let capture = OutputCapture::keeping(100);
        let writer: OutputWriter = capture.writer();
        let mut follower = capture.follow(0);
        for _ in 0..1000 {
            writer.write(b"0123456789");
        }
        capture.finish(None);

        assert_eq!(follower.next().await, Some(OutputNews::Missed { bytes: 9900 }));
        assert_eq!(follower.next().await, output(9900, b"0123456789".repeat(10).as_slice()));
        assert_eq!(follower.next().await, None);
    }

    #[tokio::test]
    async fn a_long_row_comes_in_chunks() {
        let capture = OutputCapture::new();
        capture.writer().write(&vec![b'x'; 150_000]);
        capture.finish(None);
        let mut follower = capture.follow(0);

        let mut sizes = Vec::new();
        while let Some(OutputNews::Output { bytes, .. }) = follower.next().await {
            sizes.push(bytes.len());
        }
        assert_eq!(sizes, [65_536, 65_536, 18_928]);
    }

    #[tokio::test]
    async fn progress_reaches_the_follower_once() {
        let capture = OutputCapture::new();
        let writer = capture.writer();
        writer.progress(0.1, "one");
        writer.progress(0.5, "two");
        let mut follower = capture.follow(0);

        let want = Progress { done: 0.5, note: "two".to_owned() };
        assert_eq!(follower.next().await, Some(OutputNews::Progress(want)));
        capture.finish(None);
        assert_eq!(follower.next().await, None);
    }
}
