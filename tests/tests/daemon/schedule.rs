//! `dkron schedule` as a filter: questions line by line, answers in their order.

use std::io::Write;
use std::process::{Command, Stdio};

use dkron_e2e::launch::binary;
use serde_json::{Value, json};

#[test]
fn schedule_next_answers_every_line_in_order() {
    let mut child = Command::new(binary())
        .args(["schedule", "next"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let asking = std::thread::spawn(move || {
        for id in 0..4_000 {
            let expr = if id % 100 == 99 { "0 0 0 30 2 *" } else { "0 30 2 * * *" };
            let from = "2026-03-28T12:00:00Z";
            let line = json!({"id": id, "expr": expr, "tz": "Europe/Berlin", "from": from, "n": 2});
            writeln!(stdin, "{line}").unwrap();
        }
    });

    let output = child.wait_with_output().unwrap();
    asking.join().unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4_000);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], id);
        assert_eq!(answer["error"].is_string(), id % 100 == 99, "{answer}");
    }
    let next: Vec<_> = answers[0]["next"].as_array().unwrap().iter().collect();
    let at = |value: &Value| {
        dkron_core::Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap().to_string()
    };
    // The clock goes from 02:00 to 03:00 that night: the fire is at the end of the gap.
    assert_eq!(
        next.iter().map(|v| at(v)).collect::<Vec<_>>(),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
}
