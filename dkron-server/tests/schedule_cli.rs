//! `dkron schedule` on the corpus of schedules, as another program would use it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dkron_core::Timestamp;
use serde_json::{Map, Value, json};

/// Runs `dkron schedule` with `args` and `input`; returns exit code, output and errors.
fn schedule(args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dkron"))
        .arg("schedule")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A command that has its arguments reads no input.
    let _ = writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn corpus(file: &str) -> Vec<Map<String, Value>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/cron");
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asks for one fire time more than a row lists, and returns the answers in order.
fn ask(rows: &[Map<String, Value>]) -> Vec<Value> {
    let mut input = String::new();
    for row in rows {
        let listed = row.get("next").and_then(Value::as_array).map_or(0, Vec::len);
        let mut row = row.clone();
        row.insert("n".to_owned(), json!(listed + 1));
        input += &format!("{}\n", Value::Object(row));
    }
    let (code, output, errors) = schedule(&["next"], &input);
    assert_eq!((code, errors.as_str()), (0, ""));
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn instants(list: &Value) -> Vec<Timestamp> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|text| Timestamp::parse_rfc3339(text.as_str().unwrap()).unwrap()).collect()
}

#[test]
fn next_agrees_with_the_corpus() {
    for file in ["wall.jsonl", "once.jsonl", "five.jsonl"] {
        let rows = corpus(file);
        let answers = ask(&rows);
        assert_eq!(answers.len(), rows.len(), "{file}");
        for (row, answer) in rows.iter().zip(answers) {
            let row = Value::Object(row.clone());
            assert_eq!(answer["id"], row["id"]);
            if answer.get("error").is_some() {
                assert_eq!(row["cat"], json!("impossible"), "{file}: {row}: {answer}");
                continue;
            }
            let (want, got) = (instants(&row["next"]), instants(&answer["next"]));
            assert!(got.starts_with(&want), "{file}: {row}: {answer}");
            assert!(row["end"] != json!(true) || got == want, "{file}: {row}: {answer}");
        }
    }
}

#[test]
fn what_the_corpus_refuses_is_refused() {
    let rows = corpus("invalid.jsonl");
    for (row, answer) in rows.iter().zip(ask(&rows)) {
        assert!(answer["error"].is_string(), "{row:?}: {answer}");
    }
}

#[test]
fn arguments_are_answered_as_text() {
    let args = ["next", "0 30 2 * * *", "--tz", "Europe/Berlin", "-n", "2"];
    let (code, output, _) =
        schedule(&[&args[..], &["--from", "2026-03-28T00:00:00Z"]].concat(), "");
    assert_eq!(
        (code, output.as_str()),
        (0, "2026-03-28T02:30:00+01:00\n2026-03-29T03:00:00+02:00\n")
    );

    let (code, output, _) = schedule(&["explain", "*/5 9-17 * * MON-FRI"], "");
    assert_eq!(code, 0);
    assert!(output.contains("Monday through Friday"), "{output}");

    let (code, _, errors) = schedule(&["check", "0 0 25 * * *"], "");
    assert_eq!(code, 1);
    assert!(errors.contains("end of range (25) above maximum (23): 25"), "{errors}");
    assert!(errors.contains("\n      ^\n"), "{errors}");
}

#[test]
fn check_exits_with_1_if_any_line_was_refused_and_the_others_do_not() {
    let (good, bad) = ("{\"expr\":\"@daily\"}\n", "{\"expr\":\"now and then\"}\n");
    for (ask, input, want) in [
        ("check", format!("{good}{good}"), 0),
        ("check", format!("{good}{bad}{good}"), 1),
        ("check", format!("{good}nonsense\n{good}"), 1),
        ("next", format!("{good}{bad}{good}"), 0),
        ("explain", format!("{good}{bad}{good}"), 0),
    ] {
        let (code, output, errors) = schedule(&[ask], &input);
        assert_eq!((code, errors.as_str()), (want, ""), "{ask}: {input}");
        assert_eq!(output.lines().count(), input.lines().count(), "{ask}: {input}");
    }
}

#[test]
fn a_count_beyond_the_limit_is_refused_and_not_cut() {
    let (code, output, errors) = schedule(&["next", "@hourly", "-n", "5000"], "");
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(errors.contains("at most 1000 fire times"), "{errors}");
}

#[test]
fn a_wrong_command_line_exits_with_1() {
    for args in
        [&["next", "--dst", "never"][..], &["nothing"], &["next", "--from", "today", "@daily"]]
    {
        let (code, _, errors) = schedule(args, "");
        assert_eq!(code, 1, "{args:?}");
        assert!(!errors.is_empty(), "{args:?}");
    }
}
