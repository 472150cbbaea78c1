//! Calls the program as a user does.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use dkron_e2e::daemon::Daemon;
use dkron_e2e::launch::binary;
use serde_json::Value;

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Returns what was said for programs.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts success without a word of complaint, and returns what was said.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Asserts a failure that says each of `parts` on standard error, and nothing of panics.
    #[track_caller]
    pub fn refused(self, parts: &[&str]) -> String {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(!self.err.contains("panicked"), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in {}", self.err);
        }
        self.out
    }
}

/// The program, told by the environment where the daemon is.
pub fn command(daemon: &Daemon) -> Command {
    let mut command = Command::new(binary());
    command.env("DKRON_HTTP_ADDR", daemon.address().to_string()).stdin(Stdio::null());
    command
}

/// Runs a command against a daemon.
pub fn dkron(daemon: &Daemon, args: &[&str]) -> Said {
    run(command(daemon).args(args), "")
}

/// Runs a command against a daemon, in a folder, with something on standard input.
pub fn dkron_in(daemon: &Daemon, folder: &Path, args: &[&str], input: &str) -> Said {
    run(command(daemon).args(args).current_dir(folder), input)
}

/// Runs a command to its end.
pub fn run(command: &mut Command, input: &str) -> Said {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A command that needs no input does not read it.
    let _ = writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Makes a job over the API.
#[track_caller]
pub fn create(daemon: &Daemon, job: &Value) {
    let answer = daemon.http().post("/v1/jobs", job.to_string()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// A job for the shell that is run by hand.
pub fn by_hand(name: &str, command: &str) -> Value {
    serde_json::json!({"name": name, "schedule": "@manually", "executor": "shell",
                       "executor_config": {"command": command, "shell": "true"}})
}

/// Returns a job as the API shows it, if there is one.
pub fn job(daemon: &Daemon, name: &str) -> Option<Value> {
    let answer = daemon.http().get(&format!("/v1/jobs/{name}")).unwrap();
    (answer.status == 200).then(|| answer.json())
}
