//! `cargo xtask test`: every test there is, as a list of named stages.
//!
//! Assumes a Rust toolchain and a C compiler; a stage that needs more makes it, or says what it
//! skips and why.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::args::{Args, flag, value};
use crate::process::Step;
use crate::stage::{self, Context, Outcome, Stage};
use crate::{fuzz, workspace};

/// How long each fuzz target runs in `cargo xtask test`: long enough to replay every seed.
const FUZZ_SECONDS: u64 = 5;

/// Longest time one example may take, its build not counted.
const EXAMPLE_BOUND: Duration = Duration::from_secs(60);

/// The stages, in the order in which they run.
pub const STAGES: &[Stage] = &[
    Stage { name: "unit", about: "unit, table, property and integration tests", run: unit },
    Stage { name: "kernel", about: "the kernel's tests without the runtime", run: kernel },
    Stage { name: "doctest", about: "the examples in the documentation", run: doctest },
    Stage { name: "e2e", about: "the real daemon: killed, starved, fed with rubbish", run: e2e },
    Stage { name: "examples", about: "every program under examples/rust, run", run: examples },
    Stage { name: "fuzz", about: "every fuzz target, from its seeds onward", run: fuzz::stage },
];

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    let help = format!(
        "Run all tests.

Usage: cargo xtask test [--stage NAME[,NAME...]]... [--fuzz-seconds N] [--list]

Options:
  --stage NAME       Run only this stage; may be repeated
  --fuzz-seconds N   Run each fuzz target for N seconds [default: {FUZZ_SECONDS}]
  --list             Show the stages and end

Stages:
{}",
        stage::help(STAGES)
    );
    let known = [value("--stage"), value("--fuzz-seconds"), flag("--list")];
    let Some(args) = Args::parse(words, &known, &help)? else { return Ok(ExitCode::SUCCESS) };
    if args.has("--list") {
        print!("{}", stage::help(STAGES));
        return Ok(ExitCode::SUCCESS);
    }
    let context = Context { fuzz_seconds: args.number("--fuzz-seconds", FUZZ_SECONDS)? };
    stage::run(STAGES, &args.values("--stage"), &context)
}

/// What a test prints is shown even if it passes: one that could not run says so.
const SHOW_OUTPUT: &[&str] = &["--", "--show-output"];

fn unit(_: &Context) -> Result<Outcome> {
    let what = ["--exclude", "dkron-e2e", "--lib", "--bins", "--tests"];
    let step = Step::cargo(&["test", "--workspace", "--no-fail-fast"]);
    step.args(&what).args(SHOW_OUTPUT).run_tests()
}

fn kernel(_: &Context) -> Result<Outcome> {
    let core = ["-p", "dkron-core", "--no-default-features", "--lib"];
    Step::cargo(&["test", "--no-fail-fast"]).args(&core).args(SHOW_OUTPUT).run_tests()
}

fn doctest(_: &Context) -> Result<Outcome> {
    Step::cargo(&["test", "--workspace", "--no-fail-fast", "--doc"]).run_tests()
}

/// The daemon is built first: the tests start the program that lies beside their own.
fn e2e(_: &Context) -> Result<Outcome> {
    Step::cargo(&["build", "--quiet", "-p", "dkron-server"]).run()?;
    Step::cargo(&["test", "-p", "dkron-e2e", "--no-fail-fast"]).args(SHOW_OUTPUT).run_tests()
}

/// Runs each package under `examples/rust`; it passes if it ends by itself with success.
fn examples(_: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let folder = workspace::root().join("examples/rust");
    if !folder.is_dir() {
        return Ok(Outcome::skipped("examples", "there is none yet"));
    }
    for entry in fs::read_dir(&folder).context("list the examples")? {
        let manifest = entry.context("list the examples")?.path().join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let manifest = manifest.to_string_lossy().into_owned();
        let on = ["--quiet", "--manifest-path", &manifest];
        Step::cargo(&["build"]).args(&on).run()?;
        match Step::cargo(&["run"]).args(&on).bound(EXAMPLE_BOUND).run() {
            Ok(()) => outcome.passed += 1,
            Err(error) => {
                println!("      error: {error:#}");
                outcome.failed += 1;
            }
        }
    }
    Ok(outcome)
}
