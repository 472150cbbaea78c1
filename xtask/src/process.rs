//! Runs other programs: shows the command, passes its output on, reads test counts from it, and
//! ends it when it takes too long.
//!
//! # Where to begin reading
//!
//! [`Step`] is one command. [`Step::run`] wants success; [`Step::run_tests`] also counts.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::stage::Outcome;
use crate::workspace;

/// Longest time one command may take unless it says otherwise. A cold build of everything on two
/// slow cores takes about a third of it.
const BOUND_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// One command, run at the root of the repository without standard input.
pub struct Step {
    command: Command,
    words: Vec<String>,
    bound: Duration,
}

impl Step {
    /// Runs `program` with `args`.
    pub fn new(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(workspace::root()).stdin(Stdio::null());
        let name = Path::new(program).file_name().map_or(program.into(), |n| n.to_string_lossy());
        let mut words = vec![name.into_owned()];
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        Self { command, words, bound: BOUND_DEFAULT }
    }

    /// Runs the cargo that runs this program.
    pub fn cargo(args: &[&str]) -> Self {
        Self::new(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), args)
    }

    /// Adds arguments.
    pub fn args<S: AsRef<str>>(mut self, args: &[S]) -> Self {
        for arg in args {
            self.command.arg(arg.as_ref());
            self.words.push(arg.as_ref().to_owned());
        }
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.words.insert(0, format!("{name}={value:?}"));
        self
    }

    /// Ends the command, and all it started, after `bound`.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Returns the command as a person would type it.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Runs the command; its output goes where ours goes.
    ///
    /// Fails if it cannot be started, takes too long or does not succeed.
    pub fn run(mut self) -> Result<()> {
        self.announce();
        let child = self.command.spawn().with_context(|| format!("start {}", self.text()))?;
        let status = self.wait(child)?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.text());
        }
        Ok(())
    }

    /// Runs a command that prints cargo's test results and counts them.
    ///
    /// A failed test is an [`Outcome`]; a command that fails for any other reason is an error.
    pub fn run_tests(mut self) -> Result<Outcome> {
        self.announce();
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| format!("start {}", self.text()))?;
        let stdout = child.stdout.take().context("the child's standard output is piped")?;
        let reader = thread::spawn(move || pass_on_and_count(stdout, std::io::stdout()));
        let status = self.wait(child)?;
        let Ok(outcome) = reader.join() else { bail!("the reader of the output panicked") };
        if !status.success() && outcome.failed == 0 {
            bail!("`{}` ended with {status}", self.text());
        }
        Ok(outcome)
    }

    /// Runs the command with its output in the file `log`; returns whether it succeeded.
    pub fn run_logged(mut self, log: &Path) -> Result<bool> {
        let open = || fs::OpenOptions::new().create(true).append(true).open(log);
        fs::write(log, format!("$ {}\n", self.text())).context("write the log")?;
        self.command.stdout(open()?).stderr(open()?);
        let child = self.command.spawn().with_context(|| format!("start {}", self.text()))?;
        Ok(self.wait(child)?.success())
    }

    /// Runs the command and returns what it wrote to standard output, if it succeeded.
    pub fn output(mut self) -> Result<String> {
        let output = self.command.output().with_context(|| format!("start {}", self.text()))?;
        if !output.status.success() {
            bail!(
                "`{}` ended with {}: {}",
                self.text(),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        String::from_utf8(output.stdout).with_context(|| format!("read from {}", self.text()))
    }

    fn announce(&self) {
        println!("      $ {}", self.text());
        // Our lines and the child's shall stand in the order in which they were written.
        let _ = std::io::stdout().flush();
    }

    /// Waits for `child`; past the bound ends it with everything it started.
    fn wait(&self, mut child: Child) -> Result<ExitStatus> {
        let (done, waiting) = mpsc::channel::<()>();
        let (pid, bound) = (child.id(), self.bound);
        let watch = thread::spawn(move || {
            let is_over = waiting.recv_timeout(bound) == Err(mpsc::RecvTimeoutError::Timeout);
            if is_over {
                end_tree(pid);
            }
            is_over
        });
        let status = child.wait().with_context(|| format!("wait for {}", self.text()))?;
        drop(done);
        if watch.join().unwrap_or(false) {
            bail!("`{}` took longer than {} s and was ended", self.text(), self.bound.as_secs());
        }
        Ok(status)
    }
}

/// Returns whether `program` answers `--version`.
pub fn is_installed(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Passes every line on as it comes; adds up the lines that are cargo's test results.
///
/// A test that cannot run on this machine passes and prints `skipped: what, why`, which is shown
/// with `--show-output`; it counts as skipped. The names of all that passed, which come with that,
/// are not passed on: they stand there already, each with its `ok`.
fn pass_on_and_count(output: impl Read, mut to: impl Write) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut ignored, mut unable) = (0, 0);
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    let mut is_list_of_passed = false;
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        // The word stands before their output, and again before their names.
        is_list_of_passed = text == "successes:\n" || is_list_of_passed && text.starts_with("    ");
        if !is_list_of_passed {
            let _ = to.write_all(&line).and_then(|()| to.flush());
        }
        if let Some((passed, failed, skipped)) = test_result(&text) {
            outcome.passed += passed;
            outcome.failed += failed;
            ignored += skipped;
        } else if let Some(skipped) = text.strip_prefix("skipped: ") {
            let (what, why) = skipped.trim_end().split_once(", ").unwrap_or((skipped, ""));
            outcome.skip(what, why);
            unable += 1;
        }
        line.clear();
    }
    outcome.passed = outcome.passed.saturating_sub(unable);
    for _ in 0..ignored {
        outcome.skip("a test", "it says so itself: #[ignore], or ```ignore");
    }
    outcome
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn test_result(line: &str) -> Option<(u64, u64, u64)> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let number = |label: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(label))?;
        part.trim().parse().ok()
    };
    Some((number(" passed")?, number(" failed")?, number(" ignored")?))
}

/// Kills `root` and all its descendants. They are read from `/proc`, so only Linux finds them all.
fn end_tree(root: u32) {
    let mut doomed = vec![root];
    let mut next = 0;
    while let Some(parent) = doomed.get(next).copied() {
        doomed.extend(children_of(parent));
        next += 1;
    }
    let pids: Vec<String> = doomed.iter().map(u32::to_string).collect();
    let _ = Command::new("kill").arg("-KILL").args(pids).status();
}

fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks and parentheses of its own.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_other_lines_are_not() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; \
                    3 filtered out; finished in 0.02s\n";
        assert_eq!(test_result(line), Some((12, 2, 1)));
        assert_eq!(test_result("running 3 tests"), None);
        assert_eq!(test_result("test result: odd"), None);
    }

    #[test]
    fn a_test_that_could_not_run_counts_as_skipped() {
        let output = "skipped: disk full, needs root\n\
                      test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\n";

        let outcome = pass_on_and_count(output.as_bytes(), std::io::sink());

        let mut want = Outcome::skipped("disk full", "needs root");
        want.passed = 2;
        assert_eq!(outcome, want);
    }

    #[test]
    fn names_of_passed_tests_are_passed_on_once_and_their_output_with_them() {
        let output = "test a ... ok\n\nsuccesses:\n\n---- a stdout ----\n    seed 7\n\n\n\
                      successes:\n    a\n    b\n\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        let mut shown = Vec::new();

        let outcome = pass_on_and_count(output.as_bytes(), &mut shown);

        assert_eq!(outcome.passed, 2);
        let want = "test a ... ok\n\n\n---- a stdout ----\n    seed 7\n\n\n\n\
                    test result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert_eq!(String::from_utf8(shown).unwrap(), want);
    }

    #[test]
    fn a_command_past_its_bound_is_ended_with_its_children() {
        let step = Step::new("sh", &["-c", "sleep 600 & wait"]).bound(Duration::from_millis(100));

        let error = step.run().unwrap_err();

        assert!(error.to_string().contains("took longer"), "{error}");
    }
}
