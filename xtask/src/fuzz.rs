//! `cargo xtask fuzz`: builds the fuzz targets with coverage counters and runs each for a while.
//!
//! The targets are functions of the package `dkron-fuzz`; one binary holds them all, and an
//! environment variable chooses. The counters come from a pass that every rustc has, so neither a
//! nightly toolchain nor cargo-fuzz is needed; only libFuzzer itself is C++ and wants a compiler.
//! No address sanitizer: the code under test is safe Rust, and overflow and debug checks are on.
//!
//! What a run discovers stays under `target/fuzz`; the tree is never written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::args::{Args, flag, value};
use crate::process::{Step, is_installed};
use crate::stage::{Context, Outcome};
use crate::workspace;

/// How long each target runs if nothing else is said.
const SECONDS: u64 = 60;

/// Longest time one input may take, in seconds: nothing that we parse is worth more.
const INPUT_SECONDS_MAX: u64 = 5;

/// Most memory a target may use, in MiB, before that counts as a fault.
const MEMORY_MIB_MAX: u64 = 2_048;

/// Longest input that the fuzzer makes up, in bytes. Seeds may be longer.
const INPUT_BYTES_MAX: u64 = 1 << 16;

/// What makes rustc count which code an input reaches.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

const HELP: &str = "\
Run fuzz targets, starting from the seeds in fuzz/seeds.

Usage: cargo xtask fuzz [--seconds N] [TARGET...]
       cargo xtask fuzz TARGET --replay FILE
       cargo xtask fuzz --list

Options:
  --seconds N     Run each target for N seconds [default: 60]
  --replay FILE   Run the target on this one input, with a backtrace
  --list          Show the targets and end

Needs a C++ compiler for libFuzzer. What a run finds is kept below target/fuzz.
";

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    let known = [value("--seconds"), value("--replay"), flag("--list")];
    let Some(args) = Args::parse(words, &known, HELP)? else { return Ok(ExitCode::SUCCESS) };
    let all = targets()?;
    if args.has("--list") {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.operands.iter().find(|name| !all.contains(name)) {
        bail!("there is no target \"{unknown}\"; there are: {}", all.join(", "));
    }
    if let Some(file) = args.last("--replay") {
        let [target] = args.operands.as_slice() else { bail!("--replay needs one target") };
        let input = std::path::absolute(file).context("find the input")?;
        let step = Step::new(&build()?.to_string_lossy(), &[&input.to_string_lossy()]);
        step.env("DKRON_FUZZ_TARGET", target).env("RUST_BACKTRACE", "1").run()?;
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = if args.operands.is_empty() { all } else { args.operands.clone() };
    let outcome = run(&chosen, args.number("--seconds", SECONDS)?)?;
    println!("\n{} passed, {} failed", outcome.passed, outcome.failed);
    Ok(if outcome.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All targets as a stage of `test` and `ci`.
pub fn stage(context: &Context) -> Result<Outcome> {
    if !is_installed("c++", &["--version"]) {
        return Ok(Outcome::skipped("fuzz targets", "there is no C++ compiler for libFuzzer"));
    }
    run(&targets()?, context.fuzz_seconds)
}

/// Returns the names of the targets: each has a folder of seeds.
fn targets() -> Result<Vec<String>> {
    let folder = workspace::root().join("fuzz/seeds");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("list fuzz/seeds")? {
        names.push(entry.context("list fuzz/seeds")?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds the binary and returns where it lies.
fn build() -> Result<PathBuf> {
    let version = Step::new("rustc", &["-vV"]).output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names its host")?;
    let folder = workspace::target_dir().join("fuzz");
    let folder_text = folder.to_string_lossy().into_owned();
    // With --target the flags reach the program only, not the build scripts.
    let place = ["--profile", "fuzz", "--target", host, "--target-dir", &folder_text];
    let step = Step::cargo(&["build", "--quiet", "-p", "dkron-fuzz", "--features", "libfuzzer"]);
    step.args(&place).env("RUSTFLAGS", RUSTFLAGS).run()?;
    Ok(folder.join(host).join("fuzz").join("dkron-fuzz"))
}

/// Runs the targets, as many at once as there are processors.
fn run(targets: &[String], seconds: u64) -> Result<Outcome> {
    let program = build()?;
    let waiting = Mutex::new(targets.iter());
    let results = Mutex::new(BTreeMap::new());
    let next = || waiting.lock().ok()?.next();
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let result = run_one(&program, target, seconds);
                    if let Ok(mut results) = results.lock() {
                        results.insert(target, result);
                    }
                }
            });
        }
    });

    let mut outcome = Outcome::default();
    for (target, result) in results.into_inner().unwrap_or_default() {
        match result {
            Ok(line) => {
                println!("      {target}: {line}");
                outcome.passed += 1;
            }
            Err(error) => {
                println!("      {target}: {error:#}");
                outcome.failed += 1;
            }
        }
    }
    Ok(outcome)
}

/// Runs one target; returns a line about what it did.
fn run_one(program: &Path, target: &str, seconds: u64) -> Result<String> {
    let folder = workspace::target_dir().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    let faults = folder.join("faults").join(target);
    for folder in [&corpus, &faults] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let log = folder.join(format!("{target}.log"));
    let seeds = workspace::root().join("fuzz/seeds").join(target);
    let options = [
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-artifact_prefix={}/", faults.display()),
        "-print_final_stats=1".to_owned(),
        corpus.to_string_lossy().into_owned(),
        seeds.to_string_lossy().into_owned(),
    ];
    // Replaying the seeds comes first and does not count towards the time.
    let bound = Duration::from_secs(seconds + 120);
    let step = Step::new(&program.to_string_lossy(), &[]).args(&options).bound(bound);
    let passed = step.env("DKRON_FUZZ_TARGET", target).run_logged(&log)?;
    let text = String::from_utf8_lossy(&fs::read(&log).context("read the log")?).into_owned();
    if !passed {
        bail!("failed; the end of {}:\n{}\n{}", log.display(), tail(&text), replay(&text, target));
    }
    let executed = stat(&text, "stat::number_of_executed_units:").unwrap_or_default();
    let covered = text.rsplit_once(" cov: ").and_then(|(_, rest)| rest.split(' ').next());
    Ok(format!("{executed} inputs, {} edges reached", covered.unwrap_or("0")))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Returns the command that replays the fault which the log names.
fn replay(log: &str, target: &str) -> String {
    let file = log.split_once("Test unit written to ").and_then(|(_, rest)| rest.lines().next());
    file.map_or_else(String::new, |file| {
        format!("replay it: cargo xtask fuzz {target} --replay {file}")
    })
}

fn stat<'a>(log: &'a str, name: &str) -> Option<&'a str> {
    log.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
