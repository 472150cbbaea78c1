//! `dkron schedule next` over thousands of lines: other programs ask it as one asks a library.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Settings;
use crate::daemon_process::binary;
use crate::report::{Bound, Row};
use crate::sample::Sample;

const LINES: usize = 4_000;
const RUNS: usize = 10;
const TOOK_S_MAX: f64 = 0.5;

/// The corpus, repeated: a program that asks has schedules of all kinds.
const CORPUS: &str = include_str!("../../../tests/corpus/cron/once.jsonl");

/// Asks the same thousands of questions several times, the start of the program included.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let lines = settings.count(LINES);
    let mut questions = Vec::new();
    for (id, line) in CORPUS.lines().cycle().take(lines).enumerate() {
        let row: Value = serde_json::from_str(line)?;
        let question = json!({
            "id": id, "expr": row["expr"], "tz": row["tz"], "from": row["from"], "n": 3,
            "job": row["job"], "dst": row["dst"],
        });
        writeln!(questions, "{question}")?;
    }
    let mut took_s = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let answers = ask(questions.clone())?;
        took_s.push(begun.elapsed().as_secs_f64());
        ensure!(answers == lines, "{answers} answers to {lines} questions");
    }
    let took = Sample::new(took_s);
    let name = format!("{lines} lines");
    Ok(vec![
        Row::new(format!("{name}, p50"), took.quantile(0.5), "s", Bound::AtMost(TOOK_S_MAX)),
        Row::free(format!("{name}, largest"), took.quantile(1.0), "s"),
    ])
}

fn ask(questions: Vec<u8>) -> Result<usize> {
    let mut child = Command::new(binary()?)
        .args(["schedule", "next"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start dkron schedule next")?;
    let mut stdin = child.stdin.take().context("a pipe to the program")?;
    let asking = std::thread::spawn(move || stdin.write_all(&questions));
    let output = child.wait_with_output()?;
    asking.join().ok().context("the questions")??;
    Ok(output.stdout.iter().filter(|byte| **byte == b'\n').count())
}
