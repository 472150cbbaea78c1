//! Questions from standard input, one a line.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};

use super::answer;
use super::question::{Ask, Question};
use crate::go_json::{Layout, Writer};

/// Longest line, in bytes; a schedule has a few kilobytes at most.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Bytes read at a time; standard input holds none back if this is more than it buffers itself.
const BUFFER_BYTES: usize = 64 << 10;

/// Answers the questions on standard input until it ends, each on a line of its own.
///
/// A program that waits for an answer before it asks again gets it at once.
///
/// # Errors
///
/// If the input is no text, or has a line that is too long.
pub(super) fn answer_all(ask: Ask, defaults: &Question) -> Result<(), String> {
    answer_each(ask, defaults, io::stdin().lock(), io::stdout().lock())
}

fn answer_each(
    ask: Ask,
    defaults: &Question,
    input: impl Read,
    output: impl Write,
) -> Result<(), String> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, output);
    let mut line = String::new();
    for number in 1_u64.. {
        line.clear();
        match input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) => break,
            Ok(bytes) if bytes as u64 == LINE_BYTES_MAX => {
                return Err(format!("line {number} has {LINE_BYTES_MAX} bytes or more"));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("read line {number}: {error}")),
        }
        if !line.trim().is_empty() {
            let answer = answer_line(ask, defaults, &line);
            let written = writeln!(output, "{answer}");
            let flushed = if input.buffer().is_empty() { output.flush() } else { Ok(()) };
            if written.and(flushed).is_err() {
                // Nobody reads any more.
                return Ok(());
            }
        }
    }
    let _ = output.flush();
    Ok(())
}

/// Answers one line.
fn answer_line(ask: Ask, defaults: &Question, line: &str) -> String {
    match defaults.with_line(line) {
        Ok(question) => answer::to_json(ask, &question),
        Err((id, fault)) => {
            let mut line = Writer::new(Layout::Compact);
            line.begin_object().key("id").display(id);
            line.key("error").string(&fault).end_object().take()
        }
    }
}

#[cfg(test)]
mod tests {
    use dkron_core::Timestamp;
    use dkron_core::schedule::DstPolicy;

    use super::*;

    fn answers(input: &[u8]) -> Result<String, String> {
        let defaults = Question {
            id: serde_json::Value::Null,
            expr: None,
            tz: String::new(),
            job: String::new(),
            dst: DstPolicy::Once,
            from: Timestamp::UNIX_EPOCH,
            count: 1,
        };
        let mut output = Vec::new();
        answer_each(Ask::Next, &defaults, input, &mut output)?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn each_line_has_its_answer_and_a_bad_one_stops_nothing() {
        let input = br#"{"id":1,"expr":"@hourly"}

not json
{"id":"b","expr":12}
{"id":{"c":1},"expr":"@hourly","from":"2026-01-01T00:00:00Z","n":2,"extra":true}"#;
        let answers = answers(input).unwrap();
        let answers: Vec<_> = answers.lines().collect();
        assert_eq!(answers.len(), 4, "{answers:?}");
        assert_eq!(answers[0], r#"{"id":1,"next":["1970-01-01T01:00:00Z"]}"#);
        assert!(
            answers[1].starts_with(r#"{"id":null,"error":"not a JSON object: "#),
            "{}",
            answers[1]
        );
        assert_eq!(answers[2], r#"{"id":"b","error":"expr must be a text"}"#);
        assert_eq!(
            answers[3],
            r#"{"id":{"c":1},"next":["2026-01-01T01:00:00Z","2026-01-01T02:00:00Z"]}"#
        );
    }

    #[test]
    fn input_that_is_no_text_is_refused() {
        assert!(answers(b"\xff\xfe\n").unwrap_err().starts_with("read line 1"));
        let long = vec![b' '; 2 << 20];
        assert!(answers(&long).unwrap_err().contains("line 1 has"));
    }
}
