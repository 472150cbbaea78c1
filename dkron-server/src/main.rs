//! The `dkron` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dkron_server::cli::run(std::env::args_os())
}
