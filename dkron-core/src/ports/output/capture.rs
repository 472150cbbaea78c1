//! The writer's side: keeps the tail, the count and the progress of one run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::follow::OutputFollower;
use super::tail::Tail;
use crate::limits;
use crate::ports::{Output, OutputWriter};

/// Takes the output of one run.
///
/// A run that writes nothing costs this struct and no more: the ring is allocated as bytes come.
pub struct OutputCapture {
    state: Mutex<State>,
    news: Notify,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) tail: Tail,
    pub(super) progress: Option<Progress>,
    /// Counts the changes of `progress`.
    pub(super) progress_version: u64,
    /// Nothing more will come.
    pub(super) is_over: bool,
}

/// How far a run says it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Within 0 to 1.
    pub done: f64,
    /// A word about it, at most [`limits::PROGRESS_NOTE_BYTES_MAX`] bytes.
    pub note: String,
}

/// The output of a run as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedOutput {
    /// The error text and a newline, if there was an error, then the last bytes the run wrote.
    pub bytes: Vec<u8>,
    /// How many bytes the run wrote in all, the error text not counted.
    pub bytes_total: u64,
    /// How many of these, from the beginning on, are not kept.
    pub bytes_dropped: u64,
}

impl OutputCapture {
    /// Keeps the last [`limits::OUTPUT_BYTES_MAX`] bytes.
    pub fn new() -> Arc<Self> {
        Self::keeping(limits::OUTPUT_BYTES_MAX)
    }

    /// Keeps the last `bytes_max` bytes, cut to [`limits::OUTPUT_BYTES_MAX`].
    pub fn keeping(bytes_max: usize) -> Arc<Self> {
        let tail = Tail::new(bytes_max.min(limits::OUTPUT_BYTES_MAX));
        let state = State { tail, progress: None, progress_version: 0, is_over: false };
        Arc::new(Self { state: Mutex::new(state), news: Notify::new() })
    }

    /// Returns a writer for the run.
    pub fn writer(self: &Arc<Self>) -> OutputWriter {
        OutputWriter::new(Arc::clone(self) as Arc<dyn Output>)
    }

    /// Follows the output from the byte at `offset` on; 0 begins with what is kept.
    pub fn follow(self: &Arc<Self>, offset: u64) -> OutputFollower {
        OutputFollower::new(Arc::clone(self), offset)
    }

    /// Returns the latest progress, if the run has told any.
    pub fn progress(&self) -> Option<Progress> {
        self.lock().progress.clone()
    }

    /// Returns what a run that is still going on has written.
    pub fn snapshot(&self) -> CapturedOutput {
        self.tail(limits::OUTPUT_BYTES_MAX)
    }

    /// Returns the last `bytes_max` bytes of what a run that is still going on has written.
    pub fn tail(&self, bytes_max: usize) -> CapturedOutput {
        captured(&self.lock().tail, None, bytes_max)
    }

    /// Returns whether the run has ended.
    pub fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Ends the stream for its followers, and returns what is to be kept.
    ///
    /// The error stands in front, and what is kept of the output makes room for it.
    pub fn finish(&self, error: Option<&str>) -> CapturedOutput {
        let mut state = self.lock();
        state.is_over = true;
        let output = captured(&state.tail, error, limits::OUTPUT_BYTES_MAX);
        drop(state);
        self.news.notify_waiters();
        output
    }

    /// Locks the state; a writer that panicked leaves it whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for news.
    pub(super) fn news(&self) -> &Notify {
        &self.news
    }
}

impl Output for OutputCapture {
    fn write(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.lock().tail.push(bytes);
        self.news.notify_waiters();
    }

    fn progress(&self, done: f64, note: &str) {
        if done.is_nan() {
            return;
        }
        let note = cut(note, limits::PROGRESS_NOTE_BYTES_MAX).to_owned();
        let mut state = self.lock();
        state.progress = Some(Progress { done, note });
        state.progress_version += 1;
        drop(state);
        self.news.notify_waiters();
    }
}

/// Puts the error in front of the last bytes: `bytes_max` in all.
fn captured(tail: &Tail, error: Option<&str>, bytes_max: usize) -> CapturedOutput {
    let mut bytes = Vec::new();
    if let Some(error) = error {
        let kept = cut(error, limits::ERROR_TEXT_BYTES_MAX);
        bytes.extend_from_slice(kept.as_bytes());
        if kept.len() < error.len() {
            let cut_bytes = error.len() - kept.len();
            bytes.extend_from_slice(format!("… ({cut_bytes} bytes more)").as_bytes());
        }
        bytes.push(b'\n');
    }
    let room = bytes_max.saturating_sub(bytes.len());
    let error_bytes = bytes.len();
    tail.append_last(room, &mut bytes);
    let kept_bytes = (bytes.len() - error_bytes) as u64;
    CapturedOutput { bytes, bytes_total: tail.seen(), bytes_dropped: tail.seen() - kept_bytes }
}

/// Returns the longest prefix of at most `bytes_max` bytes that ends between characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_within_the_limit_is_kept_whole() {
        let capture = OutputCapture::new();
        let writer = capture.writer();
        writer.write(b"one\n");
        writer.write(b"");
        writer.write(b"two\n");

        let output = capture.finish(None);

        assert_eq!(output.bytes, b"one\ntwo\n");
        assert_eq!((output.bytes_total, output.bytes_dropped), (8, 0));
    }

    #[test]
    fn the_error_stands_before_the_output_with_a_newline() {
        let capture = OutputCapture::new();
        capture.writer().write(b"out\n");

        assert_eq!(capture.finish(Some("exit status 3")).bytes, b"exit status 3\nout\n");
    }

    #[test]
    fn an_overflow_keeps_the_last_bytes_and_tells_how_many_went() {
        let capture = OutputCapture::new();
        let writer = capture.writer();
        writer.write(&vec![b'a'; 256_000]);
        writer.write(b"bcd");

        let output = capture.finish(None);

        assert_eq!(output.bytes.len(), 256_000);
        assert!(output.bytes.ends_with(b"aaabcd"));
        assert_eq!((output.bytes_total, output.bytes_dropped), (256_003, 3));
    }

    #[test]
    fn of_a_run_that_goes_on_no_more_is_copied_than_is_asked_for() {
        let capture = OutputCapture::new();
        capture.writer().write(b"0123456789");

        for (bytes_max, want) in [(0, &b""[..]), (4, b"6789"), (99, b"0123456789")] {
            let tail = capture.tail(bytes_max);
            assert_eq!((&tail.bytes[..], tail.bytes_total), (want, 10));
        }
    }

    #[test]
    fn an_overflow_never_pushes_the_error_out() {
        let capture = OutputCapture::new();
        capture.writer().write(&vec![b'a'; 300_000]);

        let output = capture.finish(Some("exit status 1"));

        assert!(output.bytes.starts_with(b"exit status 1\naaa"));
        assert_eq!(output.bytes.len(), 256_000);
        assert_eq!(output.bytes_dropped, 300_000 - (256_000 - 14));
    }

    #[test]
    fn an_endless_error_leaves_room_for_the_output() {
        let capture = OutputCapture::new();
        capture.writer().write(b"out");

        let output = capture.finish(Some(&"é".repeat(1_000_000)));

        let text = String::from_utf8(output.bytes).unwrap();
        assert!(text.ends_with("é… (1983616 bytes more)\nout"), "{}", text.len());
    }

    #[test]
    fn the_latest_progress_counts_and_is_kept_within_bounds() {
        let capture = OutputCapture::new();
        let writer = capture.writer();
        assert_eq!(capture.progress(), None);

        writer.progress(0.25, "reading");
        writer.progress(7.0, &"x".repeat(5000));
        writer.progress(f64::NAN, "lost");

        let progress = capture.progress().unwrap();
        assert_eq!((progress.done, progress.note.len()), (1.0, limits::PROGRESS_NOTE_BYTES_MAX));
    }

    #[test]
    fn a_silent_run_holds_no_buffer() {
        assert!(size_of::<OutputCapture>() <= 192, "{}", size_of::<OutputCapture>());
        let capture = OutputCapture::new();
        assert_eq!(capture.lock().tail.capacity(), 0);
    }
}
