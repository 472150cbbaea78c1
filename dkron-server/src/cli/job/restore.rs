//! Sending a backup to a node, and what the node says became of each job.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use serde_json::Value;

use crate::cli::remote::Fault;
use crate::client::{Ask, Client};
use crate::terminal::{Progress, complain, say};

/// Bytes that are sent at a time.
const PIECE_BYTES: usize = 64 << 10;

/// What stands between the parts of the form; no backup holds it, for it is no JSON.
const BOUNDARY: &str = "----dkron-backup-5f1d8e";

/// A backup on its way: a JSON array of jobs.
pub(in crate::cli) struct Upload {
    /// Where it comes from.
    pub(in crate::cli) source: Box<dyn Read + Send>,
    /// How long it is, if that is known.
    pub(in crate::cli) bytes: Option<u64>,
}

/// What became of the jobs of a backup.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Restored {
    /// How many were written.
    pub(in crate::cli) written: usize,
    /// The names of those that were not.
    pub(in crate::cli) failed: Vec<String>,
}

/// Restores a backup on a node.
///
/// # Errors
///
/// If nothing was written, with the node's reason; or if the source cannot be read.
pub(in crate::cli) fn restore(client: &Client, upload: Upload) -> Result<Restored, Fault> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"backup.json\"\r\nContent-Type: application/json\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let around = (head.len() + tail.len()) as u64;
    let length = upload.bytes.map(|bytes| bytes + around);
    let pieces = Pieces::new(upload).map(|piece| piece.map(Bytes::from));
    let whole = std::iter::once(Ok(Bytes::from(head)))
        .chain(pieces)
        .chain(std::iter::once(Ok(Bytes::from(tail))));
    let body = Body::from_stream(stream::iter(whole));
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let ask =
        Ask::post("restore the jobs", "/v1/restore").body(&media_type, body, length).patient();
    let answer = client.send(ask)?;
    // The second is that of a restore that is not complete, with the same body.
    if !matches!(answer.status(), StatusCode::OK | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(answer.into_refusal().into());
    }
    let lines = answer.json()?;
    Ok(read_lines(&lines).ok_or_else(|| {
        "restore the jobs: the node answered with what is no list of jobs".to_owned()
    })?)
}

/// Reads the answer: a JSON text that holds a JSON array of lines.
fn read_lines(answer: &Value) -> Option<Restored> {
    let lines: Vec<String> = serde_json::from_str(answer.as_str()?).ok()?;
    let mut restored = Restored { written: 0, failed: Vec::new() };
    for line in lines {
        match line.strip_prefix("fail create ") {
            Some(name) => restored.failed.push(name.to_owned()),
            None => restored.written += 1,
        }
    }
    Some(restored)
}

impl Restored {
    /// Tells what became of the jobs.
    pub(in crate::cli) fn tell(&self) -> Result<(), Fault> {
        say(format_args!("{} jobs written", self.written))?;
        if self.failed.is_empty() {
            return Ok(());
        }
        for name in &self.failed {
            complain(format_args!(
                "job \"{name}\" was not written, and neither were those below it; the log of the \
                 node says why"
            ));
        }
        Err(Fault::Told)
    }
}

/// The pieces of a source, with a line of progress.
struct Pieces {
    upload: Upload,
    sent: u64,
    is_over: bool,
    progress: Progress,
}

impl Pieces {
    fn new(upload: Upload) -> Self {
        Self { upload, sent: 0, is_over: false, progress: Progress::new() }
    }
}

impl Iterator for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = self.upload.source.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        match read {
            Ok(0) => {
                self.is_over = true;
                self.progress.show("writing the jobs");
                None
            }
            Ok(_) => {
                self.sent += piece.len() as u64;
                match self.upload.bytes {
                    Some(bytes) => self.progress.show(format_args!(
                        "{} of {} KiB sent",
                        self.sent >> 10,
                        bytes >> 10
                    )),
                    None => self.progress.show(format_args!("{} KiB sent", self.sent >> 10)),
                }
                Some(Ok(piece))
            }
            Err(error) => {
                self.is_over = true;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_tells_what_was_written_and_what_was_not() {
        let read = |lines: Value| read_lines(&Value::String(lines.to_string()));
        let restored = |written, failed: &[&str]| {
            Some(Restored {
                written,
                failed: failed.iter().map(|name| (*name).to_owned()).collect(),
            })
        };
        assert_eq!(read(json!([])), restored(0, &[]));
        assert_eq!(read(json!(["success create a", "fail create b"])), restored(1, &["b"]));
        assert_eq!(read_lines(&json!(["success create a"])), None);
    }

    #[test]
    fn a_source_is_sent_in_pieces() {
        let source = vec![b'x'; PIECE_BYTES + 1];
        let upload = Upload { source: Box::new(io::Cursor::new(source)), bytes: None };
        let lengths: Vec<usize> = Pieces::new(upload).map(|piece| piece.unwrap().len()).collect();
        assert_eq!(lengths, [PIECE_BYTES, 1]);
    }
}
