//! An answer that is read while it is being written, over a connection of its own.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::http::{Answer, read_chunk, read_head};

/// An answer whose end has not come yet. Dropping it hangs up.
pub struct Stream {
    connection: BufReader<TcpStream>,
    /// Status and headers.
    pub head: Answer,
    /// What has been read and not been taken.
    text: String,
    is_over: bool,
}

impl Stream {
    /// Sends GET and reads the head of the answer; no read takes longer than `bound`.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or hangs up.
    pub fn open(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        bound: Duration,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, bound)?;
        stream.set_read_timeout(Some(bound))?;
        stream.set_write_timeout(Some(bound))?;
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n").as_bytes())?;
        let mut connection = BufReader::new(stream);
        let head = read_head(&mut connection)?;
        Ok(Self { connection, head, text: String::new(), is_over: false })
    }

    /// Takes what comes up to the next `end`, which is included.
    ///
    /// # Panics
    ///
    /// If it does not come within `bound`, or the answer ends before.
    #[track_caller]
    pub fn read_until(&mut self, end: &str, bound: Duration) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            assert!(!self.is_over, "the answer ended without {end:?}: {:?}", self.text);
            assert!(begun.elapsed() < bound, "no {end:?} in {bound:?}: {:?}", self.text);
            self.read_more();
        }
    }

    /// Takes all that is left, up to the end of the answer.
    ///
    /// # Panics
    ///
    /// If it does not end within `bound`.
    #[track_caller]
    pub fn read_to_end(&mut self, bound: Duration) -> String {
        let begun = Instant::now();
        while !self.is_over {
            assert!(begun.elapsed() < bound, "no end in {bound:?}");
            self.read_more();
        }
        std::mem::take(&mut self.text)
    }

    #[track_caller]
    fn read_more(&mut self) {
        let chunk = read_chunk(&mut self.connection).unwrap_or_else(|error| {
            panic!("{error} while the answer goes on: {:?}", self.text);
        });
        self.is_over = chunk.is_empty();
        self.text.push_str(&String::from_utf8_lossy(&chunk));
    }
}
