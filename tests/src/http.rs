//! A plain HTTP/1.1 client over one connection: it sends the bytes it is told to, no more.
//!
//! A client library would mend or refuse what these tests want to send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest wait for bytes of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The largest answer that is read.
const BODY_BYTES_MAX: usize = 1 << 30;

/// A client of one address. Keeps its connection between requests.
pub struct Http {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error} in the answer {}: {}", self.status, self.text())
        })
    }

    /// Returns a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Http {
    /// Talks to `address`; connects with the first request.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends GET.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or hangs up in between.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    /// Sends POST with a body as curl's `-d` does.
    ///
    /// # Errors
    ///
    /// As [`Http::get`].
    pub fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> io::Result<Answer> {
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[form], body.as_ref())
    }

    /// Sends POST with one file in a multipart form, as curl's `-F` does.
    ///
    /// # Errors
    ///
    /// As [`Http::get`].
    pub fn post_file(&mut self, path: &str, field: &str, content: &[u8]) -> io::Result<Answer> {
        let boundary = "----dkron-e2e-boundary";
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; \
             filename=\"backup.json\"\r\ncontent-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        self.send("POST", path, &[("content-type", &kind)], &body)
    }

    /// Sends a request with a length and reads its answer.
    ///
    /// # Errors
    ///
    /// As [`Http::get`]; also if the server does not take the whole body. A connection that the
    /// server closed between two requests is opened anew, unless bytes of an answer have arrived.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request, !body.is_empty())
    }

    /// Sends exactly these bytes and reads one answer, though the server may hang up before it has
    /// taken them all.
    ///
    /// # Errors
    ///
    /// As [`Http::get`].
    pub fn send_bytes(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.exchange(request, false)
    }

    /// Sends bytes, all of them if `is_whole`, before it reads anything: so do most clients.
    fn exchange(&mut self, request: &[u8], is_whole: bool) -> io::Result<Answer> {
        let mut connection = self.connect()?;
        let written = connection.get_mut().write_all(request);
        if is_whole {
            written?;
            let answer = read_answer(&mut connection)?;
            let is_kept = answer.header("connection") != Some("close");
            self.connection = is_kept.then_some(connection);
            return Ok(answer);
        }
        match read_answer(&mut connection) {
            Ok(answer) => {
                let is_kept = written.is_ok() && answer.header("connection") != Some("close");
                self.connection = is_kept.then_some(connection);
                Ok(answer)
            }
            Err(error) => Err(written.err().unwrap_or(error)),
        }
    }

    fn connect(&mut self) -> io::Result<BufReader<TcpStream>> {
        if let Some(kept) = self.connection.take()
            && is_open(kept.get_ref())
        {
            return Ok(kept);
        }
        let stream = TcpStream::connect_timeout(&self.address, SILENCE_MAX)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// Returns whether the other side has not hung up.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut byte));
    let is_blocking = stream.set_nonblocking(false).is_ok();
    is_blocking && matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Reads status and headers; the body is still to be read.
pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Answer> {
    let status_line = read_line(from)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken(format!("no status in {status_line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(line.clone()))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Answer { status, headers, body: Vec::new() })
}

fn read_answer(from: &mut impl BufRead) -> io::Result<Answer> {
    let mut answer = read_head(from)?;
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = read_chunks(from)?;
    } else if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().map_err(|_| broken(length.to_owned()))?;
        answer.body = read_exactly(from, length)?;
    }
    Ok(answer)
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let chunk = read_chunk(from)?;
        if chunk.is_empty() {
            return Ok(body);
        }
        body.extend(chunk);
    }
}

/// Reads the next chunk of a body; the last one is empty.
pub(crate) fn read_chunk(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let line = read_line(from)?;
    let length = usize::from_str_radix(&line, 16).map_err(|_| broken(line.clone()))?;
    let chunk = read_exactly(from, length)?;
    if !read_line(from)?.is_empty() {
        return Err(broken("a chunk of another length than it says".to_owned()));
    }
    Ok(chunk)
}

fn read_exactly(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    if length > BODY_BYTES_MAX {
        return Err(broken(format!("a body of {length} bytes")));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.take(1 << 16).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn broken(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
