//! What the process says on its standard streams.
//!
//! `println!` and `eprintln!` panic if the stream cannot be written, and a reader that has gone is
//! no reason to end a daemon: clippy refuses them in this crate (`lib.rs`). Log lines are not here
//! but in `agent/log.rs`. What comes from elsewhere is made [`printable`] first: a terminal obeys
//! control characters.
//!
//! May use: `std` alone.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

/// Writes a text and a line feed to standard output.
///
/// A reader that has gone has all it wants: that is no error.
///
/// # Errors
///
/// Why the text is not there: the disk that it goes to is full, say.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    write_to(&mut io::stdout().lock(), format!("{text}\n").as_bytes())
}

/// Writes a fault to standard error, as far as anybody reads it.
pub(crate) fn complain(fault: impl Display) {
    let _ = write_to(&mut io::stderr().lock(), format!("Error: {fault}\n").as_bytes());
}

/// Says what a user should know though nothing failed, on standard error.
pub(crate) fn remark(text: impl Display) {
    let _ = write_to(&mut io::stderr().lock(), format!("{text}\n").as_bytes());
}

/// Returns a text in which no character moves the cursor or does worse: those are written out.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_direction(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns whether a character turns the direction of what follows it.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Standard output for what comes in pieces, for as long as somebody reads it.
pub(crate) struct Output {
    has_reader: bool,
}

impl Output {
    pub(crate) const fn new() -> Self {
        Self { has_reader: true }
    }

    /// Returns whether what is written finds a reader, as far as that is known.
    pub(crate) const fn has_reader(&self) -> bool {
        self.has_reader
    }

    /// Writes as it is.
    ///
    /// # Errors
    ///
    /// As [`say`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = io::stdout().lock();
        match stream.write_all(bytes).and_then(|()| stream.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.has_reader = false,
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        Ok(())
    }
}

/// A line on standard error that is written anew as work goes on; nothing where no terminal is.
pub(crate) struct Progress {
    is_shown: bool,
    has_line: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), has_line: false }
    }

    /// Writes the line anew.
    pub(crate) fn show(&mut self, text: impl Display) {
        if self.is_shown {
            // Back to the first column; what is left of a longer line goes.
            let _ = write_to(&mut io::stderr().lock(), format!("\r{text}\u{1b}[K").as_bytes());
            self.has_line = true;
        }
    }
}

/// Leaves the terminal as it was.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.has_line {
            let _ = write_to(&mut io::stderr().lock(), b"\r\x1b[K");
        }
    }
}

fn write_to(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that fails in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(
            printable("täglich \u{1b}[2J\r\n\u{202e}x"),
            "täglich \\u{1b}[2J\\r\\n\\u{202e}x"
        );
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        let check = |kind: io::ErrorKind, want: bool| {
            assert_eq!(write_to(&mut Failing(kind), b"text").is_ok(), want, "{kind}");
        };
        check(io::ErrorKind::BrokenPipe, true);
        check(io::ErrorKind::StorageFull, false);
    }
}
