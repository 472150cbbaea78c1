//! What is said about a schedule: as text for people, as JSON for programs.

use std::io::{self, Write};

use dkron_core::schedule::{Explanation, Schedule, ScheduleError, explain};

use super::question::{Ask, Question};
use crate::explanation::{write_explanation, write_next, write_refusal};
use crate::go_json::{GoTime, Layout, Writer};

/// Writes the answer to a question for people to read.
///
/// # Errors
///
/// What is wrong with the expression, in words.
pub(super) fn to_terminal(ask: Ask, question: &Question) -> Result<(), String> {
    let text = match ask {
        Ask::Next => question.parse().map(|schedule| {
            fire_times(&schedule, question).map(|time| format!("{time}\n")).collect()
        }),
        Ask::Check => question.parse().map(|_| "ok\n".to_owned()),
        Ask::Explain => {
            explain(question.expr(), &question.context(), question.from, question.count)
                .map(|explanation| explanation_text(&explanation))
        }
    };
    let text = text.map_err(|error| error_text(question, &error))?;
    // Fails only when nobody reads.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

/// Writes the answer to a question as one line of JSON; returns whether its schedule is accepted.
pub(super) fn to_json(ask: Ask, question: &Question) -> (String, bool) {
    let mut line = Writer::new(Layout::Compact);
    line.begin_object().key("id").display(&question.id);
    let error = match ask {
        Ask::Next => question
            .parse()
            .map(|schedule| write_next(&mut line, fire_times(&schedule, question)))
            .err(),
        Ask::Check => question
            .parse()
            .map(|_| {
                line.key("ok").bool(true);
            })
            .err(),
        Ask::Explain => {
            explain(question.expr(), &question.context(), question.from, question.count)
                .map(|explanation| write_explanation(&mut line, &explanation))
                .err()
        }
    };
    let is_accepted = error.is_none();
    if let Some(error) = error {
        match ask {
            Ask::Next => {
                line.key("error").string(&error.to_string());
            }
            Ask::Explain | Ask::Check => write_refusal(&mut line, &error),
        }
    }
    (line.end_object().take(), is_accepted)
}

/// The fire times that are asked for, with the offsets of the schedule's zone.
fn fire_times(schedule: &Schedule, question: &Question) -> impl Iterator<Item = GoTime> {
    let zone = schedule.zone();
    schedule
        .upcoming(question.from)
        .take(question.count)
        .map(move |at| GoTime { at, offset_s: zone.offset_s_at(at) })
}

fn explanation_text(explanation: &Explanation) -> String {
    let mut text = format!("{}.\n", explanation.sentence);
    text += &format!("Read as:  {}\n", explanation.expression);
    text += &format!("Clock:    {}.\n", explanation.clock_changes);
    for (index, fire) in explanation.next.iter().enumerate() {
        let label = if index == 0 { "Next:     " } else { "          " };
        text += &format!("{label}{}\n", fire.local);
    }
    if explanation.next.is_empty() {
        text += "Next:     never\n";
    }
    text
}

/// The error, the expression with the culprit marked, and what would be accepted.
fn error_text(question: &Question, error: &ScheduleError) -> String {
    let mut text = format!("{error}\n");
    if let Some(at) = error.at() {
        let before = question.expr().get(..at).unwrap_or_default().chars().count();
        text += &format!("  {}\n  {}^\n", question.expr(), " ".repeat(before));
    }
    text + "Hint: " + &error.hint()
}

#[cfg(test)]
mod tests {
    use dkron_core::Timestamp;

    use super::*;

    fn question(expr: &str) -> Question {
        let defaults = Question {
            id: serde_json::Value::Null,
            expr: None,
            tz: "Europe/Berlin".to_owned(),
            job: String::new(),
            dst: dkron_core::schedule::DstPolicy::Once,
            from: Timestamp::parse_rfc3339("2026-03-28T00:00:00Z").unwrap(),
            count: 2,
        };
        defaults.with_line(&format!("{{\"id\":[7],\"expr\":\"{expr}\"}}")).unwrap()
    }

    #[test]
    fn next_gives_instants_with_their_offset() {
        assert_eq!(
            to_json(Ask::Next, &question("30 2 * * *")).0,
            r#"{"id":[7],"next":["2026-03-28T02:30:00+01:00","2026-03-29T03:00:00+02:00"]}"#
        );
        let (answer, is_accepted) = to_json(Ask::Next, &question("0 0 30 2 *"));
        assert!(answer.starts_with(r#"{"id":[7],"error":"#) && !is_accepted, "{answer}");
    }

    #[test]
    fn explain_says_it_in_english() {
        let (answer, _) = to_json(Ask::Explain, &question("30 2 * * *"));
        assert!(
            answer.contains("\"explanation\":\"At 02:30:00 every day, in Europe/Berlin\""),
            "{answer}"
        );
    }

    #[test]
    fn a_refusal_says_where_and_what_would_be_accepted() {
        let accepted = (r#"{"id":[7],"ok":true}"#.to_owned(), true);
        assert_eq!(to_json(Ask::Check, &question("@daily")), accepted);
        let (answer, is_accepted) = to_json(Ask::Check, &question("0 0 25 * * *"));
        assert!(!is_accepted);
        for part in ["\"error\":", "\"hint\":", "\"at\":4"] {
            assert!(answer.contains(part), "{part} in {answer}");
        }
        let text =
            error_text(&question("0 0 25 * * *"), &question("0 0 25 * * *").parse().unwrap_err());
        assert!(text.contains("\n  0 0 25 * * *\n      ^\n"), "{text}");
    }
}
