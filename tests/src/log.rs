//! What a daemon writes to its standard streams, line by line, while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Lines read so far, and whether more may come.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    open_streams: usize,
}

/// Follows the streams of one process.
pub(crate) struct Log {
    shared: Arc<(Mutex<Lines>, Condvar)>,
    readers: Vec<JoinHandle<()>>,
}

impl Log {
    /// Reads all streams to their ends, each on a thread.
    pub(crate) fn follow(streams: Vec<Box<dyn Read + Send>>) -> Self {
        let shared = Arc::new((
            Mutex::new(Lines { lines: Vec::new(), open_streams: streams.len() }),
            Condvar::new(),
        ));
        let reader = |stream: Box<dyn Read + Send>| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                let mut line = Vec::new();
                while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    lock(&shared.0).lines.push(text);
                    shared.1.notify_all();
                    line.clear();
                }
                lock(&shared.0).open_streams -= 1;
                shared.1.notify_all();
            })
        };
        let readers = streams.into_iter().map(reader).collect();
        Self { shared, readers }
    }

    /// Waits for the first line that `find` makes something of; `None` if the streams end before,
    /// or `bound` passes.
    pub(crate) fn wait_for<T>(
        &self,
        bound: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + bound;
        let (mutex, changed) = &*self.shared;
        let mut lines = lock(mutex);
        let mut seen = 0;
        loop {
            if let Some(found) = lines.lines[seen..].iter().find_map(|line| find(line)) {
                return Some(found);
            }
            seen = lines.lines.len();
            let left = end.saturating_duration_since(Instant::now());
            if lines.open_streams == 0 || left.is_zero() {
                return None;
            }
            lines = changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns everything read so far.
    pub(crate) fn text(&self) -> String {
        lock(&self.shared.0).lines.join("\n")
    }

    /// Reads to the end, once the process is gone. A grandchild that holds a stream would keep it
    /// open: give it `bound`.
    pub(crate) fn finish(&mut self, bound: Duration) {
        if self.wait_for(bound, |_| None::<()>).is_none() && lock(&self.shared.0).open_streams == 0
        {
            for reader in self.readers.drain(..) {
                let _ = reader.join();
            }
        }
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
