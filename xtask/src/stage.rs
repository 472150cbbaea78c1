//! Named stages: run one after the other, timed, and summed up at the end.
//!
//! A failing stage does not stop those after it, so that one run tells everything that is wrong.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a stage may need to know of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// How long each fuzz target runs.
    pub fuzz_seconds: u64,
}

/// One named part of a command.
#[derive(Clone, Copy)]
pub struct Stage {
    /// As `--stage` takes it.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Does the work. An error is one failure; failed tests are counted in the [`Outcome`].
    pub run: fn(&Context) -> Result<Outcome>,
}

/// Something that was not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    what: String,
    why: String,
}

/// What one stage counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    skipped: Vec<Skip>,
}

impl Outcome {
    /// Notes one thing that was not done.
    pub fn skip(&mut self, what: &str, why: &str) {
        self.skipped.push(Skip { what: what.to_owned(), why: why.to_owned() });
    }

    /// Returns an outcome of one thing that was not done.
    pub fn skipped(what: &str, why: &str) -> Self {
        let mut outcome = Self::default();
        outcome.skip(what, why);
        outcome
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }

    /// The closing line: `12 passed, 0 failed, 1 skipped`.
    fn text(&self) -> String {
        let mut text = format!("{} passed, {} failed", self.passed, self.failed);
        if !self.skipped.is_empty() {
            text.push_str(&format!(", {} skipped", self.skipped.len()));
        }
        text
    }
}

/// Returns the lines that `--help` shows of `stages`.
pub fn help(stages: &[Stage]) -> String {
    let width = stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0);
    stages.iter().map(|stage| format!("  {:width$}  {}\n", stage.name, stage.about)).collect()
}

/// Runs the stages named in `wanted`, or all of them if none is, in their own order.
///
/// Ends with a table, a list of what was skipped, and the closing line of counts.
pub fn run(stages: &[Stage], wanted: &[String], context: &Context) -> Result<ExitCode> {
    if let Some(unknown) = wanted.iter().find(|name| !stages.iter().any(|s| s.name == **name)) {
        let names: Vec<&str> = stages.iter().map(|stage| stage.name).collect();
        bail!("there is no stage \"{unknown}\"; there are: {}", names.join(", "));
    }
    let chosen = |stage: &&Stage| wanted.is_empty() || wanted.iter().any(|w| w == stage.name);
    let chosen: Vec<&Stage> = stages.iter().filter(chosen).collect();

    let mut rows = Vec::new();
    let mut total = Outcome::default();
    let mut broken = 0;
    for (index, stage) in chosen.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", index + 1, chosen.len(), stage.name, stage.about);
        let start = Instant::now();
        let result = (stage.run)(context);
        let (mark, outcome) = match result {
            Ok(outcome) if outcome.failed > 0 => ("FAILED", outcome),
            Ok(outcome) => ("ok", outcome),
            Err(error) => {
                println!("      error: {error:#}");
                ("FAILED", Outcome { failed: 1, ..Outcome::default() })
            }
        };
        broken += usize::from(mark == "FAILED");
        println!("      {mark} after {}", seconds(start.elapsed()));
        rows.push((stage.name, mark, start.elapsed(), outcome.clone()));
        total.add(outcome);
    }
    summary(&rows, &total);
    std::io::stdout().flush()?;
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(rows: &[(&str, &str, Duration, Outcome)], total: &Outcome) {
    println!("\nstage         result      time  tests");
    for (name, mark, time, outcome) in rows {
        let tests = if outcome == &Outcome::default() { String::new() } else { outcome.text() };
        println!("{}", format!("{name:12}  {mark:6}  {:>8}  {tests}", seconds(*time)).trim_end());
    }
    let mut said: Vec<&Skip> = Vec::new();
    for skip in &total.skipped {
        if !said.contains(&skip) {
            let times = total.skipped.iter().filter(|other| *other == skip).count();
            let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
            println!("skipped: {}, {}{times}", skip.what, skip.why);
            said.push(skip);
        }
    }
    println!("\n{}", total.text());
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context = Context { fuzz_seconds: 0 };

    fn stages() -> [Stage; 2] {
        let good = Stage {
            name: "good",
            about: "",
            run: |_| Ok(Outcome { passed: 2, ..Outcome::default() }),
        };
        [good, Stage { name: "bad", about: "", run: |_| bail!("broken") }]
    }

    #[test]
    fn the_closing_line_counts_and_names_skips_only_if_there_are_any() {
        let mut outcome = Outcome { passed: 3, ..Outcome::default() };
        assert_eq!(outcome.text(), "3 passed, 0 failed");
        outcome.add(Outcome::skipped("x", "y"));
        assert_eq!(outcome.text(), "3 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn an_error_fails_the_run_and_a_stage_not_asked_for_does_not_run() {
        let code = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            run(&stages(), &wanted, &CONTEXT).map(|code| code == ExitCode::SUCCESS)
        };
        assert!(!code(&[]).unwrap());
        assert!(code(&["good"]).unwrap());
        assert!(code(&["goood"]).is_err());
    }
}
