//! Runs named benches and shows one table: figure, unit, bound, met or not.
//!
//! Each bench runs in a process of its own, so that none finds the heap of another. Ends with
//! success whether bounds are met or not, unless `--strict` is given: figures depend on the
//! machine, and a bound missed on a busy laptop is no broken build.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use dkron_bench::report::Row;
use dkron_bench::{Settings, apart, benches, report};

const HELP: &str = "\
Usage: dkron-bench [--scale F] [--dir DIR] [--json FILE] [--strict] [--list] [NAME...]

Without a name, all benches run. `--json -` writes to standard output, instead of the table.
`--scale 0.1` takes a tenth of the jobs and of the time; bounds then say little.
`--dir` is where data directories are made; by default beside this program.
`--strict` ends with 1 if a bound is not met.
";

/// What the command line asked for.
#[derive(Default)]
struct Options {
    json: Option<String>,
    is_strict: bool,
    /// Run the one named bench in this process.
    is_inner: bool,
    settings: Settings,
    names: Vec<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dkron-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let Some(options) = read_options()? else { return Ok(ExitCode::SUCCESS) };
    let names = &options.names;
    if options.is_inner {
        let name = names.first().context("--inner needs a name")?;
        let rows = benches::run_inner(name, &options.settings)?;
        let named: Vec<(&str, Row)> = rows.into_iter().map(|row| (name.as_str(), row)).collect();
        println!("{}", report::json(&named));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = names.iter().find(|name| benches::ALL.iter().all(|b| b.name != **name)) {
        bail!("there is no bench \"{unknown}\"; `--list` shows them");
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);

    let mut rows = Vec::new();
    for bench in benches::ALL.iter().filter(|bench| is_chosen(bench.name)) {
        eprintln!("bench {}: {}", bench.name, bench.about);
        let found = apart::run(bench.name, &options.settings)
            .with_context(|| format!("bench {}", bench.name))?;
        rows.extend(found.into_iter().map(|row| (bench.name, row)));
    }

    let table = report::table(&rows);
    match options.json.as_deref() {
        Some("-") => println!("{}", report::json(&rows)),
        Some(file) => {
            std::fs::write(file, report::json(&rows)).with_context(|| format!("write {file}"))?;
            print!("{table}");
        }
        None => print!("{table}"),
    }
    let is_met = rows.iter().all(|(_, row)| row.is_met() != Some(false));
    Ok(if is_met || !options.is_strict { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the command line; `None` if it only wanted to be told something.
fn read_options() -> Result<Option<Options>> {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-h" | "--help" => {
                print!("{HELP}");
                return Ok(None);
            }
            "--list" => {
                for bench in benches::ALL {
                    println!("{:16}  {}", bench.name, bench.about);
                }
                return Ok(None);
            }
            "--strict" => options.is_strict = true,
            "--inner" => options.is_inner = true,
            "--json" => options.json = Some(words.next().context("--json needs a file")?),
            "--dir" => options.settings.dir = words.next().context("--dir needs a folder")?.into(),
            "--scale" => {
                let scale = words.next().context("--scale needs a number")?;
                options.settings.scale = scale.parse().context("--scale needs a number")?;
                if !(options.settings.scale > 0.0 && options.settings.scale <= 100.0) {
                    bail!("--scale {scale}: must be above 0 and at most 100");
                }
            }
            option if option.starts_with('-') => bail!("unknown option {option}\n\n{HELP}"),
            _ => options.names.push(word),
        }
    }
    Ok(Some(options))
}
