//! What the process says on its standard streams.
//!
//! `println!` and `eprintln!` panic if the stream cannot be written, and a reader that has gone is
//! no reason to end a daemon: clippy refuses them in this crate (`lib.rs`). Log lines are not here
//! but in `agent/log.rs`.
//!
//! May use: `std` alone.

use std::fmt::Display;
use std::io::{self, Write};

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
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        let check = |kind: io::ErrorKind, want: bool| {
            assert_eq!(write_to(&mut Failing(kind), b"text").is_ok(), want, "{kind}");
        };
        check(io::ErrorKind::BrokenPipe, true);
        check(io::ErrorKind::StorageFull, false);
    }
}
