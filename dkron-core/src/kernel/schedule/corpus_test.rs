//! Known answers: every row of `tests/corpus/cron`, by its id.

use std::fs;

use serde_json::Value;

use crate::kernel::model::DstPolicy;
use crate::kernel::time::{Timestamp, Zone};

use super::{Schedule, ScheduleContext, ScheduleError};

/// Reads a file of the corpus.
fn rows(file: &str) -> Vec<Value> {
    let path = format!("{}/../tests/corpus/cron/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn parse(row: &Value) -> Result<Schedule, ScheduleError> {
    let context = ScheduleContext {
        timezone: text(row, "tz"),
        job: text(row, "job"),
        dst: if text(row, "dst") == "wall" { DstPolicy::Wall } else { DstPolicy::Once },
        server_zone: Zone::UTC,
    };
    Schedule::parse(text(row, "expr"), &context)
}

#[track_caller]
fn instant(value: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap()
}

/// Compares the fire times of one row; returns what differs.
fn difference(row: &Value) -> Option<String> {
    let want: Vec<_> = row["next"].as_array().unwrap().iter().map(instant).collect();
    let schedule = match parse(row) {
        Ok(_) if text(row, "cat") == "impossible" => return Some("accepted".to_owned()),
        Err(ScheduleError::NeverFires { .. }) if text(row, "cat") == "impossible" => return None,
        Err(error) => return Some(format!("refused: {error}")),
        Ok(schedule) => schedule,
    };
    let ends = row["end"].as_bool().unwrap_or(false);
    let taken = want.len() + usize::from(ends);
    let got: Vec<_> = schedule.upcoming(instant(&row["from"])).take(taken).collect();
    (got != want).then(|| {
        let got: Vec<_> = got.into_iter().map(|at| schedule.zone().to_rfc3339(at)).collect();
        format!("{got:?}, not {}", row["next"])
    })
}

#[track_caller]
fn check(file: &str, count: usize) {
    let rows = rows(file);
    assert_eq!(rows.len(), count);
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let difference = difference(row)?;
            Some(format!("{file} row {}: {} gives {difference}", row["id"], row["expr"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn schedules_under_the_rule_wall_agree_with_the_corpus() {
    check("wall.jsonl", 529);
}

#[test]
fn schedules_under_the_rule_once_agree_with_the_corpus() {
    check("once.jsonl", 305);
}

#[test]
fn five_field_lines_agree_with_the_corpus() {
    check("five.jsonl", 69);
}

#[test]
fn what_dkron_refuses_is_refused_in_its_words() {
    let rows = rows("invalid.jsonl");
    assert_eq!(rows.len(), 153);
    for row in &rows {
        let (id, expr) = (&row["id"], &row["expr"]);
        let error = parse(row).expect_err(&format!("row {id}: {expr} was accepted"));
        let message = match &error {
            ScheduleError::JobZone(error) => error.to_string(),
            error => format!("can't parse job schedule: {error}"),
        };
        let (ours, dkron) = (format!("Job validation failed: {message}."), text(row, "dkron"));
        if dkron == "HTTP 500" {
            assert!(message.ends_with("expected exactly 6 fields, found 0: []"), "{message}");
        } else if dkron.contains("found 5:") {
            // A five-field line, which Dkron does not know: the field is to blame.
            assert!(error.field().is_some(), "row {id}: {expr}: {message}");
        } else if dkron.ends_with('.') {
            assert_eq!(ours, dkron, "row {id}: {expr}");
        } else {
            // The corpus cuts long answers.
            assert!(ours.starts_with(dkron), "row {id}: {ours}, not {dkron}");
        }
    }
}

#[test]
fn every_refusal_points_into_the_expression_and_says_what_is_accepted() {
    for row in rows("invalid.jsonl") {
        let (id, expr) = (&row["id"], text(&row, "expr"));
        let error = parse(&row).unwrap_err();
        assert!(!error.hint().is_empty(), "row {id}");
        if let Some(at) = error.at() {
            assert!(expr.is_char_boundary(at), "row {id}: byte {at} of {expr:?}");
        }
        if let ScheduleError::Field(_) = error {
            assert!(error.accepted().is_some() && error.at().is_some(), "row {id}");
        }
    }
}
