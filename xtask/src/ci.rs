//! `cargo xtask ci`: everything that must hold before a change lands. Never writes the tree.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::{Args, flag, value};
use crate::process::Step;
use crate::stage::{self, Context, Outcome, Stage};
use crate::{deny, generated, test, tidy};

/// How long each fuzz target runs in CI.
const FUZZ_SECONDS: u64 = 60;

/// What is checked before the tests of [`test::STAGES`] run.
const CHECKS: &[Stage] = &[
    Stage { name: "fmt", about: "the code is formatted", run: fmt },
    Stage { name: "tidy", about: "style, layering and links", run: tidy::stage },
    Stage { name: "generated", about: "generated files are fresh", run: generated::stage },
    Stage { name: "clippy", about: "no lint fires, in any set of features", run: clippy },
    Stage { name: "rustdoc", about: "the documentation builds without a warning", run: rustdoc },
    Stage { name: "deny", about: "licences, sources and bans of dependencies", run: deny::stage },
];

/// Entry point of the command.
pub fn main(words: &[String]) -> Result<ExitCode> {
    let help = format!(
        "Check everything that must hold before a change lands. Never writes the tree.

Usage: cargo xtask ci [--stage NAME[,NAME...]]... [--fuzz-seconds N] [--list]

Options:
  --stage NAME       Run only this stage; may be repeated
  --fuzz-seconds N   Run each fuzz target for N seconds [default: {FUZZ_SECONDS}]
  --list             Show the stages and end

Stages:
{}{}",
        stage::help(CHECKS),
        stage::help(test::STAGES)
    );
    let known = [value("--stage"), value("--fuzz-seconds"), flag("--list")];
    let Some(args) = Args::parse(words, &known, &help)? else { return Ok(ExitCode::SUCCESS) };
    if args.has("--list") {
        print!("{}{}", stage::help(CHECKS), stage::help(test::STAGES));
        return Ok(ExitCode::SUCCESS);
    }
    let context = Context { fuzz_seconds: args.number("--fuzz-seconds", FUZZ_SECONDS)? };
    let all: Vec<Stage> = CHECKS.iter().chain(test::STAGES).copied().collect();
    let before = tree_state();
    let code = stage::run(&all, &args.values("--stage"), &context)?;
    if before != tree_state() {
        bail!("this run changed files of the tree, which ci must never do; see `git status`");
    }
    Ok(code)
}

/// Returns what git says of the tree; nothing where there is no git.
fn tree_state() -> Option<String> {
    Step::new("git", &["status", "--porcelain"]).output().ok()
}

fn fmt(_: &Context) -> Result<Outcome> {
    Step::cargo(&["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::default())
}

/// The workspace builds with every feature on, so each library is checked alone as well: what only
/// the feature `testing` uses would be dead code in a release.
fn clippy(_: &Context) -> Result<Outcome> {
    let sets: &[&[&str]] = &[
        &["--workspace", "--all-targets"],
        &["-p", "dkron-core"],
        &["-p", "dkron-core", "--no-default-features"],
        &["-p", "dkron-server"],
    ];
    for set in sets {
        Step::cargo(&["clippy", "--quiet"]).args(set).args(&["--", "-D", "warnings"]).run()?;
    }
    Ok(Outcome::default())
}

fn rustdoc(_: &Context) -> Result<Outcome> {
    let step = Step::cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
    step.args(&["--document-private-items"]).env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Outcome::default())
}
