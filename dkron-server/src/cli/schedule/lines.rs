//! Questions from standard input, one a line.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};

use serde_json::Value;

use super::answer;
use super::question::{Ask, Question};
use crate::go_json::{Layout, Writer};

/// Longest line, in bytes; a schedule has a few kilobytes at most.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Bytes read at a time; standard input holds none back if this is more than it buffers itself.
const BUFFER_BYTES: usize = 64 << 10;

/// Answers the questions on standard input until it ends, each on a line of its own; returns
/// whether every question was one that has an answer.
///
/// A program that waits for an answer before it asks again gets it at once. A line that is no
/// question, for it is no text or too long, is answered as such, without an id.
///
/// # Errors
///
/// If the input cannot be read.
pub(super) fn answer_all(ask: Ask, defaults: &Question) -> Result<bool, String> {
    answer_each(ask, defaults, io::stdin().lock(), io::stdout().lock())
}

fn answer_each(
    ask: Ask,
    defaults: &Question,
    input: impl Read,
    output: impl Write,
) -> Result<bool, String> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, output);
    let mut line = Vec::new();
    let mut are_all_accepted = true;
    for number in 1_u64.. {
        let broken = |error| format!("read line {number}: {error}");
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(broken)? == 0 {
            break;
        }
        let is_too_long = line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n");
        if is_too_long {
            input.skip_until(b'\n').map_err(broken)?;
        }
        let answered = if is_too_long {
            Err((Value::Null, format!("line {number} has {LINE_BYTES_MAX} bytes or more")))
        } else {
            match str::from_utf8(&line) {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => defaults.with_line(text),
                Err(error) => Err((Value::Null, format!("line {number} is no UTF-8: {error}"))),
            }
        };
        let (answer, is_accepted) = match answered {
            Ok(question) => answer::to_json(ask, &question),
            Err((id, fault)) => (refusal(&id, &fault), false),
        };
        are_all_accepted &= is_accepted;
        let written = writeln!(output, "{answer}");
        let flushed = if input.buffer().is_empty() { output.flush() } else { Ok(()) };
        if written.and(flushed).is_err() {
            // Nobody reads any more.
            return Ok(are_all_accepted);
        }
    }
    let _ = output.flush();
    Ok(are_all_accepted)
}

/// The answer to what is no question.
fn refusal(id: &Value, fault: &str) -> String {
    let mut line = Writer::new(Layout::Compact);
    line.begin_object().key("id").display(id);
    line.key("error").string(fault).end_object().take()
}

#[cfg(test)]
mod tests {
    use dkron_core::Timestamp;
    use dkron_core::schedule::DstPolicy;

    use super::*;

    fn answers(input: &[u8]) -> (String, bool) {
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
        let are_all_accepted = answer_each(Ask::Next, &defaults, input, &mut output).unwrap();
        (String::from_utf8(output).unwrap(), are_all_accepted)
    }

    #[test]
    fn each_line_has_its_answer_and_a_bad_one_stops_nothing() {
        let input = br#"{"id":1,"expr":"@hourly"}

not json
{"id":"b","expr":12}
{"id":{"c":1},"expr":"@hourly","from":"2026-01-01T00:00:00Z","n":2,"extra":true}"#;
        let (answers, are_all_accepted) = answers(input);
        assert!(!are_all_accepted);
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

    /// A line that is no question has an error in its place, and the next one its answer.
    #[track_caller]
    fn check_goes_on_after(line: &[u8], want: &str) {
        let good = br#"{"id":1,"expr":"@hourly"}"#;
        let (answers, are_all_accepted) = answers(&[line, b"\n", good].concat());
        let [refused, answered] = *answers.lines().collect::<Vec<_>>() else { panic!("{answers}") };
        assert!(refused.starts_with(&format!("{{\"id\":null,\"error\":\"{want}")), "{refused}");
        assert_eq!(answered, r#"{"id":1,"next":["1970-01-01T01:00:00Z"]}"#);
        assert!(!are_all_accepted);
    }

    #[test]
    fn a_line_that_is_no_text_or_too_long_stops_nothing() {
        check_goes_on_after(b"\xff\xfe", "line 1 is no UTF-8");
        check_goes_on_after(&vec![b' '; 1 << 20], "line 1 has 1048576 bytes or more");
        check_goes_on_after(&vec![b'x'; 3 << 20], "line 1 has 1048576 bytes or more");
    }

    #[test]
    fn more_fire_times_than_an_answer_has_are_refused() {
        check_goes_on_after(
            br#"{"expr":"@hourly","n":1001}"#,
            "n is 1001; an answer has at most 1000 fire times",
        );
        let (answers, are_all_accepted) = answers(br#"{"expr":"@hourly","n":1000}"#);
        assert_eq!(answers.matches("Z\"").count(), 1_000);
        assert!(are_all_accepted);
    }
}
