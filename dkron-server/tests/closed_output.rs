//! Commands whose output nobody reads, or cannot be written.

use std::fs::OpenOptions;
use std::process::{Command, ExitStatus, Stdio};

/// What each command that answers on standard output is called with.
const COMMANDS: [&[&str]; 6] = [
    &["version"],
    &["keygen"],
    &["completion", "bash"],
    &["completion", "zsh"],
    &["schedule", "next", "@hourly"],
    &["--help"],
];

fn dkron(args: &[&str], stdout: Stdio) -> (ExitStatus, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dkron"));
    let child = command.args(args).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let output = child.spawn().unwrap().wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_whose_reader_has_gone_ends_well() {
    for args in COMMANDS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (status, errors) = dkron(args, writer.into());
        assert_eq!((status.code(), &*errors), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_command_whose_answer_finds_no_space_fails_and_says_so() {
    for args in [&["version"][..], &["keygen"], &["completion", "fish"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (status, errors) = dkron(args, full.into());
        assert_eq!(status.code(), Some(1), "{args:?}: {errors}");
        assert!(errors.contains("write to standard output"), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
    }
}
