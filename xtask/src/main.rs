//! Every chore of the repository, typed: `cargo xtask <command>`.
//!
//! A laptop and CI run the same commands, so they cannot differ. Uses no crate of this workspace,
//! so that a chore works while the code under it does not compile.
//!
//! # Where to begin reading
//!
//! [`ci`] and [`mod@test`] are lists of named [`stage`]s; [`tidy`] holds the rules that neither the
//! compiler nor clippy can state.

mod args;
mod bench;
mod ci;
mod deny;
mod fix;
mod fuzz;
mod generated;
mod process;
mod stage;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
Every chore of the repository.

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  ci      Check everything that must hold before a change lands; never writes the tree
  test    Run all tests; creates what they need
  tidy    Check style, layering and links (part of ci, and a test of its own)
  fix     Format, apply clippy's fixes, write generated files anew
  bench   Build the release profile and run benches
  fuzz    Run fuzz targets for a while, starting from the checked-in seeds

`cargo xtask <COMMAND> --help` says more.
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let run = match command.as_str() {
        "ci" => ci::main,
        "test" => test::main,
        "tidy" => tidy::main,
        "fix" => fix::main,
        "bench" => bench::main,
        "fuzz" => fuzz::main,
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: there is no command \"{other}\"\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
